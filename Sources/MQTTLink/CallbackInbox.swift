// The only thing that libmosquitto's callbacks touch: they copy into two arrays and return.

internal import CMosquitto
internal import GatewayModel

/// Collects what the callbacks of one client say until the owner takes it.
///
/// Owned by the link, used on its thread only: callbacks run inside `mosquitto_loop`, which the same thread calls.
final class CallbackInbox {
    var events = LinkEvents()
    /// The text of a CONNACK that says no.
    private(set) var rejection: String?
    /// The broker ended the session while the loop said nothing.
    private(set) var isDisconnected = false
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

    func connectionAnswered(_ code: Int32) {
        guard !isClosed else { return }
        if code == 0 {
            events.list.append(.connected)
        } else {
            rejection = unsafe String(cString: mosquitto_connack_string(code))
        }
    }

    func disconnected() { isDisconnected = true }

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
    /// libmosquitto acknowledges a QoS 1 message to the broker when this returns, before its readings are in the
    /// journal: a crash in the second between loses it. Acknowledging only what is in the journal comes with a later
    /// version.
    func received(topic: UnsafePointer<CChar>, payload: UnsafeRawBufferPointer, qos: Int32, isRetained: Bool) {
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
                    isRetained: isRetained)))
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
