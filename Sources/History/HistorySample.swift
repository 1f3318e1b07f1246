// What the history answers with: samples for people, readings for programs, and where RAM begins.

package import GatewayModel
internal import Series

/// What a tag was at one moment. The value is none when the quality is bad.
package struct HistorySample: Equatable, Sendable {
    package var timestamp: Timestamp
    package var value: Value
    package var quality: Quality

    package init(timestamp: Timestamp, value: Value, quality: Quality) {
        self.timestamp = timestamp
        self.value = value
        self.quality = quality
    }

    init(time: Int64, bits: UInt64, state: UInt32) {
        self.init(
            Reading(
                tag: TagID(0), timestamp: Timestamp(nanoseconds: time), kind: BlockColumns.kind(of: state), bits: bits,
                quality: BlockColumns.quality(of: state)), text: [])
    }

    init(_ reading: Reading, text: some Collection<UInt8>) {
        timestamp = reading.timestamp
        quality = reading.quality
        value =
            switch reading.kind {
            case .none: .none
            case .boolean: .boolean(reading.bits != 0)
            case .integer: .integer(Int64(bitPattern: reading.bits))
            case .real: .real(Double(bitPattern: reading.bits))
            case .text: .text(String(decoding: text, as: UTF8.self))
            }
    }
}

/// A tag whose newest sample has changed, with the newest sample that had a value.
package struct HistoryChange: Equatable, Sendable {
    package var tag: TagID
    package var last: HistorySample
    package var lastUsable: HistorySample?
}

/// From which end a query goes, and so which readings a limit keeps.
package enum HistoryOrder: Sendable { case oldestFirst, newestFirst }

/// Where RAM begins for one tag. Whoever asks the journal for what is older takes the tag's readings with numbers below
/// `sequence`, and has neither a gap nor a reading twice, whatever clocks did.
package struct HistoryEdge: Equatable, Sendable {
    /// The number of the oldest reading in RAM; nil when it came without one.
    package var sequence: SequenceNumber?
    /// The earliest time of the oldest piece in RAM. Exact as a border only if the tag's readings came in order.
    package var timestamp: Timestamp
}

/// The readings of one tag that a query found.
package struct HistoryReadings: Equatable, Sendable {
    package var readings: [Reading] = []
    /// What text readings point into.
    package var text: [UInt8] = []
    /// As it was when the readings were taken; nil when RAM had none of this tag.
    package var edge: HistoryEdge?

    package var samples: [HistorySample] {
        let batch = ReadingBatch(device: DeviceID(0), readings: [], text: text)
        return readings.map { HistorySample($0, text: batch.textBytes(of: $0)) }
    }
}
