// Which type, word order, scale and neighbour gives the number on the device's display. Pure.

package import ModbusDriver

/// One reading of the registers that gives the expected value.
package struct DecodeCandidate: Equatable, Sendable {
    package var address: RegisterAddress
    /// -1, 0 or 1: how far from the address that was asked for.
    package var offset: Int
    package var type: RegisterType
    package var order: WordOrder
    package var scale: Double
    package var words: [UInt16]
    package var raw: String
    package var value: Double
    /// Types that read these registers as the same number.
    package var alsoTypes: [RegisterType]
    /// The lower, the likelier.
    package var penalty: Double

    /// A tag's line for a profile with `addressing: protocol-0`.
    package var line: String {
        var keys = ["at: \"\(address)\"", "type: \(type.rawValue)"]
        if type.words > 1 { keys.append("order: \(order.rawValue)") }
        if scale != 1 { keys.append("scale: \(Spelled.short(scale, digits: 9))") }
        return "{ \(keys.joined(separator: ", ")) }"
    }
}

/// Tries all readings of a few registers.
package struct DecodeDetective: Sendable {
    /// What has been read: consecutive registers, the first at `first`.
    package struct Window: Equatable, Sendable {
        package var first: Int
        package var words: [UInt16]
        package init(first: Int, words: [UInt16]) {
            self.first = first
            self.words = words
        }
        func words(at address: Int, count: Int) -> [UInt16]? {
            guard address >= first, address + count <= first + words.count else { return nil }
            return Array(words[address - first..<address - first + count])
        }
    }

    private let table: RegisterTable
    private let address: Int
    private let windows: [Window]

    package init(at address: RegisterAddress, windows: [Window]) {
        table = address.table
        self.address = Int(address.address)
        self.windows = windows
    }

    /// Types in the order in which devices use them, with what that costs a candidate.
    package static let types: [(type: RegisterType, penalty: Double)] = [
        (.u16, 0), (.f32, 0), (.i16, 0.5), (.u32, 1), (.i32, 1.5), (.u64, 3), (.i64, 3), (.f64, 3), (.bcd16, 5),
        (.bcd32, 5.5), (.f16, 6),
    ]

    /// Manuals that count from 1 are many, those that are one short are few.
    static func penalty(ofOffset offset: Int) -> Double { offset == 0 ? 0 : offset < 0 ? 1.6 : 2.6 }

    static func penalty(of order: WordOrder) -> Double {
        switch order {
        case .abcd: 0
        case .cdab: 1
        case .dcba: 3
        case .badc: 3.5
        default: 5
        }
    }

    /// Scales that vendors use: powers of ten first, then steps, fixed point and the full scales of converters.
    package static let scales: [(scale: Double, penalty: Double)] = [
        (1, 0), (0.1, 1), (0.01, 1.2), (0.001, 1.8), (10, 2.5), (100, 3.5), (1000, 2.8), (0.5, 5), (0.2, 5.5),
        (0.05, 5.5), (0.02, 6), (0.005, 6.5), (0.002, 6.5), (0.25, 6.5), (1.0 / 16, 7), (1.0 / 256, 7),
        (1.0 / 65536, 7), (100.0 / 27648, 7), (1.0 / 32768, 7.5), (100.0 / 4095, 8), (100.0 / 16384, 8),
    ]

    /// Everything that gives the expected value, the likeliest first.
    package func candidates(for expected: Expectation) -> [DecodeCandidate] {
        var found: [DecodeCandidate] = []
        for offset in [0, 1, -1] {
            guard let start = UInt16(exactly: address + offset) else { continue }
            for (type, typePenalty) in Self.types {
                guard let words = words(at: Int(start), count: type.words) else { continue }
                // One register has no order of words.
                let orders = type.words == 1 ? [.abcd] : WordOrder.distinct(words: type.words)
                for order in orders {
                    guard let raw = RegisterValue.number(words, type: type, order: order) else { continue }
                    let number = raw.asNumber
                    guard number.isFinite else { continue }
                    for (scale, scalePenalty) in Self.scales {
                        let value = Self.scaled(number, by: scale)
                        guard expected.contains(value) else { continue }
                        // A real number is seldom scaled, and where it is, by whole thousands.
                        let isOdd = type.isReal && scale != 1 && scale != 0.001 && scale != 1000
                        let distance = (value - expected.value).magnitude / expected.tolerance
                        let penalty =
                            Self.penalty(ofOffset: offset) + typePenalty + Self.penalty(of: order) + scalePenalty
                            + (isOdd ? 4 : 0) + distance * 0.4
                        found.append(
                            DecodeCandidate(
                                address: RegisterAddress(table, start), offset: offset, type: type, order: order,
                                scale: scale, words: words, raw: raw.spelled, value: value, alsoTypes: [],
                                penalty: penalty))
                    }
                }
            }
        }
        return grouped(found.sorted { $0.penalty < $1.penalty })
    }

    /// Joins what differs only by type (u16 and i16 of 231 are the same), the likeliest type first.
    private func grouped(_ sorted: [DecodeCandidate]) -> [DecodeCandidate] {
        var groups: [DecodeCandidate] = []
        for candidate in sorted {
            let index = groups.firstIndex {
                $0.offset == candidate.offset && $0.order == candidate.order && $0.scale == candidate.scale
                    && $0.value == candidate.value && $0.words.count == candidate.words.count
                    && $0.type.isReal == candidate.type.isReal
            }
            if let index { groups[index].alsoTypes.append(candidate.type) } else { groups.append(candidate) }
        }
        return groups
    }

    private func words(at address: Int, count: Int) -> [UInt16]? {
        windows.lazy.compactMap { $0.words(at: address, count: count) }.first
    }

    /// 2310 × 0.1 is 231 here, which it is not in binary.
    static func scaled(_ number: Double, by scale: Double) -> Double {
        let inverse = (1 / scale).rounded()
        return scale < 1 && (inverse * scale - 1).magnitude < 1e-12 ? number / inverse : number * scale
    }
}
