// The only thing that libmosquitto's callbacks touch: they copy into two arrays and return.

internal import CMosquitto
internal import GatewayModel

/// Collects what the callbacks of one client say until the owner takes it.
///
/// Owned by the link, used on its thread only: callbacks run inside `mosquitto_loop`, which the same thread calls.
final class CallbackInbox {
    var events = LinkEvents()
    /// What the broker allows since it has accepted us.
    private(set) var grant = SessionGrant()
    private let version: MQTTVersion
    /// Told by the client: there was a connection, whatever became of it.
    var isReached = false
    /// A CONNACK came, whatever it says.
    private(set) var isAnswered = false
    /// A CONNACK that says that the broker doesn't know our version of MQTT.
    private(set) var isVersionRefused = false
    /// Why a broker of MQTT 5 ended the session, when it said so.
    private(set) var farewell: String?
    /// The text of a CONNACK that says no.
    private(set) var rejection: String?
    /// The broker ended the session while the loop said nothing.
    private(set) var isDisconnected = false
    /// Something was subscribed to.
    var isListening = false
    /// A packet came that is longer than is taken.
    private(set) var isPacketTooLong = false
    /// Set before a client is taken down: what it says from then on is not wanted.
    var isClosed = false
    /// More came in one turn than the link holds; the client must go, and with it what was not taken.
    private(set) var isFlooded = false

    /// Events and bytes of one turn, at most. A turn of libmosquitto 2.0 handles one packet, or one for each message in
    /// flight, so a well-behaved link stays far below.
    private static let limits = (events: 4096, bytes: 4 << 20)

    /// The inbox that was given to libmosquitto with `mosquitto_user_data_set`.
    static func of(_ context: UnsafeMutableRawPointer?) -> CallbackInbox {
        unsafe Unmanaged<CallbackInbox>.fromOpaque(context!).takeUnretainedValue()
    }

    init(version: MQTTVersion = .v311) { self.version = version }

    /// Bytes and events that wait to be taken: reading goes on while there is much room left.
    var hasRoom: Bool { events.list.count < Self.limits.events / 4 && events.bytes.count < Self.limits.bytes / 4 }

    func connectionAnswered(_ code: Int32, grant: SessionGrant = SessionGrant()) {
        guard !isClosed else { return }
        isAnswered = true
        switch code {
        case 0:
            self.grant = grant
            events.list.append(.connected)
        // Version 5 says 0x84, 3.1.1 says 1 (MQTT 5.0, table 3-1; 3.1.1, table 3.1).
        case 0x84: isVersionRefused = true
        case 1 where version == .v5: isVersionRefused = true
        default:
            rejection =
                unsafe version == .v5 && code >= 0x80
                ? String(cString: mosquitto_reason_string(code)) : String(cString: mosquitto_connack_string(code))
        }
    }

    /// What is not said has the defaults of the standard.
    func grant(_ properties: OpaquePointer?) -> SessionGrant {
        var grant = SessionGrant()
        grant.version = version
        guard version == .v5 else { return grant }
        var (most, bytes, keeps) = (UInt16(0), UInt32(0), UInt8(1))
        let receiveMaximum = Int32(MQTT_PROP_RECEIVE_MAXIMUM.rawValue)
        let packetSize = Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue)
        let retain = Int32(MQTT_PROP_RETAIN_AVAILABLE.rawValue)
        // A limit of 0 breaks the protocol, and would never send.
        if unsafe mosquitto_property_read_int16(properties, receiveMaximum, &most, false) != nil, most > 0 {
            grant.receiveMaximum = Int(most)
        }
        if unsafe mosquitto_property_read_int32(properties, packetSize, &bytes, false) != nil, bytes > 0 {
            grant.packetBytes = Int(bytes)
        }
        if unsafe mosquitto_property_read_byte(properties, retain, &keeps, false) != nil { grant.keepsRetained = keeps != 0 }
        return grant
    }

    func packetIsTooLong() { isPacketTooLong = true }

    func disconnected(_ code: Int32 = 0) {
        isDisconnected = true
        if version == .v5, code >= 0x80 {
            farewell = unsafe "the broker ends the session: \(String(cString: mosquitto_reason_string(code)))"
        }
    }

    func published(_ messageID: Int32, reason: Int32) {
        // PUBACK with a reason of 0x80 or more is a refusal that looks like success to the older callback.
        append(
            reason < 0x80 ? .acknowledged(messageID) : .refused(messageID, reason: UInt8(truncatingIfNeeded: reason)))
    }

    func subscribed(_ messageID: Int32, granted: UnsafeBufferPointer<Int32>) {
        append(.subscribed(messageID, isGranted: unsafe !granted.isEmpty && granted.allSatisfy { $0 < 0x80 }))
    }

    /// Copies the message; its memory lives only during the callback.
    ///
    /// libmosquitto 2.0 has queued the acknowledgement of a message of QoS 1 before it calls this, or does so right after;
    /// when it is written is up to `BrokerLink.flow`.
    func received(
        topic: UnsafePointer<CChar>, payload: UnsafeRawBufferPointer, qos: Int32, isRetained: Bool, id: UInt16 = 0
    ) {
        let topicStart = events.bytes.count
        var end = unsafe topic
        while unsafe end.pointee != 0 { unsafe end += 1 }
        unsafe events.bytes.append(contentsOf: UnsafeRawBufferPointer(start: topic, count: end - topic))
        let payloadStart = events.bytes.count
        guard payload.count <= Limits.incomingPayloadBytes else {
            return append(.tooLarge(topic: topicStart..<payloadStart, payloadBytes: payload.count))
        }
        unsafe events.bytes.append(contentsOf: payload)
        append(
            .message(
                IncomingMessage(
                    topic: topicStart..<payloadStart, payload: payloadStart..<events.bytes.count, qos: Int(qos),
                    isRetained: isRetained, id: id)))
    }

    private func append(_ event: LinkEvent) {
        guard !isClosed else { return }
        guard events.list.count < Self.limits.events, events.bytes.count <= Self.limits.bytes else {
            isFlooded = true
            return
        }
        events.list.append(event)
    }
}
