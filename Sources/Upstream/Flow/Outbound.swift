// What a sink has to send: records of the journal as they are, less what its selection leaves out.

package import GatewayModel
package import Journal

/// Records that follow each other in the log, on their way to a receiver.
package struct OutboundChunk: Sendable {
    package var records: [OutboundRecord]
    /// What the ids in `records` index.
    package var dictionary: JournalDictionary
    /// Part of a backlog that is sent beside current data (`live_first`): newer records of the same tags may have left.
    package var isHistorical: Bool

    package init(records: [OutboundRecord], dictionary: JournalDictionary, isHistorical: Bool = false) {
        self.records = records
        self.dictionary = dictionary
        self.isHistorical = isHistorical
    }
}

/// One batch, alarm or gap with its numbers.
package struct OutboundRecord: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        /// Readings with the numbers `first` + `offsets[i]`; without offsets they follow each other.
        case readings(ReadingBatch, offsets: [UInt32])
        case alarm(AlarmTransition)
        case gap(JournalGap)
    }

    package var first: SequenceNumber
    /// Where the cursor may stand once this record and all before it are settled. At `first` or before the end of the
    /// record when it stands for others that are told later.
    package var next: SequenceNumber
    package var content: Content

    package init(first: SequenceNumber, next: SequenceNumber, content: Content) {
        self.first = first
        self.next = next
        self.content = content
    }

    /// The number of the reading at `index`.
    @inline(__always)
    package func number(ofReading index: Int) -> SequenceNumber {
        guard case .readings(_, let offsets) = content, !offsets.isEmpty else { return first.advanced(by: index) }
        return first.advanced(by: Int(offsets[index]))
    }
}

/// How far a chunk has been packed: the reading at `reading` of the record at `record` is the next.
package struct OutboundPlace: Equatable, Sendable {
    package var record: Int
    package var reading: Int

    package init(record: Int = 0, reading: Int = 0) {
        self.record = record
        self.reading = reading
    }

    /// Steps to the next record.
    package mutating func nextRecord() {
        record += 1
        reading = 0
    }

    /// The number at which the log goes on behind what lies before this place.
    /// - Precondition: the chunk isn't empty.
    package func next(in chunk: OutboundChunk) -> SequenceNumber {
        if reading > 0 { return min(chunk.records[record].number(ofReading: reading), chunk.records[record].next) }
        return record > 0 ? chunk.records[record - 1].next : chunk.records[0].first
    }
}
