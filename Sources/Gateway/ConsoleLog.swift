// Log lines on standard error, in the form that the journal of systemd and people both read.

internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
package import Logging

/// Writes one line per message: priority prefix for journald (sd-daemon(3)) or time and level for people, the message,
/// then `key=value` in order. One `write` per line, so that lines of different threads don't mix.
package struct ConsoleLog: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let forJournal: Bool

    /// - Parameter forJournal: true when standard error goes to journald ($JOURNAL_STREAM is set).
    package init(label: String, level: Logger.Level, forJournal: Bool) {
        self.label = label
        logLevel = level
        self.forJournal = forJournal
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line =
            forJournal
            ? "<\(event.level.syslogPriority)>"
            : "\(SystemClock().wall().rfc3339) \(event.level.rawValue.uppercased()) "
        line += event.message.description
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(quoted("\(value)"))" }
        // A line break in a value from outside must not make a second line that looks like ours.
        let bytes = line.utf8.map { $0 < 0x20 ? UInt8(ascii: " ") : $0 } + [UInt8(ascii: "\n")]
        unsafe bytes.withUnsafeBytes { unsafe _ = write(2, $0.baseAddress, $0.count) }
    }

    private func quoted(_ value: String) -> String {
        value.contains { $0 == " " || $0 == "\"" || $0 == "=" }
            ? "\"\(value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "'"))\"" : value
    }
}

extension Logger.Level {
    /// Priorities of syslog(3).
    fileprivate var syslogPriority: Int {
        switch self {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }
}
