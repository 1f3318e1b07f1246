// A curve of which some points are known, as a calibration sheet lists them: straight lines between them.

/// What a raw number means where no straight line says it: the volume of a lying tank, a thermistor, a valve.
///
/// Beyond its ends the curve says nothing: there it stays at the end's value, and whoever asks is told. Never allocates
/// when it is asked. An immutable value.
package struct PiecewiseLine: Equatable, Sendable {
    package struct Point: Equatable, Sendable, BitwiseCopyable {
        package var raw: Double
        package var value: Double

        package init(_ raw: Double, _ value: Double) {
            self.raw = raw
            self.value = value
        }
    }

    /// A point, and how the line goes on from there.
    private struct Piece: Equatable, Sendable, BitwiseCopyable {
        var raw: Double
        var value: Double
        /// 0 behind the last point.
        var slope: Double
        /// The value at the next point; what rounding puts beyond it is none of the line.
        var next: Double
    }

    /// More is a formula, which belongs into an expression. Found in eight steps.
    package static let mostPoints = 256

    private let pieces: [Piece]

    /// Nil unless there are two points or more, raw numbers grow from one to the next, and no line is steeper than a
    /// `Double` can say.
    package init?(_ points: [Point]) {
        guard points.count >= 2, points.count <= Self.mostPoints else { return nil }
        var pieces: [Piece] = []
        pieces.reserveCapacity(points.count)
        for (point, next) in zip(points, points.dropFirst()) {
            let slope = (next.value - point.value) / (next.raw - point.raw)
            guard point.raw < next.raw, (next.raw - point.raw).isFinite, slope.isFinite, point.value.isFinite else {
                return nil
            }
            pieces.append(Piece(raw: point.raw, value: point.value, slope: slope, next: next.value))
        }
        guard let last = points.last, last.value.isFinite else { return nil }
        pieces.append(Piece(raw: last.raw, value: last.value, slope: 0, next: last.value))
        self.pieces = pieces
    }

    /// The value at a raw number: at a point exactly the point's, between two points never beyond them.
    /// - Parameter raw: finite.
    /// - Returns: the end's value, and false, beyond the ends.
    package func value(of raw: Double) -> (value: Double, isInside: Bool) {
        // The last point that isn't behind `raw`; without branches that a processor would have to guess.
        var (first, count) = (0, pieces.count)
        while count > 1 {
            let half = count / 2
            first = pieces[first + half].raw <= raw ? first + half : first
            count -= half
        }
        let piece = pieces[first]
        guard raw >= piece.raw else { return (piece.value, false) }
        let value = piece.value + (raw - piece.raw) * piece.slope
        let inside = piece.slope < 0 ? max(value, piece.next) : min(value, piece.next)
        return (inside, first < pieces.count - 1 || raw == piece.raw)
    }

    /// A raw number that the curve turns into `value`, for simulation: the first of several, and an end for what lies
    /// beyond them all.
    package func raw(of value: Double) -> Double {
        for (piece, next) in zip(pieces, pieces.dropFirst()) {
            let low = min(piece.value, next.value), high = max(piece.value, next.value)
            guard value >= low, value <= high else { continue }
            if piece.slope == 0 || value == piece.value { return piece.raw }
            if value == next.value { return next.raw }
            return min(max(piece.raw + (value - piece.value) / piece.slope, piece.raw), next.raw)
        }
        return pieces.min { ($0.value - value).magnitude < ($1.value - value).magnitude }?.raw ?? 0
    }
}
