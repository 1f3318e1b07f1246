// The names of a file sink's files: they sort by the numbers of what is in them, and say when a file is whole.

package import GatewayModel

/// `plant-0b5e5f0e-00000000000000001042.csv`: sink, the first eight letters of the stream, the first record's number.
package struct FileNames: Equatable, Sendable {
    /// Being written; somebody who takes files leaves it.
    package static let part = ".part"
    /// Being made of a part; worth nothing.
    package static let temporary = ".tmp"

    private let sink: String
    /// `0b5e5f0e`
    private let stream: String
    /// `.csv`
    private let ending: String

    package init(sink: String, stream: String, ending: String) {
        (self.sink, self.stream, self.ending) = (sink, String(stream.prefix(8)), ending)
    }

    /// The name of a new whole file: one that is not among `present`, whatever was appended to those.
    package func name(from first: SequenceNumber, among present: [String]) -> String {
        let digits = String(first.value)
        let base = "\(sink)-\(stream)-\(String(repeating: "0", count: 20 - digits.count))\(digits)"
        var (name, count) = (base + ending, 1)
        while present.contains(where: { $0.hasPrefix(name) }) {
            count += 1
            name = "\(base)-\(count)\(ending)"
        }
        return name
    }

    /// Ours, whatever format and stream it is of.
    package func isOurs(_ name: String) -> Bool {
        guard name.hasPrefix("\(sink)-") else { return false }
        let parts = name.dropFirst(sink.count + 1).split(separator: "-", maxSplits: 1)
        guard parts.count == 2, parts[0].count == 8, parts[0].allSatisfy(\.isHexDigit) else { return false }
        return parts[1].prefix { $0.isASCII && $0.isNumber }.count == 20
    }

    /// The oldest first: other streams' were before ours.
    package func sorted(_ names: [String]) -> [String] {
        let ours = "\(sink)-\(stream)-"
        return names.sorted { left, right in
            let (isLeft, isRight) = (left.hasPrefix(ours), right.hasPrefix(ours))
            return isLeft == isRight ? left < right : isRight
        }
    }
}
