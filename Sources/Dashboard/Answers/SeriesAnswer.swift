// The past of one tag as columns, as a chart or a calculation wants it.

internal import GatewayModel
internal import History

/// `/api/v1/series`. Raw samples while there are no more of them than pixels, otherwise the least and the greatest
/// value of each pixel, so that no peak is lost; or the figures that were asked for, of buckets of one width.
struct SeriesAnswer {
    /// Rows of an answer at most, which is more than any screen has pixels.
    static let pixels = 1...4096

    var tag: TagDescriptor
    var from: Timestamp
    var to: Timestamp
    var pixelCount: Int
    var filter = QualityFilter.usable
    /// The figures of each bucket; nil for a chart.
    var figures: [Figure]?
    /// The width of buckets; nil: as many as pixels.
    var step: Duration?
    /// How long a value counts for an integral without a further reading; nil: until the next one.
    var hold: Duration?

    /// A figure of a bucket, by the name that it has in questions and answers.
    enum Figure: String, CaseIterable {
        case min, max, mean, first, last, count, integral

        var aggregates: Aggregates {
            switch self {
            case .min: .minimum
            case .max: .maximum
            case .mean: .mean
            case .first: .first
            case .last: .last
            case .count: .count
            case .integral: .integral
            }
        }
    }

    private struct Row {
        var timestamp: Timestamp
        var min: Double
        var max: Double
        var last: Value
        var quality: Quality
    }

    func write(_ source: DashboardSource) -> [UInt8] {
        var writer = JSONWriter(capacity: 60 * pixelCount + 300)
        writer.object { answer in
            answer.member("tag", source.tags().path(of: tag.id))
            answer.member("unit", tag.unit == "1" ? "" : tag.unit)
            answer.member("from", from)
            answer.member("to", to)
            if let figures {
                write(buckets(source, figures), of: figures, to: &answer)
            } else {
                writeChart(source, to: &answer)
            }
        }
        return writer.bytes
    }

    // MARK: - A chart

    private func writeChart(_ source: DashboardSource, to answer: inout JSONWriter) {
        let isText = tag.kind == .text
        let samples = source.history.range(
            tag.id, from: from, to: to, limit: isText ? Self.pixels.upperBound : pixelCount + 1)
        let isRaw = samples.count <= pixelCount || isText
        let rows = isRaw ? samples.map(row) : chart(source.history)
        answer.member("raw", isRaw)
        // What was in force when the interval began: without it a value that rarely changes would seem unknown.
        answer.key("before")
        if let before = source.history.last(tag.id, before: from).map(row) {
            answer.object {
                $0.member("t", before.timestamp)
                $0.member("last", before.last)
                $0.member("q", before.quality.code)
            }
        } else {
            answer.null()
        }
        answer.member("t", rows) { $0.milliseconds($1.timestamp) }
        answer.member("min", rows) { $0.number($1.min) }
        answer.member("max", rows) { $0.number($1.max) }
        answer.member("last", rows) { $0.value($1.last) }
        answer.member("q", rows) { $0.integer($1.quality.code) }
    }

    private func row(_ sample: HistorySample) -> Row {
        let number = filter.passes(sample.quality) ? sample.value.number : nil
        var last = sample.value
        if case .text = last {} else { last = number.map(Value.real) ?? .none }
        return Row(
            timestamp: sample.timestamp, min: number ?? .nan, max: number ?? .nan, last: last, quality: sample.quality)
    }

    private func chart(_ history: History) -> [Row] {
        history.downsample(tag.id, from: from, to: to, buckets: pixelCount, filter: filter).map { bucket in
            Row(
                timestamp: bucket.start, min: bucket.min, max: bucket.max,
                last: bucket.count > 0 ? .real(bucket.last) : .none, quality: bucket.worst)
        }
    }

    // MARK: - Figures

    private func buckets(_ source: DashboardSource, _ figures: [Figure]) -> [Bucket] {
        let aggregates = Aggregates(figures.map(\.aggregates))
        guard let step else {
            return source.history.downsample(
                tag.id, from: from, to: to, buckets: pixelCount, aggregates: aggregates, filter: filter, hold: hold,
                now: source.now())
        }
        return source.history.downsample(
            [tag.id], from: from, to: to, step: step, aggregates: aggregates, filter: filter, hold: hold,
            now: source.now())[0]
    }

    private func write(_ buckets: [Bucket], of figures: [Figure], to answer: inout JSONWriter) {
        answer.member("raw", false)
        answer.member("quality", filter.rawValue)
        answer.member("t", buckets) { $0.milliseconds($1.start) }
        for figure in Figure.allCases where figures.contains(figure) {
            switch figure {
            case .min: answer.member("min", buckets) { $0.number($1.min) }
            case .max: answer.member("max", buckets) { $0.number($1.max) }
            case .mean: answer.member("mean", buckets) { $0.number($1.mean) }
            case .first: answer.member("first", buckets) { $0.number($1.first) }
            case .last: answer.member("last", buckets) { $0.number($1.last) }
            case .count: answer.member("count", buckets) { $0.integer($1.count) }
            case .integral:
                answer.member("integral", buckets) { $0.number($1.integral) }
                answer.member("time_mean", buckets) { $0.number($1.timeMean) }
                answer.member("coverage", buckets) { $0.number($1.coverage) }
            }
        }
        answer.member("q", buckets) { $0.integer($1.worst.code) }
    }
}

extension Value {
    /// As a chart draws it; nil for text and for none.
    var number: Double? {
        switch self {
        case .boolean(let flag): flag ? 1 : 0
        case .integer(let integer): Double(integer)
        case .real(let real): real.isNaN ? nil : real
        case .none, .text: nil
        }
    }
}

extension Quality {
    /// 0 good, 1 uncertain, 2 bad: as in the upper bits of the OPC UA status code.
    var code: Int {
        switch severity {
        case .good: 0
        case .uncertain: 1
        case .bad: 2
        }
    }
}
