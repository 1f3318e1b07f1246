// A sink between a real journal and librdkafka's mock cluster. Only with the trait Kafka (scripts/kafka-test).

#if Kafka
    import CKafka
    import Foundation
    import GatewayModel
    import GatewayPlatform
    import Journal
    import Logging
    import TestSupport
    import Testing
    import Upstream

    @testable import UpstreamKafka

    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Suite("A Kafka sink", .timeLimit(.minutes(5)))
    final class KafkaSinkTests {
        private static let paths = ["stamping/line-2/press-7/meter", "stamping/line 2/press+8/meter"]
        private static let topic = "lineside.acme.lyon"
        private let cluster: TestCluster
        private let journal: Journal
        private let folder: URL

        init() throws {
            cluster = try TestCluster()
            cluster.create(Self.topic, partitions: 4)
            cluster.create("\(Self.topic).alarms", partitions: 1)
            folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(
                    path: ".build/test-journals/\(UInt64.random(in: 0...UInt64.max))")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let table = TagTable(
                site: "acme/lyon",
                devices: Self.paths.enumerated().map {
                    DeviceDescriptor(id: DeviceID($0.offset), path: $0.element, channel: "net", link: "test")
                },
                tags: (0..<2).map {
                    TagDescriptor(id: TagID($0), device: DeviceID($0), name: "count", kind: .integer, unit: "1")
                })
            journal = Journal(
                plan: JournalPlan(
                    directory: folder.path(), diskBytes: 64 << 20, segmentBytes: 1 << 20, keepFreeBytes: 0),
                disk: try POSIXDisk(path: folder.path()), clock: SystemClock(), tags: table, logger: quiet)
            journal.start()
        }

        deinit {
            journal.stop()
            try? FileManager.default.removeItem(at: folder)
        }

        private func append(_ range: Range<Int>) {
            for value in range {
                var batch = ReadingBatch(device: DeviceID(value % 2))
                batch.append(
                    .integer(Int64(value)), tag: TagID(value % 2),
                    timestamp: Timestamp(nanoseconds: 1_795_467_761_000_000_000 + Int64(value) * 1_000_000))
                journal.append(batch)
            }
            journal.announce()
        }

        private func sink(payloadBytes: Int = 4096, window: Int = 20) -> Sink {
            let plan = KafkaReceiverPlan(
                brokers: cluster.brokers, topic: "lineside/{enterprise}/{site}",
                alarmTopic: "lineside/{enterprise}/{site}/alarms", window: window, payloadBytes: payloadBytes)
            return Sink(
                plan: SinkPlan(name: "k", gateway: "acme/lyon", receiver: .kafka(plan)), journal: journal,
                clock: SystemClock(), logger: quiet
            ) { KafkaReceiver(plan: plan, context: $0) }
        }

        private func isDrained() -> Bool { journal.backlog(of: "k").records == 0 }

        /// Values by device, in the order of their partition.
        private func values() -> [String: [Int]] {
            var found: [String: [Int]] = [:]
            for message in cluster.messages(in: Self.topic, partitions: 4) {
                let readings = message.json["readings"] as? [[String: Any]] ?? []
                found[message.key, default: []] += readings.compactMap { $0["v"] as? Int }
            }
            return found
        }

        private func expectComplete(_ count: Int) {
            let found = values()
            for device in 0..<2 {
                #expect(found[Self.paths[device]] == (0..<count).filter { $0 % 2 == device }, "\(Self.paths[device])")
            }
        }

        @Test("sends each device's readings under its key, in order, with identity in headers and payload")
        func messages() async throws {
            append(0..<500)
            journal.append(
                AlarmTransition(
                    alarm: "press/hot", state: .active, priority: .low, device: "press", tag: "t", value: 1, limit: 1,
                    unit: "", timestamp: Timestamp(nanoseconds: 1), since: Timestamp(nanoseconds: 1), message: "hot",
                    action: ""))
            journal.announce()
            let sink = sink()
            sink.start()
            #expect(await eventually { isDrained() }, "\(sink.statistics)")
            sink.stop(drainFor: .zero)
            expectComplete(500)
            let all = cluster.messages(in: Self.topic, partitions: 4)
            #expect(Set(all.map(\.key)) == Set(Self.paths))
            for message in all {
                #expect(message.headers["gateway"] == "acme/lyon" && message.headers["stream"] == journal.stream)
                #expect(message.headers["seq"] == (message.json["seq"] as? Int).map(String.init))
                #expect(message.headers["kind"] == "readings" && message.json["device"] as? String == message.key)
            }
            for key in Self.paths {
                #expect(Set(all.filter { $0.key == key }.map(\.partition)).count == 1, "one partition a device")
            }
            let alarms = cluster.messages(in: "\(Self.topic).alarms", partitions: 1)
            #expect(alarms.count == 1 && alarms[0].headers["kind"] == "alarm" && alarms[0].key == "press")
            #expect(sink.statistics.readingsAcknowledged == 500)
        }

        @Test("loses, doubles and disorders nothing when every broker is away for a while")
        func outage() async throws {
            append(0..<200)
            let sink = sink()
            sink.start()
            #expect(await eventually { isDrained() })
            cluster.setAll(down: true)
            append(200..<2000)
            #expect(await eventually { sink.statistics.inFlight > 0 })
            #expect(!isDrained())
            cluster.setAll(down: false)
            append(2000..<2100)
            #expect(await eventually { isDrained() }, "\(sink.statistics)")
            sink.stop(drainFor: .zero)
            expectComplete(2100)
        }

        @Test(
            "makes a new producer after a fatal error and goes on at its cursor; what comes twice has the same number")
        func fatal() async throws {
            append(0..<100)
            let sink = sink()
            sink.start()
            #expect(await eventually { isDrained() })
            cluster.refuse([RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER])
            append(100..<300)
            #expect(await eventually { sink.statistics.lastError != nil })
            #expect(await eventually { isDrained() }, "\(sink.statistics)")
            sink.stop(drainFor: .zero)
            let found = values().values.flatMap { $0 }
            #expect(Set(found) == Set(0..<300))
            #expect(sink.statistics.setAside == 0)
        }

        @Test("sets a message aside that the brokers never take, with what it was, and goes on behind it")
        func poison() async throws {
            let sink = sink()
            sink.start()
            append(0..<10)
            #expect(await eventually { isDrained() && sink.statistics.isConnected })
            cluster.refuse([RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE])
            append(10..<11)
            #expect(await eventually { sink.statistics.setAside == 1 && isDrained() }, "\(sink.statistics)")
            append(11..<20)
            #expect(await eventually { isDrained() && sink.statistics.messagesAcknowledged > 1 })
            sink.stop(drainFor: .seconds(10))
            #expect(Set(values().values.flatMap { $0 }) == Set(0..<20).subtracting([10]))
            let kept = try String(contentsOf: folder.appending(path: "set-aside/k.jsonl"), encoding: .utf8)
            #expect(kept.contains("\"v\":10") && kept.split(separator: "\n").count == 1)
        }

        @Test("says that no broker answers, and ends in time")
        func nobody() async throws {
            let port = TestPort.free()
            let plan = KafkaReceiverPlan(brokers: ["127.0.0.1:\(port)"], topic: "t", alarmTopic: "a")
            append(0..<10)
            let sink = Sink(
                plan: SinkPlan(name: "k", gateway: "acme/lyon", receiver: .kafka(plan)), journal: journal,
                clock: FastClock(), logger: quiet
            ) { KafkaReceiver(plan: plan, context: $0) }
            sink.start()
            #expect(await eventually { sink.statistics.lastError?.contains("no connection within 20s") == true })
            sink.stop(drainFor: .milliseconds(100))
            #expect(!isDrained() && sink.statistics.setAside == 0)
        }
    }

    @Suite("What librdkafka is told")
    struct KafkaSettingsTests {
        private func settings(_ change: (inout KafkaReceiverPlan) -> Void) -> [String: String] {
            var plan = KafkaReceiverPlan(brokers: ["a:1", "b:2"], topic: "t", alarmTopic: "a")
            change(&plan)
            return Dictionary(plan.settings(sink: "k").map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        }

        @Test("An idempotent producer, and a login only where there is one")
        func settings() {
            let plain = settings { _ in }
            #expect(
                plain["enable.idempotence"] == "true" && plain["acks"] == "all"
                    && plain["bootstrap.servers"] == "a:1,b:2")
            #expect(plain["security.protocol"] == "plaintext" && plain["sasl.password"] == nil)
            let secured = settings {
                $0.isTLS = true
                ($0.username, $0.password, $0.mechanism) = ("u", Secret("s3cret"), .sha256)
            }
            #expect(secured["security.protocol"] == "sasl_ssl" && secured["sasl.mechanism"] == "SCRAM-SHA-256")
            #expect(
                secured["sasl.password"] == "s3cret"
                    && secured["ssl.ca.location"] == "/etc/ssl/certs/ca-certificates.crt")
            #expect(settings { $0.isTLS = true }["security.protocol"] == "ssl")
        }

        @Test("A setting that librdkafka refuses is named, its value is not")
        func refused() {
            do {
                _ = try KafkaProducer.make([("sasl.mechanism", "PLAIN"), ("compression.type", "s3cret")])
                #expect(Bool(false), "taken")
            } catch {
                #expect(error.text == "librdkafka refuses 'compression.type'" && error.meaning == .standing)
            }
        }

        @Test(
            "A topic has only what Kafka allows",
            arguments: [
                ("lineside/{enterprise}/{site}", "lineside.acme.lyon"), ("{area}-{device}", "st_mping-meter_1"),
                ("{line}/{cell}", "lineside"), (String(repeating: "x", count: 300), String(repeating: "x", count: 249)),
            ])
        func topics(template: String, expected: String) {
            #expect(KafkaTopic.filled(template, site: "acme/lyon", device: "st mping/meter 1") == expected)
        }

        @Test(
            "An error means what its code says",
            arguments: [
                (RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, KafkaError.Meaning.poison),
                (RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, .trouble),
                (RD_KAFKA_RESP_ERR__TRANSPORT, .trouble), (RD_KAFKA_RESP_ERR__AUTHENTICATION, .standing),
                (RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, .standing),
                (RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, .standing),
            ].map { ($0.0.rawValue, $0.1) })
        func meaning(code: Int32, expected: KafkaError.Meaning) {
            #expect(KafkaError(code: code, text: "").meaning == expected)
        }
    }
#endif
