// CSV of Documentation/Formats/files.md, byte by byte.

import GatewayModel
import Journal
import Testing

@testable import Upstream

@Suite("CSV of a sink")
struct RecordTableTests {
    @Test("has a line for every record, with its number, and nothing that a reader could take for another")
    func lines() throws {
        let dictionary = try TestJournal().journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1).dictionary
        let time = Timestamp(nanoseconds: 1_795_467_761_000_000_009)
        var batch = ReadingBatch(device: DeviceID(0))
        batch.append(.real(12.5), tag: TagID(0), timestamp: time)
        batch.append(.text("say \"hi\",\r\nx"), tag: TagID(1), timestamp: time)
        batch.append(.text(""), tag: TagID(1), timestamp: time)
        batch.append(.none, tag: TagID(2), timestamp: time, quality: .badTimeout)
        batch.append(.real(.nan), tag: TagID(2), timestamp: Timestamp(nanoseconds: -1))
        batch.append(.integer(-7), tag: TagID(3), timestamp: time, quality: .uncertainLastUsableValue)
        batch.append(.boolean(true), tag: TagID(4), timestamp: time)
        batch.append(.integer(1), tag: TagID(99), timestamp: time)
        batch.clock = .unset
        let alarm = AlarmTransition(
            alarm: "a/b/over", state: .active, priority: .high, device: "a/b", tag: "t", value: 71.8, limit: 70,
            unit: "A", timestamp: time, since: time, message: "high, \"very\"", action: "look")
        let gap = JournalGap(
            first: SequenceNumber(60), last: SequenceNumber(69), count: 10, reason: .corrupt, timestamp: time)
        let records: [JournalRecord] = [
            .readings(first: SequenceNumber(50), batch), .alarm(SequenceNumber(58), alarm), .gap(gap),
        ]
        let chunk = OutboundChunk(
            records: records.compactMap { OutboundReader.cut($0, from: SequenceNumber(0), to: SequenceNumber(.max)) },
            dictionary: dictionary)
        var (table, parcel, place) = (RecordTable(bounds: .file), Parcel(), OutboundPlace())
        #expect(table.fill(&parcel, from: chunk, at: &place) == .added(readings: 8))
        let meter = "stamping/line-2/press-7/meter"
        #expect(
            String(decoding: parcel.bytes, as: UTF8.self)
                == """
                50,reading,2026-11-23T21:02:41.000000009Z,\(meter)/current_l1,12.5,A,Good,unset,\r
                51,reading,2026-11-23T21:02:41.000000009Z,\(meter)/state,"say ""hi"", \nx",,Good,unset,\r
                52,reading,2026-11-23T21:02:41.000000009Z,\(meter)/state,"",,Good,unset,\r
                53,reading,2026-11-23T21:02:41.000000009Z,\(meter)/power,,kW,BadTimeout,unset,\r
                54,reading,1969-12-31T23:59:59.999999999Z,\(meter)/power,,kW,BadDecodingError,unset,\r
                55,reading,2026-11-23T21:02:41.000000009Z,\(meter)/parts,-7,1,UncertainLastUsableValue,unset,\r
                56,reading,2026-11-23T21:02:41.000000009Z,\(meter)/running,true,,Good,unset,\r
                57,reading,2026-11-23T21:02:41.000000009Z,unknown 99,1,,Good,unset,\r
                58,alarm active,2026-11-23T21:02:41.000000009Z,a/b/t,71.8,A,,set,"a/b/over (high): high, ""very""\"\r
                60,gap,2026-11-23T21:02:41.000000009Z,,10,,,set,no records 60 to 69: corrupt\r

                """)
        #expect(parcel.pieces.map(\.first.value) == [50, 51, 52, 53, 54, 55, 56, 57, 58, 60])
        #expect(parcel.pieces.reduce(0) { $0 + Int($1.bytes) } == parcel.bytes.count)
    }
}
