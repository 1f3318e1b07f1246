// Finds the planned values in a JSON payload in one pass, without building a tree and without allocating per value.

package import Acquisition

/// What stands at a planned path of a document.
package enum JSONField: Equatable, Sendable {
    case missing
    case null
    case boolean(Bool)
    case number(JSONNumber)
    /// A number or flag that was not spelled in digits.
    case raw(RawValue)
    /// UTF-8 in the payload (no escapes) or in the reader's `unescaped`.
    case text(Range<Int>, isUnescaped: Bool)
    /// An object or an array.
    case container
}

/// Reads the documents of one subscription. Strict RFC 8259: what doesn't follow the grammar to its last byte is no
/// JSON, and nothing of it counts. Of a key that comes twice the last counts.
package struct JSONReader: Sendable {
    /// Deeper documents count as no JSON: no machine speaks so, and each level costs stack.
    package static let depthLimit = 64

    private let tree: JSONPathTree
    /// What was found at each node of the tree.
    private var found: [JSONField]
    /// The node whose every occurrence is a sample.
    private let sampleNode: Int
    /// What was found in each sample, one after the other.
    private var samples: [JSONField] = []
    package private(set) var sampleCount = 0
    /// Texts that held escapes, one after the other.
    package private(set) var unescaped: [UInt8] = []

    /// Fields of all samples of one document. A payload of 256 KiB with more is no row of samples of a machine.
    private static let fieldLimit = 65_536

    /// - Parameter each: where samples stand; the paths begin there. Nil: the document is one sample.
    package init(paths: [JSONPath], each: JSONPath? = nil) {
        let prefix = each?.steps ?? []
        let all = paths.map { JSONPath(steps: prefix + $0.steps) } + [JSONPath(steps: prefix)]
        tree = JSONPathTree(all)
        sampleNode = tree.places[paths.count]
        found = Array(repeating: .missing, count: tree.nodes.count)
    }

    private var width: Int { tree.places.count - 1 }

    /// What this sample holds at the path of this number.
    package func field(_ path: Int, sample: Int) -> JSONField { samples[sample * width + path] }

    /// What the last document holds at the path of this number.
    package func field(_ path: Int) -> JSONField { found[tree.places[path]] }

    /// Reads one document.
    /// - Returns: false when it is no JSON; the fields then mean nothing.
    package mutating func read(_ bytes: Span<UInt8>) -> Bool {
        samples.removeAll(keepingCapacity: true)
        sampleCount = 0
        unescaped.removeAll(keepingCapacity: true)
        forget(0)
        var index = 0
        // A byte order mark may be ignored (RFC 8259, 8.1); some controllers write one.
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { index = 3 }
        Self.skipSpace(bytes, at: &index)
        guard value(bytes, at: &index, node: 0, depth: 0) else { return false }
        Self.skipSpace(bytes, at: &index)
        return index == bytes.count
    }

    private mutating func value(_ bytes: Span<UInt8>, at index: inout Int, node: Int, depth: Int) -> Bool {
        guard content(bytes, at: &index, node: node, depth: depth) else { return false }
        guard node == sampleNode else { return true }
        guard samples.count + width <= Self.fieldLimit else { return false }
        for path in 0..<width { samples.append(found[tree.places[path]]) }
        sampleCount += 1
        return true
    }

    /// Reads one value; `node` is its place in the tree, negative when no path leads there.
    private mutating func content(_ bytes: Span<UInt8>, at index: inout Int, node: Int, depth: Int) -> Bool {
        guard index < bytes.count else { return false }
        let field: JSONField
        switch bytes[index] {
        case UInt8(ascii: "{"):
            return object(bytes, at: &index, node: node, depth: depth + 1)
        case UInt8(ascii: "["):
            return array(bytes, at: &index, node: node, depth: depth + 1)
        case UInt8(ascii: "\""):
            guard let string = JSONString.scan(bytes, at: &index) else { return false }
            field = node < 0 ? .missing : text(string, bytes)
        case UInt8(ascii: "t"):
            guard Self.word("true", bytes, at: &index) else { return false }
            field = .boolean(true)
        case UInt8(ascii: "f"):
            guard Self.word("false", bytes, at: &index) else { return false }
            field = .boolean(false)
        case UInt8(ascii: "n"):
            guard Self.word("null", bytes, at: &index) else { return false }
            field = .null
        default:
            guard let number = JSONNumber.scan(bytes, at: &index) else { return false }
            field = .number(number)
        }
        if node >= 0 {
            forget(node)
            found[node] = field
        }
        return true
    }

    private mutating func object(_ bytes: Span<UInt8>, at index: inout Int, node: Int, depth: Int) -> Bool {
        guard enter(node, depth: depth) else { return false }
        index += 1
        Self.skipSpace(bytes, at: &index)
        if Self.take(UInt8(ascii: "}"), bytes, at: &index) { return true }
        while true {
            guard let key = JSONString.scan(bytes, at: &index) else { return false }
            let child = child(of: node, key: key, bytes)
            Self.skipSpace(bytes, at: &index)
            guard Self.take(UInt8(ascii: ":"), bytes, at: &index) else { return false }
            Self.skipSpace(bytes, at: &index)
            guard value(bytes, at: &index, node: child, depth: depth) else { return false }
            Self.skipSpace(bytes, at: &index)
            if Self.take(UInt8(ascii: "}"), bytes, at: &index) { return true }
            guard Self.take(UInt8(ascii: ","), bytes, at: &index) else { return false }
            Self.skipSpace(bytes, at: &index)
        }
    }

    private mutating func array(_ bytes: Span<UInt8>, at index: inout Int, node: Int, depth: Int) -> Bool {
        guard enter(node, depth: depth) else { return false }
        index += 1
        Self.skipSpace(bytes, at: &index)
        if Self.take(UInt8(ascii: "]"), bytes, at: &index) { return true }
        var element = 0
        while true {
            let child = tree.child(of: node, index: element)
            guard value(bytes, at: &index, node: child, depth: depth) else { return false }
            element += 1
            Self.skipSpace(bytes, at: &index)
            if Self.take(UInt8(ascii: "]"), bytes, at: &index) { return true }
            guard Self.take(UInt8(ascii: ","), bytes, at: &index) else { return false }
            Self.skipSpace(bytes, at: &index)
        }
    }

    private mutating func enter(_ node: Int, depth: Int) -> Bool {
        if node >= 0 {
            forget(node)
            found[node] = .container
        }
        return depth <= Self.depthLimit
    }

    /// A key that came before may have left fields below this node: only what comes last counts.
    private mutating func forget(_ node: Int) {
        for below in node..<tree.nodes[node].end { found[below] = .missing }
    }

    private mutating func child(of node: Int, key: JSONString, _ bytes: Span<UInt8>) -> Int {
        guard node >= 0 else { return -1 }
        guard key.hasEscapes else { return tree.child(of: node, key: bytes, key.range) }
        let start = unescaped.count
        key.unescape(bytes, into: &unescaped)
        defer { unescaped.removeSubrange(start...) }
        return tree.child(of: node, key: unescaped.span, start..<unescaped.count)
    }

    private mutating func text(_ string: JSONString, _ bytes: Span<UInt8>) -> JSONField {
        guard string.hasEscapes else { return .text(string.range, isUnescaped: false) }
        let start = unescaped.count
        string.unescape(bytes, into: &unescaped)
        return .text(start..<unescaped.count, isUnescaped: true)
    }

    private static func skipSpace(_ bytes: Span<UInt8>, at index: inout Int) {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private static func take(_ byte: UInt8, _ bytes: Span<UInt8>, at index: inout Int) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private static func word(_ word: StaticString, _ bytes: Span<UInt8>, at index: inout Int) -> Bool {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count else { return false }
        for offset in 0..<count where unsafe bytes[index + offset] != word.utf8Start[offset] { return false }
        index += count
        return true
    }
}
