// The same questions to a running gateway's API: what to ask, and what its answers mean. Pure.

internal import GatewayModel
internal import History

/// What a gateway answered is not what its API says.
package struct RemoteAnswerError: Error, Equatable, CustomStringConvertible {
    package var description: String
}

package enum RemoteQuery {
    /// As many rows an answer has at most.
    package static let mostRows = 4096
    /// As many tags an answer lists at most.
    package static let mostTags = 1000

    // MARK: What to ask

    package static func tags(matching pattern: String) -> String {
        "/api/v1/tags?match=\(escaped(pattern))&limit=\(mostTags)"
    }

    package static func series(_ tag: String, _ question: StoreQuestion) -> String {
        var path =
            "/api/v1/series?tag=\(escaped(tag))&from=\(milliseconds(question.from))&to=\(milliseconds(question.to))"
            + "&quality=\(question.filter.rawValue)&px=\(mostRows)"
        guard question.figure != .raw else { return path }
        path += "&step=\(question.step.nanoseconds / 1_000_000)ms&aggregates=\(question.figure.rawValue)"
        if question.figure != .count { path += ",count" }
        if let hold = question.hold { path += "&hold=\(hold.nanoseconds / 1_000_000)ms" }
        return path
    }

    private static func milliseconds(_ moment: Timestamp) -> Int64 { moment.nanoseconds / 1_000_000 }

    /// Everything but letters, digits and `-._~` in percent (RFC 3986, 2.3).
    static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(Character(UnicodeScalar(byte)))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
    }

    // MARK: What it means

    package static func tags(in answer: JSONText) throws(RemoteAnswerError) -> [TagAnswer] {
        guard let tags = answer["tags"]?.elements else {
            throw RemoteAnswerError(description: "no list of tags in the answer")
        }
        return tags.compactMap { tag in
            tag["path"]?.string.map { TagAnswer(tag: $0, unit: tag["unit"]?.string ?? "") }
        }
    }

    package static func answer(
        _ tag: TagAnswer, _ question: StoreQuestion, in answer: JSONText
    ) throws(RemoteAnswerError) -> TagAnswer {
        let column = question.figure == .raw ? "last" : question.figure.rawValue
        guard let times = answer["t"]?.elements, let values = answer[column]?.elements,
            let qualities = answer["q"]?.elements,
            values.count == times.count, qualities.count == times.count
        else { throw RemoteAnswerError(description: "the answer about \(tag.tag) has no columns t, \(column) and q") }
        if question.figure == .raw, case .boolean(false)? = answer["raw"] {
            throw RemoteAnswerError(
                description:
                    "\(tag.tag) has more than \(mostRows) readings in that time: ask for less, or ask the store")
        }
        let counts = answer["count"]?.elements
        var found = TagAnswer(tag: tag.tag, unit: tag.unit)
        for index in times.indices {
            guard let time = times[index].number, let quality = qualities[index].number else { continue }
            let value = Self.value(values[index], isCount: question.figure == .count)
            if question.figure == .raw, value == .none, question.filter != .any { continue }
            let count =
                counts.flatMap { index < $0.count ? $0[index].number : nil } ?? (question.figure == .raw ? 1 : 0)
            found.rows.append(
                AnsweredRow(
                    time: Timestamp(nanoseconds: Int64(time) * 1_000_000), value: value,
                    quality: Self.quality(Int(quality)), count: Int(count)))
        }
        return found
    }

    private static func value(_ value: JSONText, isCount: Bool) -> Value {
        switch value {
        case .string(let text): .text(text)
        case .boolean(let flag): .boolean(flag)
        case .integer(let number): isCount ? .integer(number) : .real(Double(number))
        case .number(let number): .real(number)
        case .null, .array, .object: .none
        }
    }

    /// The API tells the severity alone.
    private static func quality(_ code: Int) -> Quality {
        Quality(rawValue: code == 0 ? 0 : code == 1 ? 0x4000 : 0x8000)
    }
}
