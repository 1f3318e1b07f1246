// Topics that fit an opening and have no device yet, and what they said meanwhile.

internal import GatewayModel
internal import MQTTLink

/// Notes new topics within the limits of their openings, and keeps their messages until they have a device.
struct Findings: Sendable {
    private struct Held: Sendable {
        var topic: Range<Int>
        var payload: Range<Int>
        var arrival: Timestamp
    }

    /// Messages and bytes kept of topics without a device: a second of a thousand new sensors. The rest is counted only.
    private static let most = (messages: 1000, bytes: 1 << 20)

    private let openings: [(pattern: TopicPattern, plan: MQTTOpeningPlan)]
    private let source: String
    /// Of each opening.
    private var counts: [Int]
    private var noted: Set<String> = []
    /// What the owner takes and tells.
    var news: [FoundTopic] = []
    private var held: [Held] = []
    private var bytes: [UInt8] = []

    init(_ plan: MQTTSourcePlan) {
        source = plan.name
        openings = plan.openings.map { (TopicPattern($0.topic), $0) }
        counts = openings.map { opening in plan.subscriptions.count { $0.isDiscovered && $0.filter == opening.plan.filter } }
    }

    enum Verdict { case noted, noOpening, refused, overLimit }

    mutating func take(_ message: IncomingMessage, _ all: [UInt8], arrival: Timestamp) -> Verdict {
        let topic = all[message.topic]
        guard let index = openings.firstIndex(where: { $0.pattern.matches(topic) }) else { return .noOpening }
        let name = String(decoding: topic, as: UTF8.self)
        if !noted.contains(name) {
            guard counts[index] < openings[index].plan.limit else { return .overLimit }
            guard openings[index].plan.path(of: name) != nil else { return .refused }
            counts[index] += 1
            noted.insert(name)
            news.append(FoundTopic(source: source, topic: name))
        }
        guard held.count < Self.most.messages, bytes.count < Self.most.bytes else { return .noted }
        let start = bytes.count
        bytes.append(contentsOf: topic)
        bytes.append(contentsOf: all[message.payload])
        held.append(
            Held(
                topic: start..<start + topic.count, payload: start + topic.count..<bytes.count, arrival: arrival))
        return .noted
    }

    /// Hands back what was kept, in the order of its arrival.
    mutating func release(_ body: ([UInt8], IncomingMessage, Timestamp) -> Void) {
        for message in held {
            body(
                bytes,
                IncomingMessage(topic: message.topic, payload: message.payload, qos: 0, isRetained: false),
                message.arrival)
        }
        (held, bytes) = ([], [])
    }
}
