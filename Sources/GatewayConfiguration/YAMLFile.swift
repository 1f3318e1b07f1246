// From a file's bytes to our tree. The only file that imports Yams, and the only door for hostile input.

internal import Yams

/// Parses one YAML file. Refuses what a configuration has no use for and an attacker has: anchors and aliases (a page
/// of them unfolds to terabytes), deep nesting, several documents, keys that aren't text.
struct YAMLFile {
    let file: String
    let interpolation: Interpolation
    let problems: Problems

    /// Levels of nesting. The deepest key of ours lies at seven.
    private static let depth = 24
    /// Aliases that are let through to the parser, which then says where they are. So few unfold to little.
    private static let aliases = 8

    /// The tree, or nil after reporting why there is none.
    func parse() -> YAMLNode? {
        let bytes: [UInt8]
        do {
            bytes = try ConfigurationFiles.read(file)
        } catch {
            problems.error(Place(file), "can't be read: \(error.message)")
            return nil
        }
        return parse(bytes)
    }

    func parse(_ bytes: [UInt8]) -> YAMLNode? {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            problems.error(placeOfBadUTF8(in: bytes), "not UTF-8")
            return nil
        }
        if let place = placeOfControlCharacter(in: text) {
            problems.error(place, "a control character; a configuration is plain text")
            return nil
        }
        if Self.mayUnfold(text) {
            problems.error(Place(file), Self.noAnchors)
            return nil
        }
        do {
            let parser = try Parser(yaml: text, encoding: .utf8)
            guard let root = try parser.singleRoot() else {
                problems.error(Place(file), "the file is empty")
                return nil
            }
            // Anchors are weak in Yams and live as long as their parser.
            let source = YAMLSource(text)
            return withExtendedLifetime(parser) { node(root, source, depth: 0) }
        } catch let error as YamlError {
            report(error, text: text)
        } catch {
            problems.error(Place(file), "can't be parsed: \(error)")
        }
        return nil
    }

    private static let noAnchors = "anchors (&name) and aliases (*name) are not part of this format"

    /// Whether the text could hold more aliases than `aliases`, looked at so coarsely that nothing can hide.
    private static func mayUnfold(_ text: String) -> Bool {
        var (anchors, aliases) = (0, 0)
        var previous: UInt8 = 0
        for byte in text.utf8 {
            let isWord = byte >= 0x80 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || isAlphanumeric(byte)
            if isWord && previous == UInt8(ascii: "&") { anchors += 1 }
            if isWord && previous == UInt8(ascii: "*") { aliases += 1 }
            previous = byte
        }
        return anchors > 0 && aliases > Self.aliases
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    private func node(_ node: Node, _ source: YAMLSource, depth: Int) -> YAMLNode {
        let place = Place(file, node.mark?.line ?? 1, node.mark?.column ?? 1)
        if node.anchor != nil { problems.error(place, Self.noAnchors) }
        guard depth < Self.depth else {
            problems.error(place, "nested more than \(Self.depth) levels deep")
            return YAMLNode(content: .nothing, place: place)
        }
        switch node {
        case .scalar(let scalar): 
            return YAMLNode(content: content(of: scalar, at: place), place: place, source: source)
        case .sequence(let sequence):
            return YAMLNode(content: .list(sequence.map { self.node($0, source, depth: depth + 1) }), place: place)
        case .mapping(let mapping):
            var entries: [YAMLEntry] = []
            var seen: [String: Place] = [:]
            for (key, value) in mapping {
                let keyPlace = Place(file, key.mark?.line ?? place.line, key.mark?.column ?? place.column)
                guard case .scalar(let scalar) = key, key.anchor == nil else {
                    problems.error(keyPlace, "expected a key, found a list, a mapping or an anchor")
                    continue
                }
                // The parser takes 1 and "1" for two keys.
                if let first = seen.updateValue(keyPlace, forKey: scalar.string) {
                    problems.error(keyPlace, "'\(scalar.string)' is already set at line \(first.line)")
                }
                var child = self.node(value, source, depth: depth + 1)
                // An empty value has no place of its own that a reader would find.
                if case .nothing = child.content { child.place = keyPlace }
                entries.append(YAMLEntry(key: scalar.string, place: keyPlace, value: child))
            }
            return YAMLNode(content: .mapping(entries), place: place)
        case .alias:
            problems.error(place, Self.noAnchors)
            return YAMLNode(content: .nothing, place: place)
        }
    }

    private func content(of scalar: Node.Scalar, at place: Place) -> YAMLNode.Content {
        if scalar.style == .plain && ["", "~", "null"].contains(scalar.string) { return .nothing }
        do {
            return .scalar(try interpolation.filled(scalar.string))
        } catch {
            problems.error(place, error.message)
            return .nothing
        }
    }
}
