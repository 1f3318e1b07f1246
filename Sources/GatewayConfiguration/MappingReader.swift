// A typed cursor over one mapping: reads its keys, reports what is wrong with each, and at the end what is unknown.

/// Reads one mapping of a file. Asking for a key makes it known; `finish` reports the keys that nobody asked for.
///
/// A value that is wrong is reported where it stands and read as nil, so that the reader can go on and find the rest.
final class MappingReader {
    /// With its article, for messages: `a channel`.
    let what: String
    /// Where a missing key is reported: the key that holds the mapping.
    let place: Place
    let problems: Problems
    /// In the order of the file.
    let entries: [YAMLEntry]
    private var known: [String] = []
    private var later: [String] = []

    /// Nil, and reported, when the node is no mapping.
    init?(_ node: YAMLNode, _ what: String, at place: Place? = nil, problems: Problems) {
        guard case .mapping(let entries) = node.content else {
            problems.error(node.place, "expected \(what), a mapping of keys; found \(node.found)")
            return nil
        }
        self.what = what
        self.place = place ?? node.place
        self.problems = problems
        self.entries = entries
    }

    /// The value of a key, whatever it is.
    func node(_ key: String) -> YAMLNode? {
        if !known.contains(key) { known.append(key) }
        return entries.first { $0.key == key }?.value
    }

    func has(_ key: String) -> Bool { entries.contains { $0.key == key } }

    /// Where the value of a key stands, or the mapping's own place.
    func place(of key: String) -> Place { entries.first { $0.key == key }?.value.place ?? place }

    func value<Value>(_ key: String, _ notation: Notation<Value>) -> Value? {
        node(key).flatMap { read($0, notation) }
    }

    func value<Value>(_ key: String, _ notation: Notation<Value>, default fallback: Value) -> Value {
        value(key, notation) ?? fallback
    }

    /// Nil, and reported, when the key is missing or its value wrong.
    func required<Value>(_ key: String, _ notation: Notation<Value>) -> Value? {
        guard let node = node(key) else {
            problems.error(place, "\(what) needs '\(key)': \(notation.expected)")
            return nil
        }
        return read(node, notation)
    }

    func read<Value>(_ node: YAMLNode, _ notation: Notation<Value>) -> Value? {
        guard let text = node.text, let value = notation.parse(text) else {
            problems.error(node.place, "expected \(notation.expected), found \(node.found)")
            return nil
        }
        return value
    }

    func mapping(_ key: String, _ what: String) -> MappingReader? {
        guard let node = node(key) else { return nil }
        let keyPlace = entries.first { $0.key == key }?.place
        return MappingReader(node, what, at: keyPlace, problems: problems)
    }

    /// The entries of a mapping of names, such as `channels:`; empty when the key is missing.
    func names(_ key: String, _ what: String) -> [YAMLEntry] { mapping(key, what)?.entries ?? [] }

    func list(_ key: String, _ what: String) -> [YAMLNode]? {
        guard let node = node(key) else { return nil }
        guard case .list(let elements) = node.content else {
            problems.error(node.place, "expected \(what), a list; found \(node.found)")
            return nil
        }
        return elements
    }

    /// Keys that are for people, or for tools, and change nothing here.
    func ignore(_ keys: String...) { for key in keys { _ = node(key) } }

    /// Keys of a coming version, whose absence would change what the file means.
    func refuseLater(_ keys: String...) {
        for key in keys {
            later.append(key)
            guard let entry = entries.first(where: { $0.key == key }) else { continue }
            problems.error(entry.place, "'\(key)' is not supported by this version")
        }
    }

    /// Keys of a coming version, without which the rest of the file means the same.
    func skipLater(_ keys: String...) {
        for key in keys {
            later.append(key)
            guard let entry = entries.first(where: { $0.key == key }) else { continue }
            problems.warning(entry.place, "'\(key)' is not used by this version")
        }
    }

    /// Reports the keys that nobody asked for.
    func finish() {
        for entry in entries where !known.contains(entry.key) && !later.contains(entry.key) {
            let near = Suggestion.phrase(for: entry.key, among: known)
            let hint = near.isEmpty ? "; it takes \(known.listed)" : near
            problems.error(entry.place, "unknown key '\(entry.key)' in \(what)\(hint)")
        }
    }
}
