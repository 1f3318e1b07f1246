// What one request on a table may be, and the cheapest way to cut sorted values into such requests.

internal import GatewayModel

/// The limits of requests on one table of one unit.
struct RequestFrame {
    /// Registers (or bits) of one request, as the profile says and as the device has taught.
    private let capacity: Int
    private let profileCapacity: Int
    private let gap: Int?
    private let alignment: Int
    /// Addresses of `limits.forbidden`: never read, whatever for.
    private let forbidden: [Range<Int>]
    /// These, and what the device has refused: never read along. Sorted, apart from each other.
    private let ground: [Range<Int>]
    /// Addresses that no request may reach from below. Sorted.
    private let seams: [Int]

    /// One past the last address of a table.
    private static var end: Int { 65536 }

    /// - Parameter values: the addresses of all values of the scan on this table, sorted.
    init(table: RegisterTable, limits: ModbusUnitLimits, knowledge: UnitKnowledge, values: [Range<Int>]) {
        profileCapacity =
            table.isBits
            ? min(limits.bits, Limits.bitsPerRequest) : min(limits.words, Limits.registersPerRequest)
        capacity = min(profileCapacity, (table.isBits ? knowledge.bits : knowledge.words) ?? profileCapacity)
        gap = limits.gap.map { table.isBits ? 16 * $0 : $0 }
        alignment = max(1, limits.alignment)
        func ranges(_ set: some Sequence<ModbusUnitLimits.ForbiddenRange>) -> [Range<Int>] {
            set.filter { $0.table == table }.map { Range($0.addresses) }
        }
        forbidden = Self.merged(ranges(limits.forbidden))
        let refused = Set(ranges(knowledge.refused))
        let readable = values.filter { !refused.contains($0) }
        let learned = (Array(refused) + ranges(knowledge.barriers)).flatMap { Self.without(readable, in: $0) }
        ground = Self.merged(ranges(limits.forbidden) + learned)
        seams = knowledge.seams.filter { $0.table == table }.map(\.address).sorted()
    }

    /// False for what no request may carry.
    func mayEverRead(_ span: Range<Int>) -> Bool {
        span.count <= profileCapacity && span.upperBound <= Self.end && !Self.hits(forbidden, span)
    }

    /// The addresses of a request for one value: aligned where nothing forbids it.
    func alone(_ span: Range<Int>) -> Range<Int> {
        let wide = aligned(span)
        return wide.count <= profileCapacity && wide.upperBound <= Self.end && !Self.hits(forbidden, wide) ? wide : span
    }

    /// Sorted values cut into requests of least total cost.
    ///
    /// Dynamic programming over the values in order of address, each with the requests that could begin at it: n ×
    /// window steps. In an optimal plan requests can always be made to carry consecutive values: where two of them
    /// interleave, the later values of one can move to the other, or one swallows the other, at no cost.
    func partition(_ values: [SpannedValues], requestCost: Double, unitCost: Double) -> [SpannedValues] {
        // A value that touches what was refused to another, or that is longer than the device has borne so far: alone,
        // so that it may prove itself.
        let isolated = values.filter { isIsolated($0.span) }
        let items = bundled(values.filter { !isIsolated($0.span) })
        var best = [Weight](repeating: Weight(), count: items.count + 1)
        var begin = [Int](repeating: -1, count: items.count + 1)
        begin[0] = 0
        for first in items.indices {
            var covered = items[first].span
            let lower = aligned(covered).lowerBound
            let limit = self.limit(from: lower)
            for last in first..<items.count {
                let span = items[last].span
                if let gap, span.lowerBound - covered.upperBound > gap { break }
                covered = covered.lowerBound..<max(covered.upperBound, span.upperBound)
                let fits = aligned(covered).upperBound <= limit
                guard fits || last == first else { break }
                let count = fits ? aligned(covered).count : covered.count
                let weight = best[first].adding(count, requestCost, unitCost)
                if begin[last + 1] < 0 || weight <= best[last + 1] {
                    best[last + 1] = weight
                    begin[last + 1] = first
                }
                guard fits else { break }
            }
        }
        var requests: [SpannedValues] = []
        var end = items.count
        while end > 0 {
            requests.append(request(items[begin[end]..<end]))
            end = begin[end]
        }
        return requests.reversed() + isolated.map { SpannedValues(span: alone($0.span), positions: $0.positions) }
    }

