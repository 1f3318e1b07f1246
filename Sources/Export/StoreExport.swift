// From the store to a file of another program, a chunk at a time.

package import GatewayModel
package import Journal

/// Which readings: tags by their whole names, times from `from` up to but not including `to`.
package struct ReadingSelection: Sendable {
    package var patterns: [PathPattern]
    package var from: Timestamp
    package var to: Timestamp

    package init(patterns: [String], from: Timestamp, to: Timestamp) {
        self.patterns = patterns.map { PathPattern($0) }
        self.from = from
        self.to = to
    }

    package func selects(_ tag: String) -> Bool { patterns.contains { $0.matches(tag) } }
}

/// What came of an export.
package struct ExportOutcome: Equatable, Sendable {
    package var rows = 0
    package var bytes: Int64 = 0
    /// Numbers in between that lead to no record: what they were can't be known, nor whether they were asked for.
    package var gaps: [JournalGap] = []
}

/// Readings in the order in which they came in. Memory holds a chunk, and what the format holds.
package struct StoreExport {
    private let journal: Journal
    private let selection: ReadingSelection
    /// What the ids of the dictionary met last mean; nil: not selected.
    private var names: (dictionary: JournalDictionary, tags: [(tag: String, unit: String)?])?

    package init(_ journal: Journal, _ selection: ReadingSelection) {
        self.journal = journal
        self.selection = selection
    }

    /// - Parameters:
    ///   - goOn: asked after each chunk; false ends it, with the file in order.
    ///   - write: takes bytes in order.
    package mutating func run(
        _ encoder: any ExportEncoder, goOn: () -> Bool = { true }, write: ([UInt8]) throws -> Void
    ) throws -> ExportOutcome {
        var (encoder, outcome) = (encoder, ExportOutcome())
        var reader = journal.span(from: selection.from, to: selection.to)
        func flush() throws {
            guard !encoder.ready.isEmpty else { return }
            try write(encoder.ready)
            outcome.bytes += Int64(encoder.ready.count)
            encoder.ready.removeAll(keepingCapacity: true)
        }
        while goOn(), let chunk = reader.next() {
            let tags = meanings(of: chunk.dictionary)
            for record in chunk.records {
                switch record {
                case .alarm: break
                case .gap(let gap): if gap.first < journal.recovery.end { outcome.gaps.append(gap) }
                case .readings(_, let batch): append(batch, tags, to: &encoder, &outcome)
                }
            }
            try flush()
        }
        encoder.finish()
        try flush()
        return outcome
    }

    private func append(
        _ batch: ReadingBatch, _ tags: [(tag: String, unit: String)?], to encoder: inout any ExportEncoder,
        _ outcome: inout ExportOutcome
    ) {
        for reading in batch.readings
        where reading.timestamp >= selection.from && reading.timestamp < selection.to {
            guard tags.indices.contains(Int(reading.tag.index)), let name = tags[Int(reading.tag.index)] else {
                continue
            }
            encoder.append(
                ExportRow(
                    timestamp: reading.timestamp, tag: name.tag, unit: name.unit, value: batch.value(of: reading),
                    quality: reading.quality, clock: batch.clock))
            outcome.rows += 1
        }
    }

    private mutating func meanings(of dictionary: JournalDictionary) -> [(tag: String, unit: String)?] {
        if let names, names.dictionary === dictionary { return names.tags }
        let tags = dictionary.table.tags.map { tag in
            let path = dictionary.table.path(of: tag.id)
            return selection.selects(path) ? (path, tag.unit) : nil
        }
        names = (dictionary, tags)
        return tags
    }
}
