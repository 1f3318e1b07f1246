// What librdkafka is told, and which of its refusals are for good. Only in builds with the trait Kafka.

#if Kafka
    internal import CKafka
    internal import GatewayModel
    internal import Upstream

    extension KafkaReceiverPlan {
        /// How long a message is tried by one producer. Up to then a broker may be away without a duplicate; past it
        /// the producer is thrown away, and what comes again has the same numbers.
        static let messageLimit = Duration.seconds(30)

        /// librdkafka's settings (CONFIGURATION.md of 2.0). Never logged: the password is among them.
        func settings(sink: String) -> [(name: String, value: String)] {
            var settings = [
                ("bootstrap.servers", brokers.joined(separator: ",")), ("client.id", "lineside-\(sink)"),
                // Implies acks=all, order within a partition, and no duplicate as long as the producer lives.
                ("enable.idempotence", "true"), ("acks", "all"),
                ("message.timeout.ms", "\(Self.messageLimit.components.seconds * 1000)"),
                ("compression.type", compression.rawValue), ("linger.ms", "20"),
                // Our own window is smaller: librdkafka's queue never decides.
                ("queue.buffering.max.messages", "\(2 * window)"), ("socket.keepalive.enable", "true"),
                ("reconnect.backoff.ms", "100"), ("reconnect.backoff.max.ms", "5000"),
                // Tells whether a broker is there: there is no other word for it.
                ("statistics.interval.ms", "1000"), ("log_level", "0"),
                ("security.protocol", (username == nil ? "" : "sasl_") + (isTLS ? "ssl" : "plaintext")),
            ]
            if let username {
                settings.append(("sasl.mechanism", mechanism.rawValue.uppercased()))
                settings.append(("sasl.username", username))
            }
            if let password { settings.append(("sasl.password", password.revealed)) }
            if isTLS { settings.append(("ssl.ca.location", authority ?? "/etc/ssl/certs/ca-certificates.crt")) }
            if let certificate { settings.append(("ssl.certificate.location", certificate)) }
            if let key { settings.append(("ssl.key.location", key)) }
            return settings
        }
    }

    /// A topic as Kafka allows it: letters, digits, `.`, `_` and `-`, at most 249 bytes.
    enum KafkaTopic {
        static func filled(_ template: String, site: String, device: String) -> String {
            let place = EquipmentPath(site: site, device: device).filled(into: template)
            let bytes = place.utf8.prefix(249).map { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    byte
                case UInt8(ascii: "/"): UInt8(ascii: ".")
                default: UInt8(ascii: "_")
                }
            }
            return bytes.isEmpty ? "lineside" : String(decoding: bytes, as: UTF8.self)
        }
    }

    /// An error as librdkafka names it.
    struct KafkaError: Error, Equatable, Sendable {
        var code: Int32
        var text: String
        var isFatal = false

        enum Meaning: Equatable, Sendable {
            /// Everything comes again with another producer.
            case trouble
            /// Somebody must grant, create or change something.
            case standing
            /// This message will never be taken.
            case poison
        }

        var meaning: Meaning {
            switch rd_kafka_resp_err_t(code) {
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG,
                RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, RD_KAFKA_RESP_ERR_INVALID_RECORD,
                RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
                isFatal ? .trouble : .poison
            case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR__SSL,
                RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
                .standing
            default: .trouble
            }
        }

        var advice: String {
            switch rd_kafka_resp_err_t(code) {
            case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
                "; check 'username', 'password' and 'mechanism'"
            case RD_KAFKA_RESP_ERR__SSL: "; check 'tls' and 'ca'"
            case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: "; grant WRITE and DESCRIBE on the topic"
            case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED: "; grant IDEMPOTENT_WRITE on the cluster"
            case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
                "; create the topic, or let the brokers create topics"
            default: ""
            }
        }
    }
#endif