    /// Time, then number of requests, then registers.
    private struct Weight {
        var cost = 0.0
        var requests = 0
        var units = 0

        func adding(_ count: Int, _ requestCost: Double, _ unitCost: Double) -> Weight {
            let (requests, units) = (requests + 1, units + count)
            // From the whole numbers, so that equal plans cost exactly the same however they were reached.
            let cost = Double(requests) * requestCost + Double(units) * unitCost
            return Weight(cost: cost, requests: requests, units: units)
        }

        static func <= (left: Weight, right: Weight) -> Bool {
            (left.cost, left.requests, left.units) <= (right.cost, right.requests, right.units)
        }
    }

    private func request(_ items: ArraySlice<SpannedValues>) -> SpannedValues {
        var whole = SpannedValues(span: 0..<0, positions: [])
        for item in items {
            whole.span =
                whole.positions.isEmpty
                ? item.span : whole.span.lowerBound..<max(whole.span.upperBound, item.span.upperBound)
            whole.positions += item.positions
        }
        let wide = aligned(whole.span)
        return wide.upperBound <= limit(from: wide.lowerBound)
            ? SpannedValues(span: wide, positions: whole.positions) : whole
    }

    /// Values that share registers as one item where that fits into a request; else each for itself.
    private func bundled(_ values: [SpannedValues]) -> [SpannedValues] {
        var items: [SpannedValues] = []
        var first = 0
        while first < values.count {
            var bundle = values[first]
            var next = first + 1
            while next < values.count, values[next].span.lowerBound < bundle.span.upperBound {
                bundle.span = bundle.span.lowerBound..<max(bundle.span.upperBound, values[next].span.upperBound)
                bundle.positions += values[next].positions
                next += 1
            }
            if !isIsolated(bundle.span) { items.append(bundle) } else { items += values[first..<next] }
            first = next
        }
        return items
    }

    private func isIsolated(_ span: Range<Int>) -> Bool { span.upperBound > limit(from: span.lowerBound) }

    private func aligned(_ span: Range<Int>) -> Range<Int> {
        span.lowerBound / alignment * alignment..<(span.upperBound + alignment - 1) / alignment * alignment
    }

    /// How far a request that begins at `lower` may go: one past the last address.
    private func limit(from lower: Int) -> Int {
        let blocked = Self.first(in: ground) { $0.upperBound > lower }.map { max(lower, $0.lowerBound) }
        let seam = Self.first(in: seams) { $0 > lower }
        return min(lower + capacity, blocked ?? Self.end, seam ?? Self.end)
    }

    private static func hits(_ ground: [Range<Int>], _ span: Range<Int>) -> Bool {
        (first(in: ground) { $0.upperBound > span.lowerBound }?.lowerBound ?? end) < span.upperBound
    }

    /// The first of sorted elements that is past a place.
    private static func first<Element>(in sorted: [Element], where isPast: (Element) -> Bool) -> Element? {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if isPast(sorted[middle]) { high = middle } else { low = middle + 1 }
        }
        return low < sorted.count ? sorted[low] : nil
    }

    private static func merged(_ ranges: [Range<Int>]) -> [Range<Int>] {
        var merged: [Range<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// What is left of refused ground without the values that lie wholly on it and were not refused themselves: where
    /// many values share an exponent, the span of a refused one covers its neighbours.
    /// - Parameter values: sorted by where they begin.
    private static func without(_ values: [Range<Int>], in range: Range<Int>) -> [Range<Int>] {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle].lowerBound >= range.lowerBound { high = middle } else { low = middle + 1 }
        }
        var left: [Range<Int>] = []
        var cursor = range.lowerBound
        for value in values[low...] {
            guard value.lowerBound < range.upperBound else { break }
            guard value.upperBound <= range.upperBound else { continue }
            if value.lowerBound > cursor { left.append(cursor..<value.lowerBound) }
            cursor = max(cursor, value.upperBound)
        }
        if cursor < range.upperBound { left.append(cursor..<range.upperBound) }
        return left
    }
}
