// What the parser complains about, in words that help, at the place where the mistake is.

internal import Yams

extension YAMLFile {
    func report(_ error: YamlError, text: String) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = place(of: mark, in: text)
            if startsWithTab(line: mark.line, in: text) {
                problems.error(place, "a tab indents this line; YAML indents with spaces")
            } else if problem == "found undefined alias" {
                problems.error(
                    place, "aliases (*name) are not part of this format; put text that begins with * in quotes")
            } else {
                problems.error(place, "not YAML: \(problem)\(context.map { " (\($0.text))" } ?? "")")
            }
        case .duplicatedKeysInMapping(let duplicates, let context):
            let first = Place(file, context.mark.line, context.mark.column)
            let key = duplicates.first ?? ""
            if let second = repetition(of: key, after: first, in: text) {
                problems.error(second, "'\(key)' is already set at line \(first.line)")
            } else {
                problems.error(first, "'\(key)' is set twice")
            }
        case .reader(let problem, let offset, _, _):
            problems.error(place(ofCharacter: offset ?? 0, in: text), "not YAML: \(problem)")
        default:
            problems.error(Place(file), "not YAML")
        }
    }

    /// The parser may stand one line behind the end; the end of the last line is meant then.
    private func place(of mark: Mark, in text: String) -> Place {
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard mark.line > lines.count, let last = lines.last else { return Place(file, mark.line, mark.column) }
        return Place(file, lines.count, Substring(last).unicodeScalars.count + 1)
    }

    private func startsWithTab(line: Int, in text: String) -> Bool {
        let lines = text.split(separator: "\n", maxSplits: line, omittingEmptySubsequences: false)
        guard lines.indices.contains(line - 1) else { return false }
        return lines[line - 1].drop { $0 == " " }.first == "\t"
    }

    /// The parser names only the first of two equal keys. In block style the second begins at the same column.
    private func repetition(of key: String, after first: Place, in text: String) -> Place? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated().dropFirst(first.line) {
            let indentation = line.prefix { $0 == " " }.count
            let rest = line.dropFirst(indentation)
            guard indentation == first.column - 1 else { continue }
            if rest.hasPrefix("\(key):") || rest.hasPrefix("\"\(key)\":") || rest.hasPrefix("'\(key)':") {
                return Place(file, index + 1, first.column)
            }
        }
        return nil
    }

    private func place(ofCharacter offset: Int, in text: String) -> Place {
        var place = Place(file)
        for character in text.prefix(offset) {
            if character.isNewline {
                place.line += 1
                place.column = 1
            } else {
                place.column += 1
            }
        }
        return place
    }

    func placeOfControlCharacter(in text: String) -> Place? {
        var place = Place(file)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n":
                place.line += 1
                place.column = 1
                continue
            case "\t", "\r": break
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{84}", "\u{86}"..."\u{9F}": return place
            default: break
            }
            place.column += 1
        }
        return nil
    }

    /// Where the longest valid beginning ends.
    func placeOfBadUTF8(in bytes: [UInt8]) -> Place {
        var place = Place(file)
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        while case .scalarValue(let scalar) = decoder.decode(&iterator) {
            if scalar == "\n" {
                place.line += 1
                place.column = 1
            } else {
                place.column += 1
            }
        }
        return place
    }
}
