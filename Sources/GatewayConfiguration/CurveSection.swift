// `table:` of a tag: what some raw numbers mean, as a calibration sheet lists them.

internal import Acquisition

/// Reads the points of a curve.
struct CurveSection {
    let reader: MappingReader
    /// In which the values are written.
    let unit: String
    /// To the unit in which they leave the gateway.
    let convert: (Double) -> Double

    private static let example = "a table of raw numbers and values such as [[0, 0], [4000, 1.5]]"
    private var problems: Problems { reader.problems }

    /// Nil without a table, and when it can't be used.
    func read() -> PiecewiseLine? {
        guard let elements = reader.list("table", Self.example) else { return nil }
        let place = reader.place(of: "table")
        guard (2...PiecewiseLine.mostPoints).contains(elements.count) else {
            let number = elements.count == 1 ? "1 point" : "\(elements.count) points"
            problems.error(place, "a table has 2 to \(PiecewiseLine.mostPoints) points, not \(number)")
            return nil
        }
        let points = elements.map(point)
        var last: Double?
        for (point, element) in zip(points, elements) {
            guard let point else { return nil }
            if let last, point.raw <= last {
                problems.error(
                    element.place,
                    "the raw numbers of a table grow: \(Spelling.plain(point.raw)) comes after \(Spelling.plain(last))")
                return nil
            }
            last = point.raw
        }
        let curve = PiecewiseLine(points.compactMap { $0.map { .init($0.raw, convert($0.value)) } })
        if curve == nil { problems.error(place, "no number can say how steep this table is") }
        return curve
    }

    private func point(_ element: YAMLNode) -> (raw: Double, value: Double)? {
        guard case .list(let pair) = element.content, pair.count == 2 else {
            problems.error(
                element.place, "expected a raw number and its value such as [4000, 1.5], found \(element.found)")
            return nil
        }
        let (raw, value) = (reader.read(pair[0], .number), reader.read(pair[1], .quantity(in: unit)))
        guard let raw, let value else { return nil }
        return (raw, value)
    }
}
