// A question to the store about some tags, answered as buckets or as the readings themselves.

package import GatewayModel
package import History
package import Journal

/// What is asked of each tag.
package struct StoreQuestion: Sendable {
    package enum Figure: String, CaseIterable, Sendable {
        case mean, min, max, first, last, count, integral
        /// No buckets: every reading.
        case raw

        package var aggregates: Aggregates {
            switch self {
            case .mean: .mean
            case .min: .minimum
            case .max: .maximum
            case .first: .first
            case .last: .last
            case .count: .count
            case .integral: .integral
            case .raw: []
            }
        }
    }

    package var from: Timestamp
    package var to: Timestamp
    package var step: Duration
    package var figure: Figure
    package var filter: QualityFilter
    /// For integrals: how long a value holds without a further one; nil: until the next one comes.
    package var hold: Duration?

    package init(
        from: Timestamp, to: Timestamp, step: Duration, figure: Figure, filter: QualityFilter, hold: Duration? = nil
    ) {
        self.from = from
        self.to = to
        self.step = step
        self.figure = figure
        self.filter = filter
        self.hold = hold
    }
}

/// One row of an answer.
package struct AnsweredRow: Equatable, Sendable {
    package var time: Timestamp
    package var value: Value
    /// The reading's, or the worst of the bucket.
    package var quality: Quality
    /// Readings in the bucket that count; 1 for a reading.
    package var count: Int
}

package struct TagAnswer: Equatable, Sendable {
    package var tag: String
    package var unit: String
    /// Units that the tag had before, as far as the store's tables tell. Readings of then are in them.
    package var formerUnits: [String]
    package var rows: [AnsweredRow] = []

    package init(tag: String, unit: String, formerUnits: [String] = [], rows: [AnsweredRow] = []) {
        self.tag = tag
        self.unit = unit
        self.formerUnits = formerUnits
        self.rows = rows
    }
}

/// Answers from a journal that is only read. Readings come in by number and are put in order of time, so all readings
/// that were asked for are in memory for a moment: at most `mostReadings`.
package struct StoreQuery {
    /// 40 bytes each: 200 MB. Past it the question must be smaller; `journal export` has no such limit.
    package static let mostReadings = 5_000_000

    package struct TooMuch: Error, CustomStringConvertible {
        package var description: String {
            "more than \(StoreQuery.mostReadings) readings: ask for less time or fewer tags, or use 'journal export'"
        }
    }

    private let journal: Journal
    private let now: Timestamp

    package init(_ journal: Journal, now: Timestamp) {
        self.journal = journal
        self.now = now
    }

    /// The tags of the store that match, with their units as they were last; by name.
    package func tags(matching patterns: [String]) -> [TagAnswer] {
        let wanted = patterns.map { PathPattern($0) }
        var units: [String: [String]] = [:]
        for table in journal.tables() {
            for tag in table.tags {
                let path = table.path(of: tag.id)
                guard wanted.contains(where: { $0.matches(path) }) else { continue }
                if units[path]?.contains(tag.unit) != true { units[path, default: []].append(tag.unit) }
            }
        }
        return units.sorted { $0.key < $1.key }.map { path, units in
            TagAnswer(tag: path, unit: units.first ?? "", formerUnits: Array(units.dropFirst()))
        }
    }

    /// - Parameter limit: readings of all tags together, at most.
    package func answer(
        _ question: StoreQuestion, tags: [TagAnswer], limit: Int = Self.mostReadings
    ) throws(TooMuch) -> (answers: [TagAnswer], gaps: [JournalGap]) {
        // Buckets are closed at their end, a range of the log is not.
        let end = question.figure == .raw ? question.to : question.to.advanced(by: .nanoseconds(1))
        let names = tags.map { Self.name($0.tag) }
        var (found, texts) = ([[Reading]](repeating: [], count: tags.count), [UInt8]())
        var (gaps, total) = ([JournalGap](), 0)
        var reader = journal.range(RangeQuery(tags: names, from: question.from, to: end))
        while let piece = reader.next() {
            gaps += piece.gaps.filter { $0.first < journal.recovery.end }
            gaps += piece.damage.map { damage in
                JournalGap(
                    first: damage.first, last: damage.last, count: damage.readings, reason: .corrupt,
                    timestamp: damage.latest)
            }
            total += piece.readings.count
            guard total <= limit else { throw TooMuch() }
            for one in piece.readings {
                var reading = one.reading
                if reading.kind == .text { reading.bits += UInt64(texts.count) << 32 }
                found[one.tag].append(reading)
            }
            texts += piece.text
        }
        let answers = tags.indices.map { index in
            var answer = tags[index]
            let readings = Self.ordered(found[index])
            answer.rows =
                question.figure == .raw
                ? raw(readings, texts, question.filter) : buckets(readings, names[index], question)
            return answer
        }
        return (answers, gaps)
    }

    private static func name(_ path: String) -> TagName {
        guard let slash = path.lastIndex(of: "/") else { return TagName(device: "", name: path) }
        return TagName(device: String(path[..<slash]), name: String(path[path.index(after: slash)...]))
    }

    /// By time; of equal times as they came.
    private static func ordered(_ readings: [Reading]) -> [Reading] {
        let isOrdered = zip(readings, readings.dropFirst()).allSatisfy { $0.timestamp <= $1.timestamp }
        guard !isOrdered else { return readings }
        return readings.indices.sorted { (readings[$0].timestamp, $0) < (readings[$1].timestamp, $1) }.map {
            readings[$0]
        }
    }

    private func raw(_ readings: [Reading], _ texts: [UInt8], _ filter: QualityFilter) -> [AnsweredRow] {
        let batch = ReadingBatch(device: DeviceID(0), text: texts)
        return readings.filter { filter.passes($0.quality) }.map { reading in
            AnsweredRow(time: reading.timestamp, value: batch.value(of: reading), quality: reading.quality, count: 1)
        }
    }

    private func buckets(_ readings: [Reading], _ name: TagName, _ question: StoreQuestion) -> [AnsweredRow] {
        var work = ReadingBuckets(
            from: question.from, to: question.to, step: question.step,
            aggregates: [question.figure.aggregates, .count], filter: question.filter, hold: question.hold)
        if question.figure == .integral { work.begin(with: newest(name, before: question.from)) }
        for reading in readings { work.add(reading) }
        return work.finish(now: now).map { bucket in
            AnsweredRow(
                time: bucket.start, value: Self.value(of: question.figure, in: bucket), quality: bucket.worst,
                count: bucket.count)
        }
    }

    private func newest(_ name: TagName, before moment: Timestamp) -> Reading? {
        var reader = journal.range(
            RangeQuery(
                tags: [name], from: Timestamp(nanoseconds: .min), to: moment, limit: 1, order: .newestFirst))
        while let piece = reader.next() {
            if let found = piece.readings.first { return found.reading }
        }
        return nil
    }

    static func value(of figure: StoreQuestion.Figure, in bucket: Bucket) -> Value {
        let number: Double =
            switch figure {
            case .mean: bucket.mean
            case .min: bucket.min
            case .max: bucket.max
            case .first: bucket.first
            case .last: bucket.last
            case .integral: bucket.integral
            case .count, .raw: Double(bucket.count)
            }
        if figure == .count { return .integer(Int64(bucket.count)) }
        return number.isNaN ? .none : .real(number)
    }
}
