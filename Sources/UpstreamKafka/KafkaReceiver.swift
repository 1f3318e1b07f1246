// A Kafka cluster as a receiver: JSON messages keyed by device, settled by their reports. Only with the trait Kafka.

#if Kafka
    internal import GatewayModel
    internal import Journal
    package import GatewayPlatform
    package import Upstream

    /// The producer and the messages of one sink.
    ///
    /// As long as a producer lives the brokers take each message once and in order. After a fatal error, or when a
    /// message was not taken for 30 s, it is thrown away and another goes on at the cursor; what comes twice has the
    /// same numbers.
    package struct KafkaReceiver: Receiver, ~Copyable {
        private let plan: KafkaReceiverPlan
        private let context: ReceiverContext
        private let clock: any GatewayClock
        private var pace: ConnectionPace
        private var producer: KafkaProducer?
        private var messages: DeviceMessages
        /// Topics by device path; a plant has thousands of devices at most.
        private var topics: [String: String] = [:]
        private let alarmTopic: String
        private var isReady = false
        private var inFlight = 0
        private var lastID: DeliveryID = 0
        private var events: [ReceiverEvent] = []
        private var news: [KafkaProducer.Event] = []
        /// What librdkafka complained of last, while no broker answers.
        private var complaint: KafkaError?

        private static let connectLimit = Duration.seconds(20)

        package init(plan: KafkaReceiverPlan, context: ReceiverContext) {
            self.plan = plan
            self.context = context
            clock = context.clock
            pace = ConnectionPace(
                connectLimit: Self.connectLimit, answerLimit: .seconds(3600), now: clock.monotonic(),
                seed: .randomSeed())
            messages = DeviceMessages(
                gateway: context.gateway, stream: context.stream, payloadBytes: plan.payloadBytes)
            alarmTopic = KafkaTopic.filled(plan.alarmTopic, site: context.gateway, device: "")
        }

        package var canSend: Bool { isReady && inFlight < plan.window }

        package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
            let patience = prepare()
            let ended = bell.wait(
                timeout: min(timeout, patience, .seconds(1)), socket: producer?.news.descriptor ?? -1)
            takeNews()
            return ended.rung
        }

        package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
            taken.removeAll(keepingCapacity: true)
            swap(&taken, &events)
        }

        package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
            let start = place
            let message = messages.next(chunk, &place)
            if let flaw = message.flaw { return .setAside(flaw) }
            lastID += 1
            let failure: KafkaError?
            switch message.subject {
            case .readings(let device):
                failure = send(message.first, to: topic(device, of: chunk), key: device, kind: "readings", chunk)
            case .alarm(let device): failure = send(message.first, to: alarmTopic, key: device, kind: "alarm", chunk)
            case .gap: failure = send(message.first, to: alarmTopic, key: context.stream, kind: "gap", chunk)
            }
            guard let failure else {
                inFlight += 1
                return .sent(lastID, readings: message.readings, bytes: messages.payload.count)
            }
            if failure.meaning == .poison { return .setAside(failure.text) }
            place = start
            giveUp(failure)
            return .notNow
        }

        package mutating func discard() {}

        package mutating func close(bell: WakeUp, within limit: Duration) {
            let deadline = clock.monotonic().advanced(by: limit)
            while isReady, inFlight > 0, clock.monotonic() < deadline {
                _ = turn(bell: bell, timeout: .milliseconds(50))
            }
            producer = nil
            isReady = false
        }

        private mutating func send(
            _ first: SequenceNumber, to topic: String, key: String, kind: String, _ chunk: OutboundChunk
        ) -> KafkaError? {
            var headers = [
                ("gateway", context.gateway), ("stream", context.stream), ("seq", "\(first.value)"), ("kind", kind),
            ]
            if chunk.isHistorical { headers.append(("historical", "true")) }
            return producer?.send(topic: topic, key: key, headers: headers, payload: messages.payload, id: lastID)
        }

        private mutating func topic(_ device: String, of chunk: OutboundChunk) -> String {
            if let known = topics[device] { return known }
            let topic = KafkaTopic.filled(plan.topic, site: chunk.dictionary.table.site, device: device)
            topics[device] = topic
            return topic
        }

        /// What is due before the wait, and how long the wait may be.
        private mutating func prepare() -> Duration {
            let now = clock.monotonic()
            switch pace.decision(at: now) {
            case .wait(let patience): return patience
            case .giveUp(let reason):
                var error = complaint ?? KafkaError(code: 0, text: reason)
                if complaint != nil { error.text = "\(reason): \(error.text)" }
                giveUp(error)
                return .zero
            case .open:
                pace.opened(at: now)
                do {
                    producer = try KafkaProducer.make(plan.settings(sink: context.sink))
                } catch {
                    giveUp(error)
                }
                return .zero
            }
        }

        private mutating func takeNews() {
            guard producer != nil else { return }
            news.removeAll(keepingCapacity: true)
            producer?.events(into: &news)
            for event in news where producer != nil { take(event) }
        }

        private mutating func take(_ event: KafkaProducer.Event) {
            switch event {
            case .state(let isUp):
                guard isUp, !isReady else { return }
                pace.connected()
                complaint = nil
                isReady = true
                inFlight = 0
                events.append(.ready)
            case .delivered(let id, nil):
                inFlight = max(0, inFlight - 1)
                pace.progressed()
                events.append(.delivered(id))
            case .delivered(let id, let error?):
                guard error.meaning == .poison else { return giveUp(error) }
                inFlight = max(0, inFlight - 1)
                events.append(.refused(id, error.text, records: 0))
            case .trouble(let error):
                complaint = error
                // A broker that is away is librdkafka's to find again; what no time mends is said at once.
                if error.isFatal || error.meaning == .standing { giveUp(error) }
            }
        }

        private mutating func giveUp(_ error: KafkaError) {
            producer = nil
            isReady = false
            inFlight = 0
            complaint = nil
            pace.failed(at: clock.monotonic(), isStanding: error.meaning == .standing)
            events.append(.lost(error.text + error.advice))
        }
    }
#endif
