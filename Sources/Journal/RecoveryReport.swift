// What recovery found, for one line of the log.

package import GatewayModel

package struct RecoveryReport: Equatable, Sendable {
    package var segments = 0
    /// The log holds the numbers from `oldest` up to but not including `end`, and goes on at `resume`.
    package var oldest = SequenceNumber(1)
    package var end = SequenceNumber(1)
    package var resume = SequenceNumber(1)
    /// True when the last run was stopped in order, or there was none.
    package var isClean = true
    /// Numbers in the newest segments that lead to no record. Older segments are found out when they are read.
    package var lost: UInt64 = 0
    /// Bytes among sound frames that belong to none.
    package var damagedBytes = 0
    /// One sentence for each file that can't be used as it is.
    package var setAside: [String] = []
    /// How many of them were written by a newer version.
    package var newerFiles = 0
    /// Why there is no disk; nil when there is one.
    package var trouble: String?
    package var took = Duration.zero

    package init() {}

    package var sentence: String {
        if let trouble { return "The journal has no disk and keeps readings in RAM: \(trouble)." }
        var parts: [String] = []
        if segments == 0 {
            parts.append("The journal is new")
        } else {
            let held = "The journal holds numbers \(oldest.value) to \(end.value - 1) in \(segments) segments"
            parts.append(end > oldest ? held : "The journal is empty")
        }
        parts.append(isClean ? "it goes on at \(resume.value)" : "after an unclean stop it goes on at \(resume.value)")
        if lost > 0 { parts.append("\(lost) numbers are lost") }
        if damagedBytes > 0 { parts.append("\(damagedBytes) bytes are damaged") }
        return (parts + setAside).joined(separator: "; ") + " (\(took.spelledInMilliseconds))."
    }
}

extension Duration {
    fileprivate var spelledInMilliseconds: String { "\(nanoseconds / 1_000_000) ms" }
}
