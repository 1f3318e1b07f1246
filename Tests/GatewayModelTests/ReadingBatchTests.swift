// Batches: flat rows, and the text beside them.

import GatewayModel
import Testing

@Suite("Reading batches") struct ReadingBatchTests {
    private static let values: [Value] = [
        .none, .boolean(true), .boolean(false), .integer(-1), .integer(.min), .integer(.max), .real(0.1),
        .real(-.infinity),
        .text(""), .text("Grüße"), .text("日本"), .text("end"),
    ]

    @Test("Every value comes out of a batch as it went in")
    func values() {
        var batch = ReadingBatch(device: DeviceID(3))
        for value in Self.values { batch.append(value, tag: TagID(1), timestamp: Timestamp(nanoseconds: 2)) }
        #expect(batch.readings.map { batch.value(of: $0) } == Self.values)
        #expect(batch.text == Array("Grüße日本end".utf8))
    }

    @Test("A reading takes 24 bytes")
    func layout() { #expect(MemoryLayout<Reading>.stride == 24) }

    @Test("A number is a number, whatever its kind; text and nothing have none")
    func numbers() {
        var batch = ReadingBatch(device: DeviceID(0))
        for value in [Value.integer(-7), .boolean(true), .real(2.5), .text("8"), .none] {
            batch.append(value, tag: TagID(0), timestamp: Timestamp(nanoseconds: 0))
        }
        #expect(batch.readings.map(\.number) == [-7, 1, 2.5, nil, nil])
    }

    @Test(
        "Text that points outside the batch is empty, not a crash",
        arguments: [(UInt64(0), UInt64(4)), (4, 0), (3, 1), (1, 3), (0xFFFF_FFFF, 0xFFFF_FFFF)])
    func wildText(offset: UInt64, length: UInt64) {
        let bits = offset << 32 | length
        let reading = Reading(tag: TagID(0), timestamp: Timestamp(nanoseconds: 0), kind: .text, bits: bits)
        let batch = ReadingBatch(device: DeviceID(0), readings: [reading], text: Array("abc".utf8))
        #expect(batch.value(of: reading) == .text(""))
    }

    @Test("A number asked for its text has none")
    func textOfNumber() {
        let reading = Reading(tag: TagID(0), timestamp: Timestamp(nanoseconds: 0), kind: .integer, bits: 3)
        #expect(ReadingBatch(device: DeviceID(0), readings: [reading], text: [1, 2, 3]).textBytes(of: reading).isEmpty)
    }

    @Test("An unreadable tag has no value and says why")
    func unreadable() {
        let reading = Reading(unreadable: TagID(4), timestamp: Timestamp(nanoseconds: 1), quality: .badTimeout)
        #expect(reading.kind == .none && reading.quality == .badTimeout && reading.number == nil)
    }

    @Test(
        "A whole number is written without a fraction",
        arguments: [
            (.real(3), "3"), (.real(2.5), "2.5"), (.real(1e20), "1e+20"), (.boolean(true), "true"), (.none, "-"),
        ] as [(Value, String)])
    func description(value: Value, expected: String) { #expect("\(value)" == expected) }
}
