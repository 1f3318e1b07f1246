// What is asked of the log by tags and times, and what comes back piece by piece.

package import GatewayModel

/// A tag by its whole name, which holds over reloads and restarts.
package struct TagName: Hashable, Sendable {
    /// The path of its device under the site.
    package var device: String
    package var name: String

    package init(device: String, name: String) {
        self.device = device
        self.name = name
    }
}

extension TagTable {
    package func name(of tag: TagID) -> TagName { TagName(device: self[self[tag].device].path, name: self[tag].name) }
}

/// Readings of some tags with times from `from` up to but not including `to`.
package struct RangeQuery: Sendable {
    package enum Order: Sendable { case oldestFirst, newestFirst }

    package var tags: [TagName]
    package var from: Timestamp
    package var to: Timestamp
    /// Readings of all tags together, at most.
    package var limit: Int
    /// By number: the order in which the readings came in. Times follow it but where the clock was set or a source sent
    /// its own times late.
    package var order: Order
    /// Only what is held together with one of these numbers; nil: everything. Others may be among the readings.
    package var numbers: Range<SequenceNumber>?

    package init(
        tags: [TagName], from: Timestamp, to: Timestamp, limit: Int = .max, order: Order = .oldestFirst
    ) {
        self.tags = tags
        self.from = from
        self.to = to
        self.limit = limit
        self.order = order
    }
}

/// One reading that was asked for.
package struct RangeReading: Equatable, Sendable {
    /// Index into the query's tags.
    package var tag: Int
    package var sequence: SequenceNumber
    package var reading: Reading
    package var clock: ClockState

    package init(tag: Int, sequence: SequenceNumber, reading: Reading, clock: ClockState) {
        self.tag = tag
        self.sequence = sequence
        self.reading = reading
        self.clock = clock
    }
}

/// Some of them, in order; often none, so that whoever asks can change their mind.
package struct RangePiece: Sendable {
    package var readings: [RangeReading] = []
    /// UTF-8 of the text values.
    package var text: [UInt8] = []
    /// Numbers in between that lead to no record any more.
    package var gaps: [JournalGap] = []
    /// Old readings that are kept by tag, and that the disk has damaged.
    package var damage: [RangeDamage] = []

    package func value(of reading: RangeReading) -> Value {
        let batch = ReadingBatch(device: DeviceID(0), text: text)
        return batch.value(of: reading.reading)
    }
}

/// Readings that can't be read any more. Their numbers aren't known: other tags' numbers lie between them.
package struct RangeDamage: Equatable, Sendable {
    /// Index into the query's tags; empty when it isn't known which, and how many.
    package var tags: [Int]
    package var readings: UInt64
    /// All of them lie between these numbers and these times.
    package var first: SequenceNumber
    package var last: SequenceNumber
    package var earliest: Timestamp
    package var latest: Timestamp
}

extension RangePiece {
    mutating func note(_ found: ColumnReader.Damage, of live: LiveColumns, in range: Range<UInt64>) {
        let (earliest, latest) =
            found.readings > 0 ? (found.earliest, found.latest) : (live.part.earliest, live.part.latest)
        damage.append(
            RangeDamage(
                tags: found.tags.sorted(), readings: found.readings, first: SequenceNumber(range.lowerBound),
                last: SequenceNumber(range.upperBound - 1), earliest: earliest, latest: latest))
    }
}
