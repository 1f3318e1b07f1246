// Blocks of readings, from a disk that lied or from nowhere: readings that make a block again, or nothing.

internal import GatewayModel
internal import Series

enum BlockFuzz {
    // libFuzzer has one thread.
    nonisolated(unsafe) private static let columns = BlockColumns()
    nonisolated(unsafe) private static let others = BlockColumns()

    /// With an odd first byte the rest is two blocks, of which the second lends its times.
    static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let rest = Array(input.dropFirst())
        guard first & 1 == 1, rest.count > 2 else { return check(rest, times: nil) }
        let middle = 1 + Int(first) * (rest.count - 1) / 256
        check(Array(rest[..<middle]), times: Array(rest[middle...]))
    }

    private static func check(_ bytes: [UInt8], times: [UInt8]?) {
        guard let header = unsafe BlockDecoder.decode(bytes, times: times, into: columns) else { return }
        precondition((1...BlockFormat.mostReadings).contains(header.count), "BUG: \(header.count) readings")
        var encoder = BlockEncoder()
        let again = unsafe encoder.bytes(of: columns, count: header.count)
        guard let same = unsafe BlockDecoder.decode(again, into: others), same.count == header.count else {
            preconditionFailure("BUG: what was decoded can't be encoded and decoded again")
        }
        let (read, reread) = unsafe (batch(columns, header.count), batch(others, header.count))
        for (one, other) in zip(read.readings, reread.readings) {
            precondition(one.timestamp == other.timestamp && one.quality == other.quality, "BUG: other readings")
            precondition(one.kind == other.kind && (one.kind == .text || one.bits == other.bits), "BUG: other values")
            precondition(read.textBytes(of: one).elementsEqual(reread.textBytes(of: other)), "BUG: other texts")
        }
    }

    private static func batch(_ columns: BlockColumns, _ count: Int) -> ReadingBatch {
        ReadingBatch(device: DeviceID(0), readings: (0..<count).map { columns[$0] }, text: columns.text)
    }
}
