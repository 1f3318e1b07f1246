// Gorilla (Pelkonen et al., VLDB 2015), to compare with: differences of differences of times, XOR of values.

/// As in the paper, 4.1: times in whole milliseconds as the paper's are in whole seconds, values bit for bit.
enum Gorilla {
    struct Bits {
        private(set) var count = 0
        mutating func put(_ bits: Int) { count += bits }
        var bytes: Int { (count + 7) / 8 }
    }

    /// Bytes of one block. Only the length is needed, so the bits themselves aren't kept.
    static func bytes(times: ArraySlice<Int64>, values: ArraySlice<UInt64>) -> Int {
        (timeBits(times) + valueBits(values) + 7) / 8
    }

    private static func timeBits(_ times: ArraySlice<Int64>) -> Int {
        var bits = Bits()
        bits.put(64)
        var (previous, step) = (times.first.map { $0 / 1_000_000 } ?? 0, Int64(0))
        for time in times.dropFirst() {
            let milliseconds = time / 1_000_000
            let change = milliseconds - previous - step
            (previous, step) = (milliseconds, milliseconds - previous)
            switch change {
            case 0: bits.put(1)
            case -63...64: bits.put(2 + 7)
            case -255...256: bits.put(3 + 9)
            case -2047...2048: bits.put(4 + 12)
            default: bits.put(4 + 32)
            }
        }
        return bits.count
    }

    private static func valueBits(_ values: ArraySlice<UInt64>) -> Int {
        var bits = Bits()
        bits.put(64)
        var previous = values.first ?? 0
        var window: (leading: Int, trailing: Int)?
        for value in values.dropFirst() {
            let difference = value ^ previous
            previous = value
            if difference == 0 {
                bits.put(1)
                continue
            }
            let (leading, trailing) = (min(31, difference.leadingZeroBitCount), difference.trailingZeroBitCount)
            if let held = window, leading >= held.leading, trailing >= held.trailing {
                bits.put(2 + 64 - held.leading - held.trailing)
            } else {
                bits.put(2 + 5 + 6 + 64 - leading - trailing)
                window = (leading, trailing)
            }
        }
        return bits.count
    }
}
