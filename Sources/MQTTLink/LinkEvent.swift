// What a link tells its owner, in the order in which it happened.

/// One thing that happened on a link. Topics and payloads are ranges of the bytes of the `LinkEvents` it came in.
package enum LinkEvent: Equatable, Sendable {
    /// The broker accepted us; nothing is subscribed yet, and nothing sent before is known to it.
    case connected
    /// The link is gone, and with it every message that was not acknowledged. It comes back by itself.
    case disconnected(LinkFailure)
    /// The broker has the published message: PUBACK with a reason below 0x80.
    case acknowledged(Int32)
    /// The broker has answered a published message with a refusal (MQTT 5 only).
    case refused(Int32, reason: UInt8)
    case message(IncomingMessage)
    /// A payload above `Limits.incomingPayloadBytes`, not copied.
    case tooLarge(topic: Range<Int>, payloadBytes: Int)
    /// A subscription was answered; false: the broker refuses it.
    case subscribed(Int32, isGranted: Bool)
}

/// A message as it came.
package struct IncomingMessage: Equatable, Sendable {
    package var topic: Range<Int>
    package var payload: Range<Int>
    package var qos: Int
    package var isRetained: Bool
    /// The broker's number for it; 0 with QoS 0. The same message comes again under it while it is not acknowledged.
    package var id: UInt16

    package init(topic: Range<Int>, payload: Range<Int>, qos: Int, isRetained: Bool, id: UInt16 = 0) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.isRetained = isRetained
        self.id = id
    }
}

/// Events and the bytes of their messages, in two arrays that keep their storage from turn to turn.
package struct LinkEvents: Sendable {
    package internal(set) var list: [LinkEvent] = []
    package internal(set) var bytes: [UInt8] = []

    package init() {}

    /// Adds what happened later; its ranges move behind the bytes that are here.
    mutating func append(_ later: LinkEvents) {
        let start = bytes.count
        func moved(_ range: Range<Int>) -> Range<Int> { range.lowerBound + start..<range.upperBound + start }
        for event in later.list {
            switch event {
            case .message(var message):
                message.topic = moved(message.topic)
                message.payload = moved(message.payload)
                list.append(.message(message))
            case .tooLarge(let topic, let payloadBytes):
                list.append(.tooLarge(topic: moved(topic), payloadBytes: payloadBytes))
            default:
                list.append(event)
            }
        }
        bytes.append(contentsOf: later.bytes)
    }

    mutating func removeAll() {
        list.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: true)
    }
}

/// Which ways a connected link goes. While messages wait to be acknowledged, what libmosquitto has to say is held back:
/// it queues the acknowledgement of each message as soon as it has read it.
package enum LinkFlow: Equatable, Sendable {
    case both
    /// Reads, and says nothing.
    case reading
    /// Says what waits to be said, and reads nothing.
    case writing
    /// Neither reads nor says anything.
    case halted
}

/// Why a link was given up, for logs and people.
package enum LinkFailure: Error, Equatable, Sendable {
    /// The host's name has no address, or the resolver did not answer.
    case unknownHost(String)
    /// No connection and no answer to CONNECT within `LinkStateMachine.connectLimit`.
    case connectTimeout
    /// The broker answered CONNECT with a refusal.
    case rejected(String)
    /// The broker doesn't know the version of MQTT that we spoke.
    case versionRefused
    /// Certificates: ours, the broker's, or what one side says of the other's.
    case tls(String)
    /// The broker closed the connection.
    case closed(String)
    /// What was sent has not been answered for the stall limit.
    case stalled
    /// A packet of more bytes than a link makes room for.
    case packetTooLong
    /// More events in one turn than a link holds.
    case flooded
    /// The broker broke the protocol, or the system could not send or receive.
    case connection(String)
    /// The owner gave the link up.
    case owner(String)
}

extension LinkFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownHost(let host): "the name '\(host)' has no address"
        case .connectTimeout: "no connection within \(LinkStateMachine.connectLimit.components.seconds) s"
        case .rejected(let reason), .tls(let reason), .closed(let reason): reason
        case .versionRefused: "the broker doesn't know this version of MQTT"
        case .stalled: "the broker stopped answering"
        case .packetTooLong: "the broker sends a packet that is longer than can be held"
        case .flooded: "the broker sent more than can be held"
        case .connection(let reason), .owner(let reason): reason
        }
    }
}

/// What became of a publish.
package enum PublishOutcome: Equatable, Sendable {
    /// Given to the socket under this message id.
    case sent(Int32)
    /// This message can never be sent; others can.
    case poison(String)
    /// The link was given up; nothing was sent for certain.
    case linkLost
}

/// What the broker says in our name when the connection breaks.
package struct WillPlan: Equatable, Sendable {
    package var topic: String
    package var payload: [UInt8]
    package var qos: Int32
    package var isRetained: Bool

    package init(topic: String, payload: [UInt8], qos: Int32 = 1, isRetained: Bool = true) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.isRetained = isRetained
    }
}
