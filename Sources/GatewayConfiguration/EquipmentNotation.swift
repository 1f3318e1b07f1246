// How places, topics, hosts and paths into documents are spelled.

internal import GatewayModel
internal import MQTTDriver

extension Notation where Value == String {
    /// `acme/lyon`: enterprise and site.
    static var siteID: Notation {
        .matching("enterprise/site, such as acme/lyon") { text in
            let levels = text.split(separator: "/", omittingEmptySubsequences: false)
            return levels.count == 2 && levels.allSatisfy(PathLevel.isValid)
        }
    }

    /// `stamping/line-2/press-7/meter`: a device's place under the site.
    static var devicePath: Notation {
        .matching("a path such as area/line/cell/device, with levels of letters, digits, '.', '_' and '-'") { text in
            let levels = text.split(separator: "/", omittingEmptySubsequences: false)
            return text.utf8.count <= 512 && levels.allSatisfy(PathLevel.isValid)
        }
    }

    static var host: Notation {
        .matching("a host name or address") { text in
            !text.isEmpty && text.utf8.count <= 255
                && text.utf8.allSatisfy { $0.isNameByte || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        }
    }
}

/// The levels of an ISA-95 path. The same letters are safe in a topic, in a file name and in a metric's label.
enum PathLevel {
    static func isValid(_ level: Substring) -> Bool {
        !level.isEmpty && level != "." && level != ".."
            && level.utf8.allSatisfy { $0.isNameByte || $0 == UInt8(ascii: ".") }
    }
}

extension Notation where Value == JSONPath {
    static var jsonPath: Notation {
        Notation(expected: "a path into the payload such as $.motor.temp or $.values[0]") { JSONPath(spelled: $0) }
    }
}

extension JSONPath {
    /// Reads `$.motor.temp`, `$.values[0]`, `$['Motor 1']` and `$.samples[*]`; `$` alone is the whole document.
    init?(spelled text: String) {
        guard text.first == "$", text.utf8.count <= 512 else { return nil }
        var steps: [Step] = []
        var rest = text.dropFirst()
        while let first = rest.first {
            rest = rest.dropFirst()
            if first == "." {
                let key = rest.prefix { $0 != "." && $0 != "[" && $0 != "]" && !$0.isWhitespace }
                guard !key.isEmpty else { return nil }
                steps.append(.key(String(key)))
                rest = rest[key.endIndex...]
            } else if first == "[", rest.hasPrefix("*]") {
                steps.append(.each)
                rest = rest.dropFirst(2)
            } else if first == "[", let quote = rest.first, quote == "'" || quote == "\"" {
                let key = rest.dropFirst().prefix { $0 != quote }
                rest = rest[key.endIndex...].dropFirst()
                guard !key.isEmpty, rest.first == "]" else { return nil }
                steps.append(.key(String(key)))
                rest = rest.dropFirst()
            } else if first == "[" {
                let digits = rest.prefix { $0 != "]" }
                guard !digits.isEmpty, digits.utf8.allSatisfy(\.isDigit), let index = Int(digits), index < 65536,
                    digits.endIndex < rest.endIndex
                else { return nil }
                steps.append(.index(index))
                rest = rest[digits.endIndex...].dropFirst()
            } else {
                return nil
            }
        }
        self.init(steps: steps)
    }
}

/// Topics of MQTT 3.1.1, section 4.7.
enum TopicNotation {
    /// Why the text can't be a topic to publish on or to subscribe to; nil when it can.
    static func problem(with topic: String) -> String? {
        if topic.isEmpty { return "expected a topic, found nothing" }
        if topic.utf8.count > 1024 { return "a topic of more than 1024 bytes" }
        if topic.contains("+") || topic.contains("#") { return "wildcards (+ and #) can't stand here" }
        // Some brokers and most bridges take topics with blanks apart.
        if topic.contains(where: \.isWhitespace) { return "blanks in the topic '\(topic)'" }
        return nil
    }

    /// Why the text can't be subscribed to; nil when it can. `+` stands for one level, `#` at the end for the rest.
    static func problem(withFilter filter: String) -> String? {
        let levels = filter.split(separator: "/", omittingEmptySubsequences: false)
        for (index, level) in levels.enumerated() {
            if level.contains("#"), level != "#" || index != levels.count - 1 {
                return "'#' stands alone, as the last level of a topic"
            }
            if level.contains("+"), level != "+" { return "'+' stands alone for one level: '\(level)'" }
        }
        let plain = filter.replacing("+", with: "x").replacing("#", with: "x")
        return problem(with: plain)
    }

    /// The topic of `$share/group/topic`, or the text itself; nil when there is no group or no topic.
    static func withoutShare(_ text: String) -> String? {
        guard text.hasPrefix("$share/") else { return text }
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty, !parts[1].contains(where: { "+#".contains($0) })
        else { return nil }
        return String(parts[2])
    }

    /// Why the text can't be a template; nil when it can.
    static func problem(
        withTemplate template: String, placeholders: [String] = EquipmentPath.placeholders
    ) -> String? {
        var plain = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{") {
            plain += rest[..<open]
            guard let close = rest[open...].firstIndex(of: "}") else { return "'{' without '}' in '\(template)'" }
            let name = String(rest[open..<close].dropFirst())
            guard placeholders.contains(name) else {
                let near = Suggestion.phrase(for: name, among: placeholders)
                return "unknown placeholder '{\(name)}'"
                    + (near.isEmpty ? "; there are \(placeholders.map { "{\($0)}" }.listed)" : near)
            }
            plain += "x"
            rest = rest[close...].dropFirst()
        }
        return problem(with: plain + rest)
    }
}
