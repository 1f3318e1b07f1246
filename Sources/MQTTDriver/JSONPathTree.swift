// The planned paths of a subscription, laid out as a tree that a reader walks along with the document.

/// Every path of one subscription, each node before its children, so that a subtree is a range of nodes.
struct JSONPathTree: Sendable {
    struct Edge: Sendable {
        /// The key's bytes in `keys`; empty and unused for an index.
        var key: Range<Int>
        /// The index in an array; `anyIndex` for every one, another negative number for a key.
        var index: Int
        var child: Int
    }
    struct Node: Sendable {
        var edges = 0..<0
        /// The first node behind this one's subtree.
        var end = 0
    }

    private static let anyIndex = -2

    private(set) var nodes: [Node] = []
    private(set) var edges: [Edge] = []
    private(set) var keys: [UInt8] = []
    /// The node of each path, in the order of `paths`.
    let places: [Int]

    init(_ paths: [JSONPath]) {
        var places = [Int](repeating: 0, count: paths.count)
        var tree = (nodes: [Node](), edges: [Edge](), keys: [UInt8]())
        Self.add(paths.indices.map { ($0, paths[$0].steps[...]) }, to: &tree, places: &places)
        (nodes, edges, keys) = tree
        self.places = places
    }

    /// Adds the node at which all of `paths` have arrived, then its children.
    private static func add(
        _ paths: [(path: Int, left: ArraySlice<JSONPath.Step>)],
        to tree: inout (nodes: [Node], edges: [Edge], keys: [UInt8]), places: inout [Int]
    ) {
        let node = tree.nodes.count
        tree.nodes.append(Node())
        var steps: [JSONPath.Step] = []
        for (path, left) in paths {
            if let step = left.first {
                if !steps.contains(step) { steps.append(step) }
            } else {
                places[path] = node
            }
        }
        let firstEdge = tree.edges.count
        for step in steps {
            switch step {
            case .key(let key):
                let start = tree.keys.count
                tree.keys.append(contentsOf: key.utf8)
                tree.edges.append(Edge(key: start..<tree.keys.count, index: -1, child: 0))
            case .index(let index):
                tree.edges.append(Edge(key: 0..<0, index: index, child: 0))
            case .each:
                tree.edges.append(Edge(key: 0..<0, index: anyIndex, child: 0))
            }
        }
        tree.nodes[node].edges = firstEdge..<tree.edges.count
        for (offset, step) in steps.enumerated() {
            tree.edges[firstEdge + offset].child = tree.nodes.count
            let onward = paths.filter { $0.left.first == step }.map { ($0.path, $0.left.dropFirst()) }
            add(onward, to: &tree, places: &places)
        }
        tree.nodes[node].end = tree.nodes.count
    }

    /// The child of `node` under the array index; -1 when no path goes there.
    func child(of node: Int, index: Int) -> Int {
        guard node >= 0 else { return -1 }
        for edge in nodes[node].edges where edges[edge].index == index || edges[edge].index == Self.anyIndex {
            return edges[edge].child
        }
        return -1
    }

    /// The child of `node` under the key made of the bytes `range` of `text`; -1 when no path goes there.
    func child(of node: Int, key text: Span<UInt8>, _ range: Range<Int>) -> Int {
        guard node >= 0 else { return -1 }
        for edge in nodes[node].edges where edges[edge].index == -1 {
            let key = edges[edge].key
            guard key.count == range.count else { continue }
            var offset = 0
            while offset < key.count && keys[key.lowerBound + offset] == text[range.lowerBound + offset] { offset += 1 }
            if offset == key.count { return edges[edge].child }
        }
        return -1
    }
}
