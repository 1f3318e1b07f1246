// YAML or JSON (which is YAML) of others as a small tree whose values know their lines. The module's only use of Yams.

internal import Yams

/// What is wrong with a file of somebody else.
package struct ImportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// From 1; nil when it is the whole file.
    package var line: Int?
    package var message: String
    package init(line: Int? = nil, _ message: String) {
        self.line = line
        self.message = message
    }
    package var description: String { line.map { "line \($0): \(message)" } ?? message }
}

/// One value of a file.
struct Document {
    enum Content {
        case nothing
        case scalar(String)
        case list([Document])
        case mapping([Entry])
    }
    struct Entry {
        var key: String
        var value: Document
    }
    var content: Content
    var line: Int

    /// Register maps are small: the largest SunSpec model has 300 KB.
    static let mostBytes = 4 << 20
    private static let depth = 32
    private static let mostNodes = 400_000

    var text: String? { if case .scalar(let text) = content { text } else { nil } }
    var elements: [Document]? { if case .list(let elements) = content { elements } else { nil } }
    var entries: [Entry]? { if case .mapping(let entries) = content { entries } else { nil } }
    subscript(key: String) -> Document? {
        entries?.first { $0.key == key }?.value
    }

    static func parse(_ bytes: [UInt8]) throws(ImportError) -> Document {
        guard bytes.count <= mostBytes else { throw ImportError("larger than \(mostBytes >> 20) MiB") }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw ImportError("not UTF-8 text") }
        // Aliases let a page unfold to terabytes while it is parsed.
        if mayUnfold(bytes) { throw ImportError("anchors (&name) and aliases (*name) are not read") }
        do {
            let parser = try Parser(yaml: text, encoding: .utf8)
            guard let root = try parser.singleRoot() else { throw ImportError("the file is empty") }
            var budget = mostNodes
            return try withExtendedLifetime(parser) { try node(root, depth: 0, line: 1, &budget) }
        } catch let error as ImportError {
            throw error
        } catch let error as YamlError {
            throw problem(error)
        } catch {
            throw ImportError("can't be parsed: \(String(describing: error).printable)")
        }
    }

    /// Whether the text could hold more aliases than a few, looked at so coarsely that nothing can hide. The few that
    /// pass are refused by `node`, with their line.
    private static func mayUnfold(_ bytes: [UInt8]) -> Bool {
        var (anchors, aliases, previous): (Int, Int, UInt8) = (0, 0, 0)
        for byte in bytes {
            let isWord =
                byte >= 0x80 || (48...57).contains(byte) || (65...90).contains(byte & 0xDF)
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
            if isWord && previous == UInt8(ascii: "&") { anchors += 1 }
            if isWord && previous == UInt8(ascii: "*") { aliases += 1 }
            previous = byte
        }
        return anchors > 0 && aliases > 8
    }

    private static func node(
        _ node: Node, depth: Int, line: Int, _ budget: inout Int
    ) throws(ImportError) -> Document {
        let line = node.mark?.line ?? line
        budget -= 1
        guard budget > 0 else { throw ImportError(line: line, "more than \(mostNodes) values") }
        guard depth < Self.depth else { throw ImportError(line: line, "nested more than \(Self.depth) levels deep") }
        guard node.anchor == nil else { throw ImportError(line: line, "anchors (&name) are not read") }
        switch node {
        case .scalar(let scalar):
            let isNothing = scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
            return Document(content: isNothing ? .nothing : .scalar(scalar.string), line: line)
        case .sequence(let sequence):
            var elements: [Document] = []
            for element in sequence { elements.append(try Self.node(element, depth: depth + 1, line: line, &budget)) }
            return Document(content: .list(elements), line: line)
        case .mapping(let mapping):
            var entries: [Entry] = []
            for (key, value) in mapping {
                guard case .scalar(let scalar) = key else { throw ImportError(line: line, "a key that is no text") }
                entries.append(
                    Entry(key: scalar.string, value: try Self.node(value, depth: depth + 1, line: line, &budget)))
            }
            return Document(content: .mapping(entries), line: line)
        case .alias: throw ImportError(line: line, "aliases (*name) are not read")
        }
    }

    private static func problem(_ error: YamlError) -> ImportError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            ImportError(line: mark.line, "not YAML or JSON: \(problem.printable)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            ImportError(
                line: context.mark.line, "the key '\((duplicates.first ?? "").printable)' is there twice")
        default: ImportError("not YAML or JSON: \(String(describing: error).printable)")
        }
    }
}
