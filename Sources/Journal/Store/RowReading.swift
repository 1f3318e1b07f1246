// Reads the rows of a segment one answer after the other, from a keyframe on.

internal import GatewayModel
internal import Series

/// How far a reader has come in the rows of one segment. A value that can be put down in the middle of a frame and taken
/// up again there.
struct RowReading: Sendable {
    private let dictionary: JournalDictionary
    private var decoder: RowDecoder
    /// The number of the keyframe, and how many readings there have been from it to this frame.
    private var keyframe: UInt64
    private var readings: UInt32
    /// The frame that is being read: its first number, and where its rows go on.
    private var frame: UInt64
    private var offset = 0
    /// The number that comes next.
    private(set) var next: UInt64
    /// An answer that was decoded and not taken.
    private var held: ReadingBatch?

    /// As many readings are decoded at once at most.
    private static let mostReadings = FormatBounds.readingsPerFrame

    private init(_ dictionary: JournalDictionary, keyframe: UInt64) {
        self.dictionary = dictionary
        decoder = RowDecoder(tags: dictionary.table.tags.count)
        (self.keyframe, frame, next, readings) = (keyframe, keyframe, keyframe, 0)
    }

    var table: JournalDictionary { dictionary }

    /// Goes to the beginning of a frame, or stays within it.
    /// - Parameter present: what was read before it in the segment.
    /// - Returns: nil when the frame can't be read: it is no sound one, or one that it builds on is missing.
    static func begin(
        _ scanned: ScannedFrame, _ present: consuming RowReading?, lookUp: (UInt64) -> JournalDictionary?
    ) -> RowReading? {
        guard let start = RowFrame.start(of: scanned) else { return nil }
        let sequence = scanned.header.sequence
        if let present, present.frame == sequence, present.offset > 0 { return present }
        switch start {
        case .keyframe(let generation):
            var reading: RowReading
            if let present, present.dictionary.generation == generation {
                reading = present
                reading.decoder.reset()
                reading.keyframe = sequence
            } else {
                guard let dictionary = lookUp(generation) else { return nil }
                reading = RowReading(dictionary, keyframe: sequence)
            }
            reading.enter(scanned, readings: 0)
            return reading
        case .goesOn(let back, let readings):
            guard var reading = present, reading.keyframe == sequence &- UInt64(back),
                UInt64(reading.readings) + (reading.next - reading.frame) == UInt64(readings)
            else { return nil }
            reading.enter(scanned, readings: readings)
            return reading
        }
    }

    private mutating func enter(_ scanned: ScannedFrame, readings: UInt32) {
        self.readings = readings
        (frame, next) = (scanned.header.sequence, scanned.header.sequence)
        offset = RowFrame.rows(of: scanned).lowerBound - scanned.start
        held = nil
        decoder.beginFrame(at: scanned.header.timestamp)
    }

    /// The next readings of the frame, all of one answer; nil at its end. They stay until they are taken.
    /// - Throws: when the frame holds something else than its header says, or ids that are in no table.
    mutating func peek(_ scanned: ScannedFrame) throws(Damage) -> ReadingBatch? {
        if let held { return held }
        let left = Int(scanned.end &- next)
        guard left > 0 else { return nil }
        var batch = ReadingBatch(device: DeviceID(0))
        var stop: RowDecoder.Stop?
        let end = RowFrame.rows(of: scanned).upperBound
        let from = scanned.start + offset
        batch.readings = unsafe [Reading](unsafeUninitializedCapacity: min(left, Self.mostReadings)) { room, count in
            unsafe scanned.bytes.withUnsafeBytes { raw in
                unsafe stop = decoder.decode(
                    UnsafeRawBufferPointer(rebasing: raw[from..<end]), oneAnswer: true, into: room, text: &batch.text)
            }
            count = stop?.rows ?? 0
        }
        guard let stop, stop.rows > 0, isSound(batch.readings, stop.device) else { throw Damage() }
        batch.device = stop.device
        offset += stop.offset
        held = batch
        return batch
    }

    /// Passes everything that is left of the frame.
    mutating func skip(_ scanned: ScannedFrame) throws(Damage) {
        if let held { take(held.readings.count) }
        let end = RowFrame.rows(of: scanned).upperBound
        var (text, isSound) = ([UInt8](), true)
        unsafe withUnsafeTemporaryAllocation(of: Reading.self, capacity: Self.mostReadings) { room in
            while isSound, next < scanned.end {
                let from = scanned.start + offset
                let count = min(Int(scanned.end - next), Self.mostReadings)
                let stop = unsafe scanned.bytes.withUnsafeBytes { raw in
                    unsafe decoder.decode(
                        UnsafeRawBufferPointer(rebasing: raw[from..<end]), oneAnswer: false,
                        into: UnsafeMutableBufferPointer(rebasing: room[..<count]), text: &text)
                }
                text.removeAll(keepingCapacity: true)
                isSound = (stop?.rows ?? 0) > 0
                next += UInt64(stop?.rows ?? 0)
                offset += stop?.offset ?? 0
            }
        }
        if !isSound { throw Damage() }
    }

    /// The first `count` of the readings that were peeked at are passed.
    mutating func take(_ count: Int) {
        next += UInt64(count)
        if let batch = held, count < batch.readings.count {
            held?.readings.removeFirst(count)
        } else {
            held = nil
        }
    }

    struct Damage: Error {}

    /// Nothing from the disk is believed for its checksum alone: an id out of the table would stop whoever looks it up.
    private func isSound(_ readings: [Reading], _ device: DeviceID) -> Bool {
        let (tags, devices) = (UInt32(dictionary.table.tags.count), UInt32(dictionary.table.devices.count))
        guard UInt32(bitPattern: device.index) < devices else { return false }
        var largest: UInt32 = 0
        for reading in readings { largest = max(largest, UInt32(bitPattern: reading.tag.index)) }
        return largest < tags
    }
}
