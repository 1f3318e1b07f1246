// Rows as a disk may give them: whatever the bytes are, decoding ends, and what it gives can be encoded again.

import GatewayModel
import Series

enum RowFuzz {
    /// The first byte says how many tags are remembered, the next eight when the frame begins; the rest is its rows.
    static func run(_ input: [UInt8]) {
        guard input.count > 9 else { return }
        let tags = Int(input[0] & 31)
        let time = Timestamp(nanoseconds: input[1..<9].reduce(0) { $0 << 8 | Int64($1) })
        var decoder = RowDecoder(tags: tags)
        var encoder = RowEncoder(tags: tags)
        decoder.beginFrame(at: time)
        encoder.beginFrame(at: time)
        var offset = 9
        var sent: [ReadingBatch] = []
        var frame: [UInt8] = []
        while offset < input.count, let batch = next(&decoder, input, &offset) {
            sent.append(batch)
            frame += encoded(batch, &encoder)
        }
        sift(Array(input[9..<offset]), time, tags: tags, sent.flatMap(\.readings))
        // What was found comes back from what we make of it.
        var second = RowDecoder(tags: tags)
        second.beginFrame(at: time)
        offset = 0
        for batch in sent {
            guard let back = next(&second, frame, &offset), back.device == batch.device,
                back.readings.count == batch.readings.count,
                zip(back.readings, batch.readings).allSatisfy({ isSame($0, back, $1, batch) })
            else { preconditionFailure("BUG: a reading came back different") }
        }
    }

    /// Whoever wants some tags only finds the same of them.
    private static func sift(_ rows: [UInt8], _ time: Timestamp, tags: Int, _ all: [Reading]) {
        let wanted = (0..<tags).map { $0 % 3 == 0 }
        var (sifter, text, found) = (RowSifter(wanted: wanted), [UInt8](), [Reading]())
        let isSound = unsafe rows.withUnsafeBytes { raw in
            unsafe sifter.sift(raw, rows: all.count, from: time, text: &text) { _, reading in found.append(reading) }
        }
        let expected = all.filter { wanted.indices.contains(Int($0.tag.index)) && wanted[Int($0.tag.index)] }
        guard isSound,
            found.count == expected.count,
            zip(found, expected).allSatisfy({ one, two in
                one == two || one.kind == .text && two.kind == .text && one.tag == two.tag
            })
        else { preconditionFailure("BUG: the sifter found something else") }
    }

    private static func isSame(_ one: Reading, _ in1: ReadingBatch, _ two: Reading, _ in2: ReadingBatch) -> Bool {
        let isText = one.kind == .text && two.kind == .text
        return isText ? in1.textBytes(of: one) == in2.textBytes(of: two) : one == two
    }

    private static func next(_ decoder: inout RowDecoder, _ bytes: [UInt8], _ offset: inout Int) -> ReadingBatch? {
        var batch = ReadingBatch(device: DeviceID(0))
        var stop: RowDecoder.Stop?
        let from = offset
        batch.readings = unsafe [Reading](unsafeUninitializedCapacity: 64) { room, count in
            unsafe bytes.withUnsafeBytes { raw in
                unsafe stop = decoder.decode(
                    UnsafeRawBufferPointer(rebasing: raw[from...]), oneAnswer: true, into: room, text: &batch.text)
            }
            count = stop?.rows ?? 0
        }
        guard let stop, stop.rows > 0 else { return nil }
        offset += stop.offset
        batch.device = stop.device
        return batch
    }

    private static func encoded(_ batch: ReadingBatch, _ encoder: inout RowEncoder) -> [UInt8] {
        unsafe batch.readings.withUnsafeBufferPointer { rows in
            unsafe batch.text.withUnsafeBytes { text in
                let textBytes = unsafe RowEncoder.textBytes(of: rows, in: text)
                return unsafe [UInt8](
                    unsafeUninitializedCapacity: RowEncoder.capacity(rows: rows.count, textBytes: textBytes)
                ) { room, count in
                    count = unsafe encoder.encode(
                        rows, text: text, device: batch.device, into: UnsafeMutableRawBufferPointer(room))
                }
            }
        }
    }
}
