// "Did you mean …?": the nearest known word to one that isn't.

enum Suggestion {
    /// `; did you mean 'scale'?`, or nothing when no candidate is near.
    static func phrase(for word: String, among candidates: some Sequence<String>) -> String {
        guard let nearest = nearest(to: word, among: candidates) else { return "" }
        return "; did you mean '\(nearest)'?"
    }

    /// The candidate with the fewest edits: at most two, and at most one for words of up to three letters, because
    /// everything is near to a short word.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        var best: (candidate: String, distance: Int)?
        for candidate in candidates where candidate != word {
            let distance = editDistance(word.lowercased(), candidate.lowercased())
            let allowed = min(word.count, candidate.count) <= 3 ? 1 : 2
            if distance <= allowed && distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). Words beyond 64 letters
    /// are no keys of ours: too far.
    static func editDistance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.unicodeScalars), Array(right.unicodeScalars))
        guard left.count <= 64, right.count <= 64 else { return .max }
        guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
        var rows = [Array(0...right.count)]
        for row in 1...left.count {
            var current = [row]
            for column in 1...right.count {
                let cost = left[row - 1] == right[column - 1] ? 0 : 1
                var distance = min(rows[row - 1][column] + 1, current[column - 1] + 1, rows[row - 1][column - 1] + cost)
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    distance = min(distance, rows[row - 2][column - 2] + 1)
                }
                current.append(distance)
            }
            rows.append(current)
        }
        return rows[left.count][right.count]
    }
}

extension Sequence<String> {
    /// `host, mode and port`.
    var listed: String {
        let words = Array(self)
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + last
    }
}
