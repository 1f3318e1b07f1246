// Places: the ISA-95 path of a device, and patterns over it.

/// A pattern over device paths: `*` stands for one level or a part of it, `**` for any number of whole levels.
package struct PathPattern: Equatable, Sendable {
    private let levels: [String]

    package init(_ pattern: String) { levels = pattern.split(separator: "/").map(String.init) }

    package func matches(_ path: String) -> Bool {
        Self.matches(levels[...], path.split(separator: "/").map(String.init)[...])
    }

    private static func matches(_ pattern: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first == "**" {
            return (0...path.count).contains { matches(pattern.dropFirst(), path.dropFirst($0)) }
        }
        guard let level = path.first, levelMatches(Array(first.utf8)[...], Array(level.utf8)[...]) else { return false }
        return matches(pattern.dropFirst(), path.dropFirst())
    }

    private static func levelMatches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == UInt8(ascii: "*") {
            return (0...text.count).contains { levelMatches(pattern.dropFirst(), text.dropFirst($0)) }
        }
        return text.first == first && levelMatches(pattern.dropFirst(), text.dropFirst())
    }
}

/// The levels of a device's place, named for topic templates.
///
/// A site file names a device `area/line/cell/device` under the site `enterprise/site`. Fewer levels are allowed: the
/// last is always the device, and the others fill area, line and cell in this order. More levels lie in the cell.
package struct EquipmentPath: Equatable, Sendable {
    package var enterprise = ""
    package var site = ""
    package var area = ""
    package var line = ""
    package var cell = ""
    package var device = ""

    package init(site: String, device: String) {
        let siteLevels = site.split(separator: "/", maxSplits: 1).map(String.init)
        self.enterprise = siteLevels.count == 2 ? siteLevels[0] : ""
        self.site = siteLevels.last ?? ""
        var levels = device.split(separator: "/").map(String.init)
        self.device = levels.popLast() ?? ""
        if !levels.isEmpty { area = levels.removeFirst() }
        if !levels.isEmpty { line = levels.removeFirst() }
        cell = levels.joined(separator: "/")
    }

    /// The names that a topic template may hold in braces.
    package static let placeholders = ["enterprise", "site", "area", "line", "cell", "device"]

    /// Puts the levels into a template such as `{enterprise}/{site}/{area}/{line}/{cell}/{device}`; an empty level
    /// takes its slash with it.
    package func filled(into template: String) -> String {
        let levels = [
            "enterprise": enterprise, "site": site, "area": area, "line": line, "cell": cell, "device": device,
        ]
        return template.split(separator: "/", omittingEmptySubsequences: false).compactMap { part -> String? in
            var text = String(part)
            for (name, level) in levels {
                guard let range = text.firstRange(of: "{\(name)}") else { continue }
                text.replaceSubrange(range, with: level)
            }
            return text.isEmpty ? nil : text
        }.joined(separator: "/")
    }
}
