// What a sink reads from the journal.

package import GatewayModel

/// Some records in order, all of one dictionary.
package struct JournalChunk: Sendable {
    package var records: [JournalRecord]
    /// Where to go on; equal to where the read began when there is nothing yet.
    package var next: SequenceNumber
    /// What the ids in `records` index.
    package var dictionary: JournalDictionary

    package init(records: [JournalRecord], next: SequenceNumber, dictionary: JournalDictionary) {
        self.records = records
        self.next = next
        self.dictionary = dictionary
    }
}

package enum JournalRecord: Equatable, Sendable {
    /// Readings with the numbers `first`, `first` + 1, …
    case readings(first: SequenceNumber, ReadingBatch)
    case alarm(SequenceNumber, AlarmTransition)
    /// Numbers that lead to no record, said instead of silence.
    case gap(JournalGap)

    /// True when its times were told by a clock that had not been set.
    var isClockUnset: Bool {
        switch self {
        case .readings(_, let batch): batch.clock == .unset
        case .alarm(_, let transition): transition.clock == .unset
        case .gap: false
        }
    }
}

/// Numbers without records, from `first` to `last`, both included.
package struct JournalGap: Equatable, Sendable {
    package enum Reason: UInt8, Sendable, CaseIterable {
        /// The ring came round before this reader did.
        case ringFull = 1
        /// The disk holds bytes there, but not those that were written.
        case corrupt = 2
        /// The disk failed, and RAM could not hold them any longer.
        case diskError = 3
        /// Not given out, or lost with RAM, when the gateway stopped without warning.
        case restart = 4
        /// Older than the store keeps anything.
        case expired = 5

        /// As people and receivers read it; part of every format that tells gaps.
        package var word: String {
            switch self {
            case .ringFull: "ring full"
            case .corrupt: "corrupt"
            case .diskError: "disk error"
            case .restart: "restart"
            case .expired: "expired"
            }
        }
    }

    package var first: SequenceNumber
    package var last: SequenceNumber
    /// How many numbers that are.
    package var count: UInt64
    package var reason: Reason
    package var timestamp: Timestamp

    package init(
        first: SequenceNumber, last: SequenceNumber, count: UInt64, reason: Reason, timestamp: Timestamp
    ) {
        self.first = first
        self.last = last
        self.count = count
        self.reason = reason
        self.timestamp = timestamp
    }

    /// All numbers of `range`.
    init(_ range: Range<UInt64>, reason: Reason, timestamp: Timestamp) {
        self.init(
            first: SequenceNumber(range.lowerBound), last: SequenceNumber(range.upperBound &- 1),
            count: range.upperBound - range.lowerBound, reason: reason, timestamp: timestamp)
    }
}

/// What a sink still has before it.
package struct JournalBacklog: Equatable, Sendable {
    /// Records not acknowledged; numbers that were skipped don't count.
    package var records: UInt64
    /// Time of the oldest of them; nil when there is none, or when it can't be read.
    package var oldest: Timestamp?
    /// Records that were given up before the sink had them, since the start.
    package var missed: UInt64

    package init(records: UInt64, oldest: Timestamp?, missed: UInt64 = 0) {
        self.records = records
        self.oldest = oldest
        self.missed = missed
    }
}
