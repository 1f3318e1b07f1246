// Finds tags by their path: patterns for who knows what he wants, the nearest name for who mistyped it.

/// A pattern over tag paths: `*` stands for any characters within one level, `**` for any characters at all, and
/// `**/` for any number of whole levels, also for none.
///
/// Matched in time proportional to pattern × path, because the pattern comes from the network.
struct TagPattern {
    /// `levels` stands before `insideLevels`, and is where both may still be passed over.
    private enum Piece: Equatable { case byte(UInt8), withinLevel, anything, levels, insideLevels }
    private var pieces: [Piece] = []

    init(_ pattern: String) {
        for byte in pattern.utf8 {
            if byte != UInt8(ascii: "*") {
                let isLevel = pieces.count == 1 || pieces.dropLast().last == .byte(UInt8(ascii: "/"))
                if byte == UInt8(ascii: "/"), pieces.last == .anything, isLevel {
                    pieces.replaceSubrange((pieces.count - 1)..., with: [.levels, .insideLevels])
                } else {
                    pieces.append(.byte(byte))
                }
            } else if pieces.last == .withinLevel {
                pieces[pieces.count - 1] = .anything
            } else if pieces.last != .anything {
                pieces.append(.withinLevel)
            }
        }
    }

    func matches(_ path: String) -> Bool {
        // reached[n]: the first n pieces match what was read so far.
        var reached = Array(repeating: false, count: pieces.count + 1)
        reached[0] = true
        skipStars(&reached)
        for byte in path.utf8 {
            var next = Array(repeating: false, count: pieces.count + 1)
            for (index, piece) in pieces.enumerated() where reached[index] {
                switch piece {
                case .byte(let wanted): if wanted == byte { next[index + 1] = true }
                case .withinLevel: if byte != UInt8(ascii: "/") { next[index] = true }
                case .anything: next[index] = true
                case .levels: break
                case .insideLevels:
                    next[index] = true
                    if byte == UInt8(ascii: "/") { next[index + 1] = true }
                }
            }
            skipStars(&next)
            reached = next
        }
        return reached[pieces.count]
    }

    /// A star may also stand for nothing.
    private func skipStars(_ reached: inout [Bool]) {
        for (index, piece) in pieces.enumerated() where reached[index] {
            switch piece {
            case .byte, .insideLevels: break
            case .withinLevel, .anything: reached[index + 1] = true
            case .levels: (reached[index + 1], reached[index + 2]) = (true, true)
            }
        }
    }
}

/// The candidate with the fewest edits from a mistyped name; nil when none is near.
func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
    let wanted = Array(name.utf8.prefix(200))
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
        let bound = min(best.map { $0.distance - 1 } ?? .max, max(2, wanted.count / 4))
        guard bound >= 0, abs(candidate.utf8.count - wanted.count) <= bound,
            let distance = editDistance(wanted, Array(candidate.utf8), atMost: bound)
        else { continue }
        best = (candidate, distance)
    }
    return best?.candidate
}

/// Levenshtein's distance, given up as soon as it must exceed the bound.
private func editDistance(_ left: [UInt8], _ right: [UInt8], atMost bound: Int) -> Int? {
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for (column, other) in right.enumerated() {
            let substituted = diagonal + (byte == other ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(substituted, diagonal + 1, row[column] + 1)
        }
        if (row.min() ?? 0) > bound { return nil }
    }
    return row[right.count] <= bound ? row[right.count] : nil
}
