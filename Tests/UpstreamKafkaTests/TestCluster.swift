// librdkafka's own mock of a Kafka cluster for tests, and a consumer of what is in it.

#if Kafka
    import CKafka
    import Foundation
    import Synchronization

    /// Brokers in this process, on ports of their own. In memory: nothing outlives it.
    final class TestCluster: Sendable {
        struct Message: Sendable {
            var topic: String
            var partition: Int32
            var key: String
            var headers: [String: String]
            var payload: [UInt8]

            var json: [String: Any] {
                (try? JSONSerialization.jsonObject(with: Data(payload))) as? [String: Any] ?? [:]
            }
        }

        private let owner: UInt
        private let cluster: UInt
        let brokers: [String]

        init(brokers count: Int32 = 3) throws {
            struct NoCluster: Error {}
            var error = [CChar](repeating: 0, count: 512)
            guard let client = unsafe rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), &error, 512),
                let cluster = unsafe rd_kafka_mock_cluster_new(client, count)
            else { throw NoCluster() }
            owner = UInt(bitPattern: client)
            self.cluster = UInt(bitPattern: cluster)
            brokers = unsafe String(cString: rd_kafka_mock_cluster_bootstraps(cluster)).split(separator: ",").map(
                String.init)
        }

        deinit {
            unsafe rd_kafka_mock_cluster_destroy(OpaquePointer(bitPattern: cluster))
            unsafe rd_kafka_destroy(OpaquePointer(bitPattern: owner))
        }

        private var handle: OpaquePointer? { unsafe OpaquePointer(bitPattern: cluster) }

        func create(_ topic: String, partitions: Int32) {
            unsafe rd_kafka_mock_topic_create(handle, topic, partitions, 1)
        }
        func setAll(down: Bool) {
            for broker in 1...Int32(brokers.count) {
                if down {
                    unsafe rd_kafka_mock_broker_set_down(handle, broker)
                } else {
                    unsafe rd_kafka_mock_broker_set_up(handle, broker)
                }
            }
        }

        /// The next answers to a produce request (API key 0) are these.
        func refuse(_ errors: [rd_kafka_resp_err_t]) {
            var codes = errors
            unsafe rd_kafka_mock_push_request_errors_array(handle, 0, codes.count, &codes)
        }

        /// Everything in a topic, by partition and in its order there.
        func messages(in topic: String, partitions: Int32) -> [Message] {
            var error = [CChar](repeating: 0, count: 512)
            let configuration = unsafe rd_kafka_conf_new()
            for (name, value) in [
                ("bootstrap.servers", brokers.joined(separator: ",")), ("group.id", "test"),
                ("auto.offset.reset", "earliest"), ("isolation.level", "read_uncommitted"),
            ] { unsafe rd_kafka_conf_set(configuration, name, value, &error, 512) }
            guard let consumer = unsafe rd_kafka_new(RD_KAFKA_CONSUMER, configuration, &error, 512) else { return [] }
            unsafe rd_kafka_poll_set_consumer(consumer)
            let list = unsafe rd_kafka_topic_partition_list_new(partitions)
            for partition in 0..<partitions {
                // From the beginning.
                unsafe rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = -2
            }
            unsafe rd_kafka_assign(consumer, list)
            unsafe rd_kafka_topic_partition_list_destroy(list)
            // The mock tells the end of a partition too early at times; how much is in it, it knows.
            var wanted: Int64 = 0
            for partition in 0..<partitions {
                var (low, high): (Int64, Int64) = (0, 0)
                unsafe rd_kafka_query_watermark_offsets(consumer, topic, partition, &low, &high, 10_000)
                wanted += high - low
            }
            var found: [Message] = []
            for _ in 0..<600 + 2 * wanted where found.count < wanted {
                guard let message = unsafe rd_kafka_consumer_poll(consumer, 100) else { continue }
                if unsafe message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                    found.append(unsafe Self.message(message))
                }
                unsafe rd_kafka_message_destroy(message)
            }
            unsafe rd_kafka_consumer_close(consumer)
            unsafe rd_kafka_destroy(consumer)
            return found.enumerated().sorted { ($0.element.partition, $0.offset) < ($1.element.partition, $1.offset) }
                .map(\.element)
        }

        private static func message(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> Message {
            var headers: [String: String] = [:]
            var list: OpaquePointer?
            if unsafe rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR {
                var index = 0
                var name: UnsafePointer<CChar>?
                var (value, size): (UnsafeRawPointer?, Int) = (nil, 0)
                while unsafe rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
                    if let name = unsafe name {
                        let value = unsafe text(value, size)
                        headers[unsafe String(cString: name)] = value
                    }
                    index += 1
                }
            }
            return unsafe Message(
                topic: String(cString: rd_kafka_topic_name(message.pointee.rkt)), partition: message.pointee.partition,
                key: text(message.pointee.key, message.pointee.key_len), headers: headers,
                payload: Array(UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)))
        }

        private static func text(_ start: UnsafeRawPointer?, _ count: Int) -> String {
            unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
        }
    }
#endif
