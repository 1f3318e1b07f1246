// librdkafka's producer in Swift: events come by a queue that we ask, never by callbacks. Only with the trait Kafka.

#if Kafka
    internal import CKafka
    internal import GatewayPlatform
    internal import Glibc

    /// One `rd_kafka_t`. Noncopyable: one owner, one thread, and the owner's end is the producer's. librdkafka has
    /// threads of its own behind it; what they have to say waits in a queue, and `news` tells that there is something.
    @safe
    struct KafkaProducer: ~Copyable {
        enum Event: Equatable {
            /// What became of a message; nil: the brokers have it for good.
            case delivered(Int64, KafkaError?)
            case trouble(KafkaError)
            /// Whether some broker is connected now.
            case state(isUp: Bool)
        }

        private let client: OpaquePointer
        private let queue: OpaquePointer
        /// Readable when the queue has something new.
        let news = WakeUp()

        private static let errorBytes = 512

        /// Begins to connect.
        static func make(_ settings: [(name: String, value: String)]) throws(KafkaError) -> KafkaProducer {
            var error = [CChar](repeating: 0, count: errorBytes)
            guard let configuration = unsafe rd_kafka_conf_new() else { throw KafkaError(code: 0, text: "no memory") }
            for setting in settings {
                let result = unsafe rd_kafka_conf_set(configuration, setting.name, setting.value, &error, error.count)
                guard result == RD_KAFKA_CONF_OK else {
                    unsafe rd_kafka_conf_destroy(configuration)
                    // Not librdkafka's text: it repeats the value, which may be a secret.
                    throw KafkaError(
                        code: RD_KAFKA_RESP_ERR__SSL.rawValue, text: "librdkafka refuses '\(setting.name)'")
                }
            }
            unsafe rd_kafka_conf_set_events(
                configuration, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS)
            // By default it writes to standard error.
            unsafe rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
            guard let client = unsafe rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &error, error.count) else {
                unsafe rd_kafka_conf_destroy(configuration)
                let text = String(decoding: error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                throw KafkaError(code: RD_KAFKA_RESP_ERR__SSL.rawValue, text: text)
            }
            guard let queue = unsafe rd_kafka_queue_get_main(client) else {
                unsafe rd_kafka_destroy(client)
                throw KafkaError(code: 0, text: "no memory")
            }
            return unsafe KafkaProducer(client, queue)
        }

        private init(_ client: OpaquePointer, _ queue: OpaquePointer) {
            unsafe self.client = client
            unsafe self.queue = queue
            var one: UInt64 = 1
            // librdkafka copies the bytes; they ring an eventfd.
            unsafe rd_kafka_queue_io_event_enable(queue, news.descriptor, &one, 8)
        }

        deinit {
            unsafe rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
            unsafe rd_kafka_queue_destroy(queue)
            unsafe rd_kafka_purge(
                client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
            // It waits for its threads, and one of them may wait for the resolver.
            let address = unsafe UInt(bitPattern: client)
            _ = DedicatedThread(name: "kafka-end") {
                guard let client = unsafe OpaquePointer(bitPattern: address) else { return }
                unsafe rd_kafka_destroy(client)
            }
        }

        /// Gives librdkafka a copy of the message.
        /// - Returns: nil when it is on its way.
        func send(
            topic: String, key: String, headers: [(name: String, value: String)], payload: [UInt8], id: Int64
        ) -> KafkaError? {
            let list = unsafe rd_kafka_headers_new(headers.count)
            for header in headers {
                unsafe rd_kafka_header_add(list, header.name, -1, header.value, header.value.utf8.count)
            }
            let failure = unsafe withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 6) { parts in
                unsafe parts.initialize(repeating: rd_kafka_vu_t())
                return unsafe topic.withCString { topic in
                    unsafe Array(key.utf8).withUnsafeBytes { key in
                        unsafe payload.withUnsafeBytes { payload in
                            unsafe parts[0].vtype = RD_KAFKA_VTYPE_TOPIC
                            unsafe parts[0].u.cstr = topic
                            unsafe parts[1].vtype = RD_KAFKA_VTYPE_KEY
                            unsafe parts[1].u.mem.ptr = UnsafeMutableRawPointer(mutating: key.baseAddress)
                            unsafe parts[1].u.mem.size = key.count
                            unsafe parts[2].vtype = RD_KAFKA_VTYPE_VALUE
                            unsafe parts[2].u.mem.ptr = UnsafeMutableRawPointer(mutating: payload.baseAddress)
                            unsafe parts[2].u.mem.size = payload.count
                            unsafe parts[3].vtype = RD_KAFKA_VTYPE_HEADERS
                            unsafe parts[3].u.headers = list
                            unsafe parts[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS
                            unsafe parts[4].u.i = RD_KAFKA_MSG_F_COPY
                            unsafe parts[5].vtype = RD_KAFKA_VTYPE_OPAQUE
                            unsafe parts[5].u.ptr = UnsafeMutableRawPointer(bitPattern: Int(id))
                            return unsafe rd_kafka_produceva(client, parts.baseAddress, 6)
                        }
                    }
                }
            }
            guard let failure = unsafe failure else { return nil }
            // Only of a message that it took the headers are its own.
            unsafe rd_kafka_headers_destroy(list)
            defer { unsafe rd_kafka_error_destroy(failure) }
            return KafkaError(
                code: unsafe rd_kafka_error_code(failure).rawValue,
                text: unsafe String(cString: rd_kafka_error_string(failure)),
                isFatal: unsafe rd_kafka_error_is_fatal(failure) == 1)
        }

        /// Everything that happened since the last call.
        func events(into events: inout [Event]) {
            // Hushes it.
            _ = news.wait(timeout: .zero)
            while let event = unsafe rd_kafka_queue_poll(queue, 0) {
                unsafe take(event, &events)
                unsafe rd_kafka_event_destroy(event)
            }
        }

        private func take(_ event: OpaquePointer, _ events: inout [Event]) {
            switch unsafe rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_DR:
                while let message = unsafe rd_kafka_event_message_next(event) {
                    let id = unsafe Int64(Int(bitPattern: message.pointee._private))
                    let code = unsafe message.pointee.err
                    events.append(.delivered(id, code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : Self.error(code)))
                }
            case RD_KAFKA_EVENT_ERROR:
                var error = unsafe Self.error(rd_kafka_event_error(event))
                unsafe error.text = String(cString: rd_kafka_event_error_string(event))
                unsafe error.isFatal = rd_kafka_event_error_is_fatal(event) == 1
                events.append(.trouble(error))
            case RD_KAFKA_EVENT_STATS:
                let statistics = unsafe String(cString: rd_kafka_event_stats(event))
                events.append(.state(isUp: statistics.contains("\"state\":\"UP\"")))
            default: break
            }
        }

        private static func error(_ code: rd_kafka_resp_err_t) -> KafkaError {
            KafkaError(code: code.rawValue, text: unsafe String(cString: rd_kafka_err2str(code)))
        }
    }
#endif
