// A parsed file as our own small tree, in which every value knows its place. Nothing else in the module sees Yams.

/// A value of a file.
struct YAMLNode {
    enum Content {
        case nothing
        case scalar(String)
        case list([YAMLNode])
        case mapping([YAMLEntry])
    }
    var content: Content
    var place: Place
    /// The file that a text stands in, to say where in the text something is.
    var source: YAMLSource?

    /// For messages: what stands there.
    var found: String {
        switch content {
        case .nothing: "nothing"
        case .scalar(let text): "'\(text.count > 60 ? text.prefix(60) + "…" : text)'"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }

    var text: String? { if case .scalar(let text) = content { text } else { nil } }
    var entries: [YAMLEntry]? { if case .mapping(let entries) = content { entries } else { nil } }

    subscript(key: String) -> YAMLNode? { entries?.first { $0.key == key }?.value }
}

/// One `key: value` of a mapping.
struct YAMLEntry {
    var key: String
    var place: Place
    var value: YAMLNode
}

extension YAMLNode {
    /// Joins a drop-in into this tree: mappings are joined key by key, lists are appended; anything that is set twice
    /// is an error that names both places.
    mutating func merge(_ other: YAMLNode, path: String = "", problems: Problems) {
        switch (content, other.content) {
        case (.mapping(var entries), .mapping(let others)):
            var indices = Dictionary(
                entries.indices.map { (entries[$0].key, $0) }, uniquingKeysWith: { first, _ in first })
            for entry in others {
                if path.isEmpty && entry.key == "kind" { continue }
                guard let index = indices[entry.key] else {
                    indices[entry.key] = entries.count
                    entries.append(entry)
                    continue
                }
                let isWhole = entries[index].value.isCollection && entry.value.isCollection
                guard isWhole else {
                    let first = entries[index].place
                    problems.error(
                        entry.place, "'\(path)\(entry.key)' is already set at \(first.seen(from: entry.place))")
                    continue
                }
                entries[index].value.merge(entry.value, path: "\(path)\(entry.key).", problems: problems)
            }
            content = .mapping(entries)
        case (.list(let elements), .list(let others)):
            content = .list(elements + others)
        default:
            problems.error(
                other.place, "'\(path.dropLast())' is already set at \(place.seen(from: other.place)) as \(found)")
        }
    }

    private var isCollection: Bool {
        switch content {
        case .list, .mapping: true
        case .nothing, .scalar: false
        }
    }

    /// Puts a value at a path of keys, or joins it with the mapping that is there: how a site overrides a profile.
    /// - Returns: the key of the path that doesn't exist, with what exists beside it; nil when all went well.
    mutating func override(_ path: ArraySlice<String>, with value: YAMLNode, at place: Place) -> (String, [String])? {
        guard case .mapping(var entries) = content, let key = path.first else { return (path.first ?? "", []) }
        let index = entries.firstIndex { $0.key == key }
        if path.count == 1 {
            if let index {
                if case .mapping(let inner) = value.content, entries[index].value.entries != nil {
                    for entry in inner {
                        let missing = entries[index].value.override([entry.key], with: entry.value, at: entry.place)
                        if let missing { return missing }
                    }
                } else {
                    entries[index] = YAMLEntry(key: key, place: place, value: value)
                }
            } else {
                entries.append(YAMLEntry(key: key, place: place, value: value))
            }
        } else {
            guard let index else { return (key, entries.map(\.key)) }
            if let missing = entries[index].value.override(path.dropFirst(), with: value, at: place) { return missing }
        }
        content = .mapping(entries)
        return nil
    }
}

/// The lines of a file, shared by all its values.
final class YAMLSource {
    let lines: [[Unicode.Scalar]]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0.unicodeScalars) }
    }
}

extension YAMLNode {
    /// Where the character of a text stands that has `offset` before it; the text's beginning, where escapes or variables
    /// stand between.
    func place(ofScalar offset: Int) -> Place {
        guard let text, let source, place.line >= 1, place.line <= source.lines.count else { return place }
        var (line, column) = (place.line - 1, place.column - 1)
        func current() -> Unicode.Scalar? {
            guard line < source.lines.count else { return nil }
            return column < source.lines[line].count ? source.lines[line][column] : "\n"
        }
        func advance() {
            column += 1
            if column > source.lines[line].count { (line, column) = (line + 1, 0) }
        }
        switch current() {
        case "\"", "'": advance()
        case "|", ">": (line, column) = (line + 1, 0)
        default: break
        }
        func skipBlanks() { while let scalar = current(), scalar.properties.isWhitespace { advance() } }
        if column == 0 { skipBlanks() }
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if index == offset { break }
            if scalar.properties.isWhitespace {
                skipBlanks()
            } else {
                guard current() == scalar else { return place }
                advance()
            }
        }
        return line < source.lines.count ? Place(place.file, line + 1, column + 1) : place
    }
}
