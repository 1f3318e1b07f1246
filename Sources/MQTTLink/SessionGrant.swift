// What a broker allows in a session, and what may stand beside a payload: both new with MQTT 5.

/// Limits that a broker names when it accepts us (MQTT 5.0, 3.2.2.3). In 3.1.1 it names none.
package struct SessionGrant: Equatable, Sendable {
    package var version = MQTTVersion.v311
    /// Messages that may be on their way, at most.
    package var receiveMaximum = 65535
    /// Bytes of a whole packet, at most; nil: as many as the protocol can say.
    package var packetBytes: Int?
    package var keepsRetained = true
    /// The broker kept a session of ours: what it had not got acknowledged comes again.
    package var hasSession = false

    package init() {}
}

/// Properties of one message. Left out where the connection speaks 3.1.1.
package struct MessageProperties: Equatable, Sendable {
    /// After this long a broker throws it away undelivered.
    package var expirySeconds: UInt32?
    package var contentType: String?
    package var user: [(name: String, value: String)] = []

    package init(expirySeconds: UInt32? = nil, contentType: String? = nil) {
        self.expirySeconds = expirySeconds
        self.contentType = contentType
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.expirySeconds == right.expirySeconds && left.contentType == right.contentType
            && left.user.elementsEqual(right.user, by: ==)
    }
}
