// What a request for a series asks for, or why it can't be answered.

internal import GatewayModel
internal import History
internal import Hummingbird

extension DashboardResponder {
    static let seriesParameters = ["tag", "from", "to", "px", "step", "aggregates", "quality", "hold"]

    func series(_ target: RequestTarget) throws(Refusal) -> [UInt8] {
        try check(target, parameters: Self.seriesParameters)
        let tag = try seriesTag(target)
        let now = source.now()
        let to = try moment(target, "to", now) ?? now
        let from = try moment(target, "from", now) ?? to.advanced(by: .seconds(-600))
        guard from < to else { throw Refusal(status: .badRequest, message: "from must be before to") }
        let pixels = try number(target, "px", SeriesAnswer.pixels) ?? 600
        var answer = SeriesAnswer(tag: tag, from: from, to: to, pixelCount: pixels)
        answer.filter = try word(target, "quality", among: QualityFilter.allCases) ?? .usable
        answer.figures = try figures(target)
        answer.hold = try length(target, "hold")
        answer.step = try length(target, "step")
        if let step = answer.step {
            answer.figures = answer.figures ?? [.min, .max, .mean, .last, .count]
            // Whole steps, and one more because buckets lie on multiples of the step.
            let rows = to.duration(since: from) / step
            guard rows < Double(SeriesAnswer.pixels.upperBound) else {
                throw Refusal(
                    status: .badRequest,
                    message: "step is too short: an answer has at most \(SeriesAnswer.pixels.upperBound) rows")
            }
        }
        if tag.kind == .text, answer.figures != nil {
            throw Refusal(
                status: .badRequest, message: "\(target["tag"] ?? "") is text: it has no figures, only samples")
        }
        return answer.write(source)
    }

    private func seriesTag(_ target: RequestTarget) throws(Refusal) -> TagDescriptor {
        guard let path = target["tag"] else {
            throw Refusal(status: .badRequest, message: "tag is missing: /api/v1/series?tag=area/line/device/name")
        }
        let tags = source.tags()
        if let tag = tags.tags.first(where: { $0.isLive && tags.path(of: $0.id) == path }) { return tag }
        throw Refusal(
            status: .notFound, message: "there is no tag \(path)",
            suggestion: nearest(to: path, among: tags.tags.lazy.filter(\.isLive).map { tags.path(of: $0.id) }))
    }

    private func figures(_ target: RequestTarget) throws(Refusal) -> [SeriesAnswer.Figure]? {
        guard let text = target["aggregates"] else { return nil }
        var figures: [SeriesAnswer.Figure] = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let figure = SeriesAnswer.Figure(rawValue: String(name)) else {
                let names = SeriesAnswer.Figure.allCases.map(\.rawValue)
                throw Refusal(
                    status: .badRequest,
                    message: "aggregates must be some of \(names.joined(separator: ",")), not \(name)",
                    suggestion: nearest(to: String(name), among: names))
            }
            figures.append(figure)
        }
        return figures
    }

    private func word<Word: RawRepresentable>(
        _ target: RequestTarget, _ name: String, among words: [Word]
    ) throws(Refusal) -> Word? where Word.RawValue == String {
        guard let text = target[name] else { return nil }
        if let word = Word(rawValue: text) { return word }
        let names = words.map(\.rawValue)
        throw Refusal(
            status: .badRequest, message: "\(name) must be one of \(names.joined(separator: ", ")), not \(text)",
            suggestion: nearest(to: text, among: names))
    }

    private func length(_ target: RequestTarget, _ name: String) throws(Refusal) -> Duration? {
        guard let text = target[name] else { return nil }
        guard let length = Duration(query: text), length > .zero else {
            throw Refusal(status: .badRequest, message: "\(name) must be a time such as 90s, 10m or 1h, not \(text)")
        }
        return length
    }
}
