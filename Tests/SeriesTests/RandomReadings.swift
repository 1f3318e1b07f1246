// Readings of every sort, by seed: what plants send, and what nobody ever should.

import GatewayModel
import TestSupport

struct RandomReadings {
    var random: Seeded
    init(seed: UInt64) { random = Seeded(seed: seed) }

    /// Sorts of time and of value; a block is made of one of each.
    static let timeSorts = 9
    static let valueSorts = 16

    mutating func block(count: Int, times timeSort: Int, values valueSort: Int) -> (readings: [Reading], text: [UInt8])
    {
        var text: [UInt8] = []
        let times = times(count, sort: timeSort)
        let values = values(count, sort: valueSort, text: &text)
        return (
            times.indices.map { index in
                Reading(
                    tag: TagID(0), timestamp: Timestamp(nanoseconds: times[index]), kind: values[index].kind,
                    bits: values[index].kind == .none ? 0 : values[index].bits, quality: values[index].quality)
            }, text
        )
    }

    private mutating func times(_ count: Int, sort: Int) -> [Int64] {
        var time = Int64(1_790_000_000_000_000_000) &+ Int64.random(in: 0..<1 << 40, using: &random)
        let step: Int64 = [1, 1000, 1_000_000, 100_000_000, 1_000_000_000, 60_000_000_000].randomElement(
            using: &random)!
        if sort == 1 { time = time / 1_000_000_000 * 1_000_000_000 }
        return (0..<count).map { index in
            switch sort {
            case 0, 1: time &+= step
            case 2: return time + Int64(index) * 1_000_000_000 + Int64.random(in: -2...2, using: &random) * 1_000_000
            case 3: return time + Int64(index) * 1_000_000_000 + Int64.random(in: -80_000...80_000, using: &random)
            case 4: time &+= Int.random(in: 0..<20, using: &random) == 0 ? 7 * step : step
            case 5: time &+= Int64.random(in: 0..<1 << 36, using: &random)
            // A clock that is set back and forth.
            case 6: time &+= Int.random(in: 0..<30, using: &random) == 0 ? -3600 * step : step
            case 7: time = Int64(bitPattern: random.next())
            default: break
            }
            return time
        }
    }

    private typealias Drawn = (kind: ValueKind, bits: UInt64, quality: Quality)

    private mutating func values(_ count: Int, sort: Int, text: inout [UInt8]) -> [Drawn] {
        var walk = Int64.random(in: -5000...5000, using: &random)
        var real = Double.random(in: -100...100, using: &random)
        return (0..<count).map { index in
            let draw = random.next()
            switch sort {
            case 0:
                walk += draw & 7 < 2 ? (draw & 8 == 0 ? 1 : -1) : 0
                return drawn(Double(walk) / 10)
            case 1: return drawn(Double(walk + Int64(draw % 17)) / 100)
            case 2:
                walk += Int64(draw & 3)
                return drawn(Double(walk) * 0.1)
            case 3:
                real += Double(Int64(draw % 200) - 100) * 1e-4
                return drawn(Double(Float(real)))
            case 4:
                real += Double(Int64(draw % 2000) - 1000) * 1e-7
                return drawn(real)
            case 5: return (.boolean, draw & 511 == 0 ? 1 : 0, .good)
            case 6: return (.boolean, draw & 1, .good)
            case 7:
                walk += Int64(draw & 3)
                return (.integer, UInt64(bitPattern: walk), .good)
            case 8: return (.integer, draw, .good)
            case 9: return drawn(12.5)
            case 10:
                // Bad now and then, for a while.
                return index / 40 % 5 == 3 ? (.none, 0, .badTimeout) : drawn(Double(walk + Int64(draw & 1)) / 10)
            case 11:
                return (
                    [ValueKind.none, .boolean, .integer, .real][Int(draw & 3)], draw,
                    Quality(rawValue: UInt16(draw & 0xFFFF))
                )
            case 12: return drawn(Self.oddities[Int(draw % UInt64(Self.oddities.count))])
            case 13: return draw & 63 == 0 ? drawn(Double(bitPattern: draw)) : drawn(Double(walk) * 0.001)
            case 14: return texts(draw, &text, hasOthers: false)
            default: return texts(draw, &text, hasOthers: true)
            }
        }
    }

    private func drawn(_ number: Double) -> Drawn { (.real, number.bitPattern, .good) }

    private func texts(_ draw: UInt64, _ text: inout [UInt8], hasOthers: Bool) -> Drawn {
        if hasOthers && draw & 7 == 0 { return (.real, draw, .uncertainLastUsableValue) }
        if hasOthers && draw & 7 == 1 { return (.none, 0, .badNoCommunication) }
        let words = ["IDLE", "läuft", "", "ERROR 17"][Int(draw >> 8 & 3)].utf8
        text += words
        return (.text, UInt64(text.count - words.count) << 32 | UInt64(words.count), .good)
    }

    /// Zeros of both signs, the ends of the range, quiet and signalling NaN with payloads.
    static let oddities: [Double] = [
        0, -0.0, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .nan,
        Double(bitPattern: 0x7FF8_0000_DEAD_BEEF), Double(bitPattern: 0xFFF0_0000_0000_0001), 1e15,
        9_007_199_254_740_994,
    ]
}
