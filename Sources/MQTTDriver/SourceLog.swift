// One log line per kind of trouble and minute, with the count since the last.

internal import GatewayPlatform
internal import Logging
internal import MQTTLink

/// The throttles of one source, one for each kind of trouble.
struct SourceLog {
    enum Kind: Int, CaseIterable {
        case link, refusal, unknownTopic, overLimit, gap, tooLarge, notJSON, missingField, typeMismatch, badTime
    }

    private var throttles = [LogThrottle](repeating: LogThrottle(), count: Kind.allCases.count)

    /// - Parameter detail: the topic or the reason of this occurrence; earlier ones are only counted.
    mutating func line(
        _ kind: Kind, at now: MonotonicTime, _ logger: Logger, source: String, _ message: @autoclosure () -> String,
        _ detail: @autoclosure () -> String
    ) {
        guard let count = throttles[kind.rawValue].record(at: now) else { return }
        logger.warning(
            "\(message())", metadata: ["source": "\(source)", "detail": "\(detail())", "count": "\(count)"])
    }
}
