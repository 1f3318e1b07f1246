// The past of one tag as columns, as a chart wants it.

internal import GatewayModel
internal import History

/// `/api/v1/series`. Raw samples while there are no more of them than pixels, otherwise the least and the greatest
/// value of each pixel, so that no peak is lost.
struct SeriesAnswer {
    /// The slots that the history has, which is also more than any screen has pixels.
    static let pixels = 1...4096

    var tag: TagDescriptor
    var from: Timestamp
    var to: Timestamp
    var pixelCount: Int

    private struct Row {
        var timestamp: Timestamp
        var min: Double
        var max: Double
        var last: Value
        var quality: Quality
    }

    func write(_ source: DashboardSource) -> [UInt8] {
        let tags = source.tags()
        let samples = source.history.range(tag.id, from: from, to: to)
        let isRaw = samples.count <= pixelCount || tag.kind == .text
        let rows = isRaw ? samples.map(row) : buckets(source.history)
        let before = source.history.last(tag.id, before: from)
        var writer = JSONWriter(capacity: 60 * rows.count + 300)
        writer.object { answer in
            answer.member("tag", tags.path(of: tag.id))
            answer.member("unit", tag.unit == "1" ? "" : tag.unit)
            answer.member("from", from)
            answer.member("to", to)
            answer.member("raw", isRaw)
            // What was in force when the interval began: without it a value that rarely changes would seem unknown.
            answer.key("before")
            if let before = before.map(row) {
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
        return writer.bytes
    }

    private func row(_ sample: HistorySample) -> Row {
        let number = sample.quality.isBad ? nil : sample.value.number
        var last = sample.value
        if case .text = last {} else { last = number.map(Value.real) ?? .none }
        return Row(
            timestamp: sample.timestamp, min: number ?? .nan, max: number ?? .nan, last: last, quality: sample.quality)
    }

    private func buckets(_ history: History) -> [Row] {
        history.downsample(tag.id, from: from, to: to, buckets: pixelCount).map { bucket in
            Row(
                timestamp: bucket.start, min: bucket.min, max: bucket.max,
                last: bucket.count > 0 ? .real(bucket.last) : .none, quality: bucket.worst)
        }
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
