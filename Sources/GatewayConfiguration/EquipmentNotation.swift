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
    /// Reads `$.motor.temp` and `$.values[0]`; `$` alone is the whole document.
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
        if topic.contains("+") || topic.contains("#") { return "wildcards (+ and #) are not supported by this version" }
        // Some brokers and most bridges take topics with blanks apart.
        if topic.contains(where: \.isWhitespace) { return "blanks in the topic '\(topic)'" }
        return nil
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
