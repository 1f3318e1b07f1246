// Which messages of a kept session came before the connection broke, and come again because nobody acknowledged them.

internal import MQTTLink

/// Remembers the messages whose acknowledgement has not gone out. As long as the process lives a message counts once,
/// although the broker must send it again (MQTT 3.1.1, 4.4).
struct Repeats: Sendable {
    /// The hash of topic and payload by the broker's number of the message: a number alone is used again.
    private var open: [UInt16: UInt64] = [:]
    private var mayRepeat: [UInt16: UInt64] = [:]

    /// - Returns: true when the message was handed over before.
    mutating func took(_ message: IncomingMessage, _ bytes: [UInt8]) -> Bool {
        guard message.qos > 0 else { return false }
        let hash = Self.hash(bytes[message.topic.lowerBound..<message.payload.upperBound])
        let isRepeat = mayRepeat.removeValue(forKey: message.id) == hash
        open[message.id] = hash
        return isRepeat
    }

    /// What was read so far has been acknowledged.
    mutating func acknowledged() {
        open.removeAll(keepingCapacity: true)
    }

    mutating func disconnected() {
        mayRepeat.merge(open) { $1 }
        open.removeAll(keepingCapacity: true)
    }

    /// - Parameter hasSession: the broker has kept it; without one nothing comes again under its number.
    mutating func connected(hasSession: Bool) { if !hasSession { mayRepeat.removeAll() } }

    /// FNV-1a, 64 bits: no key, the same for every process; two messages under one number are not that alike by chance.
    private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}
