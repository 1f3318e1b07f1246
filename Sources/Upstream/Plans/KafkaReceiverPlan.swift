// A Kafka cluster as a receiver, and what it is sent.

package import GatewayModel

/// JSON messages, keyed by device, from an idempotent producer.
package struct KafkaReceiverPlan: Equatable, Sendable {
    package enum Compression: String, CaseIterable, Sendable { case none, gzip, snappy, lz4, zstd }
    package enum Mechanism: String, CaseIterable, Sendable {
        case plain
        case sha256 = "scram-sha-256"
        case sha512 = "scram-sha-512"
    }

    /// `host:port` of some brokers; they tell of the others.
    package var brokers: [String]
    /// Topic of readings, with `EquipmentPath.placeholders` in braces; levels are joined with dots.
    package var topic: String
    /// Topic of alarms and gaps.
    package var alarmTopic: String
    package var username: String?
    package var password: Secret?
    package var mechanism: Mechanism
    package var isTLS: Bool
    /// Files of the TLS connection; nil: what the system trusts, no client certificate.
    package var authority: String?
    package var certificate: String?
    package var key: String?
    package var compression: Compression
    /// Messages sent and not yet acknowledged, at most.
    package var window: Int
    /// Bytes of one payload, at most.
    package var payloadBytes: Int

    package init(
        brokers: [String], topic: String, alarmTopic: String, username: String? = nil, password: Secret? = nil,
        mechanism: Mechanism = .sha512, isTLS: Bool = false, authority: String? = nil, certificate: String? = nil,
        key: String? = nil, compression: Compression = .lz4, window: Int = 100, payloadBytes: Int = 256 * 1024
    ) {
        self.brokers = brokers
        self.topic = topic
        self.alarmTopic = alarmTopic
        self.username = username
        self.password = password
        self.mechanism = mechanism
        self.isTLS = isTLS
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.compression = compression
        self.window = window
        self.payloadBytes = payloadBytes
    }

    package var address: String { "kafka://\(brokers.joined(separator: ","))" }
}
