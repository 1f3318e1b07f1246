// Lines of Documentation/Formats/line-protocol.md, byte by byte.

import GatewayModel
import Journal
import Testing

@testable import Upstream

@Suite("Line protocol of a sink")
struct LineEncoderTests {
    private static let time = Timestamp(nanoseconds: 1_795_467_761_123_456_789)
    private static let series =
        "lineside,area=stamping,cell=press-7,device=meter,enterprise=acme,line=line-2,site=lyon"

    private let dictionary: JournalDictionary

    init() throws {
        dictionary = try TestJournal().journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1).dictionary
    }

    private func batch(_ values: [(Int, Value, Quality)], device: Int = 0, at time: Timestamp = time) -> ReadingBatch {
        var batch = ReadingBatch(device: DeviceID(device))
        for (tag, value, quality) in values { batch.append(value, tag: TagID(tag), timestamp: time, quality: quality) }
        return batch
    }

    private func chunk(_ records: [JournalRecord], isHistorical: Bool = false) -> OutboundChunk {
        OutboundChunk(
            records: records.compactMap { OutboundReader.cut($0, from: SequenceNumber(0), to: SequenceNumber(.max)) },
            dictionary: dictionary, isHistorical: isHistorical)
    }

    private func lines(_ encoder: inout LineEncoder, _ chunk: OutboundChunk) -> [String] {
        var (parcel, place) = (Parcel(), OutboundPlace())
        while place.record < chunk.records.count { _ = encoder.fill(&parcel, from: chunk, at: &place) }
        return String(decoding: parcel.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func encoder(_ bounds: ParcelBounds = .init(pieces: 5000, bytes: 1 << 20)) -> LineEncoder {
        LineEncoder(bounds: bounds)
    }

    @Test("has one line for the readings of a batch that share a time, each with its kind of field")
    func kinds() {
        var encoder = encoder()
        let first = batch([
            (0, .real(12.5), .good), (1, .text("say \"hi\" \\, a=b\n#x y=1 5"), .good), (2, .none, .badTimeout),
            (3, .integer(-7), .uncertainLastUsableValue), (4, .boolean(true), .good),
        ])
        _ = lines(&encoder, chunk([.readings(first: SequenceNumber(1), batch((0..<5).map { ($0, .none, .good) }))]))
        #expect(
            lines(&encoder, chunk([.readings(first: SequenceNumber(10), first)])) == [
                Self.series + " current_l1=12.5,state=\"say \\\"hi\\\" \\\\, a=b #x y=1 5\""
                    + ",power_quality=2148139008i,parts=-7i,parts_quality=1083179008i,running=true 1795467761123456789"
            ])
    }

    @Test(
        "never holds a number that was not read",
        arguments: [Value.real(.nan), .real(.infinity), .real(-.infinity), .none])
    func notANumber(value: Value) {
        var encoder = encoder()
        let found = lines(
            &encoder, chunk([.readings(first: SequenceNumber(1), batch([(0, value, .badDecodingError)]))]))
        #expect(found == [Self.series + " current_l1_quality=2147942400i 1795467761123456789"])
    }

    @Test("tells the quality while it is not good, and once when it is good again")
    func quality() {
        var encoder = encoder()
        func found(_ value: Value, _ quality: Quality, isHistorical: Bool = false) -> String {
            lines(
                &encoder,
                chunk(
                    [.readings(first: SequenceNumber(1), batch([(3, value, quality)]))], isHistorical: isHistorical)
            ).joined().replacing(Self.series, with: "").replacing(" 1795467761123456789", with: "")
        }
        #expect(found(.integer(1), .good) == " parts=1i,parts_quality=0i", "the first of a connection")
        #expect(found(.integer(2), .good) == " parts=2i")
        #expect(found(.none, .badTimeout) == " parts_quality=2148139008i")
        #expect(found(.none, .badTimeout) == " parts_quality=2148139008i")
        #expect(found(.integer(0), .good, isHistorical: true) == " parts=0i,parts_quality=0i", "a series of its own")
        #expect(found(.integer(3), .good) == " parts=3i,parts_quality=0i")
        #expect(found(.integer(4), .good) == " parts=4i")
        encoder.beginAgain()
        #expect(found(.integer(4), .good) == " parts=4i,parts_quality=0i", "what was told may not have arrived")
    }

    @Test("begins another line with another time, and marks a clock that was not set")
    func times() {
        var encoder = encoder()
        var mixed = batch([(3, .integer(1), .good)])
        mixed.append(.integer(2), tag: TagID(3), timestamp: Timestamp(nanoseconds: -5))
        mixed.clock = .unset
        #expect(
            lines(&encoder, chunk([.readings(first: SequenceNumber(1), mixed)])) == [
                Self.series + " parts=1i,parts_quality=0i,clock=1i 1795467761123456789",
                Self.series + " parts=2i,clock=1i -5",
            ])
    }

    @Test("is cut at the bounds and goes on at the very next reading; pieces name their records")
    func bounds() {
        var encoder = encoder(ParcelBounds(pieces: 2, bytes: 1 << 20))
        var long = ReadingBatch(device: DeviceID(1))
        for index in 0..<5 {
            long.append(.integer(Int64(index)), tag: TagID(5), timestamp: Timestamp(nanoseconds: Int64(index)))
        }
        let chunk = chunk([.readings(first: SequenceNumber(100), long)])
        var (place, found) = (OutboundPlace(), [[UInt64]]())
        while place.record < chunk.records.count {
            var parcel = Parcel()
            let filling = encoder.fill(&parcel, from: chunk, at: &place)
            #expect(filling == .added(readings: parcel.pieces.count))
            found.append(parcel.pieces.map(\.first.value))
            #expect(parcel.pieces.allSatisfy { $0.first == $0.last && $0.records == 1 })
            #expect(parcel.pieces.reduce(0) { $0 + Int($1.bytes) } == parcel.bytes.count)
        }
        #expect(found == [[100, 101], [102, 103], [104]])
    }

    @Test("stops before records of a device that nobody knows, and says so when they come first")
    func unknownDevice() {
        var encoder = encoder()
        let chunk = chunk([
            .readings(first: SequenceNumber(1), batch([(0, .real(1), .good)])),
            .readings(first: SequenceNumber(2), batch([(0, .real(1), .good)], device: 9)),
        ])
        var (parcel, place) = (Parcel(), OutboundPlace())
        #expect(encoder.fill(&parcel, from: chunk, at: &place) == .added(readings: 1))
        #expect(place == OutboundPlace(record: 1))
        #expect(encoder.fill(&parcel, from: chunk, at: &place) == .flawed("batch of an unknown device"))
        #expect(place == OutboundPlace(record: 2) && parcel.pieces.count == 1)
    }

    @Test("keeps the numbers of a tag that nobody knows any more")
    func unknownTag() {
        var encoder = encoder()
        let found = lines(&encoder, chunk([.readings(first: SequenceNumber(1), batch([(77, .integer(5), .good)]))]))
        #expect(found == [Self.series + " unknown_77=5i,unknown_77_quality=0i 1795467761123456789"])
    }

    @Test("tells alarms and gaps under measurements of their own")
    func alarmsAndGaps() {
        var encoder = encoder()
        let alarm = AlarmTransition(
            alarm: "stamping/line-2/press-7/meter/over current", state: .active, priority: .high,
            device: "stamping/line-2/press-7/meter", tag: "current_l1", value: 71.8, limit: .nan, unit: "A",
            timestamp: Self.time, since: Timestamp(nanoseconds: 5), message: "71.8 A, \"high\"", action: "")
        let gap = JournalGap(
            first: SequenceNumber(7), last: SequenceNumber(9), count: 3, reason: .ringFull, timestamp: Self.time)
        #expect(
            lines(&encoder, chunk([.alarm(SequenceNumber(6), alarm), .gap(gap)])) == [
                "lineside_alarm" + Self.series.dropFirst("lineside".count)
                    + ",alarm=stamping/line-2/press-7/meter/over\\ current,tag=current_l1 active=1i,priority=2i"
                    + ",value=71.8,unit=\"A\",message=\"71.8 A, \\\"high\\\"\",since=5i 1795467761123456789",
                "lineside_gap,enterprise=acme,site=lyon,reason=ring\\ full first=7i,last=9i,count=3i"
                    + " 1795467761123456789",
            ])
    }
}
