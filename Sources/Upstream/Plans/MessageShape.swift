// How messages look: the shapes that the receivers of this world understand.

/// A named shape of the payload, and which topics go with it (Documentation/Formats/payload.md).
package enum MessageShape: String, CaseIterable, Sendable {
    /// Our own: one object per batch, with everything that a reading says.
    case lineside
    case telegraf
    case thingsboard
    case edgex
    case azure
    case opcuaPubSub = "opcua-pubsub"
    case homeassistant
    case simple

    /// Where readings go unless the site says another topic.
    package var usualTopic: String {
        switch self {
        case .lineside, .simple: "lineside/\(Self.place)"
        case .telegraf: "telegraf/\(Self.place)"
        case .thingsboard: "v1/gateway/telemetry"
        case .edgex: "edgex/events/\(Self.place)"
        case .azure: "azure-iot-operations/data/\(Self.place)"
        case .opcuaPubSub: "opcua"
        case .homeassistant: "lineside/\(Self.place)/{tag}"
        }
    }
    private static let place = "{enterprise}/{site}/{area}/{line}/{cell}/{device}"

    /// What the receiver keeps of each topic is the newest state: its consumers expect to find it.
    package var isRetained: Bool { self == .homeassistant }

    /// False where the topic is the receiver's own or only the beginning of one (OPC 10000-14, 7.3.4.7.3).
    package var hasDeviceInTopic: Bool { self != .thingsboard && self != .opcuaPubSub }
}

extension MessageShape {
    /// One message may hold many moments of a device; otherwise another moment is another message.
    var holdsManyFrames: Bool {
        switch self {
        case .telegraf, .thingsboard, .opcuaPubSub: true
        case .lineside, .edgex, .azure, .homeassistant, .simple: false
        }
    }

    /// All readings of a frame were taken at the same moment, because the shape has one time for them.
    var hasOneTimePerFrame: Bool {
        switch self {
        case .telegraf, .thingsboard, .homeassistant, .simple: true
        case .lineside, .edgex, .azure, .opcuaPubSub: false
        }
    }
}
