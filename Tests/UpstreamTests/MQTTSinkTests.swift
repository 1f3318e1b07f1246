// A sink between a real journal and a real broker, with everything in between that can happen.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import TestSupport
import Testing
import Upstream

/// The sequence numbers and values of every reading in `messages`, in the order of arrival.
private func readings(_ messages: [TestSubscriber.Message]) -> [(sequence: UInt64, value: Int, time: Double)] {
    messages.flatMap { message -> [(UInt64, Int, Double)] in
        let json = message.json
        guard let first = json["seq"] as? UInt64, let readings = json["readings"] as? [[String: Any]] else { return [] }
        return readings.enumerated().map { offset, reading in
            (first + UInt64(offset), reading["v"] as? Int ?? -1, (reading["t"] ?? json["t"]) as? Double ?? 0)
        }
    }
}

@Suite("An MQTT sink", .timeLimit(.minutes(3)))
struct MQTTSinkTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func sink(
        port: UInt16, window: Int = 20, payloadBytes: Int = 256 * 1024, clock: any GatewayClock = SystemClock()
    )
        -> Sink
    {
        self.sink(mqttPlan(port: port, window: window, payloadBytes: payloadBytes), clock: clock)
    }

    private func sink(_ plan: MQTTReceiverPlan, clock: any GatewayClock = SystemClock()) -> Sink {
        Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .mqtt(plan)), journal: plant.journal,
            clock: clock, logger: quiet
        ) { MQTTReceiver(plan: plan, context: $0) }
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    /// Every number from the first to the last, in order, nothing twice; value and time are those that were appended.
    private func expectComplete(_ found: [(sequence: UInt64, value: Int, time: Double)], values: Range<Int>) {
        #expect(found.map(\.value) == Array(values))
        let first = found.first?.sequence ?? 0
        #expect(found.map(\.sequence) == (0..<UInt64(values.count)).map { first + $0 })
        #expect(
            found.allSatisfy { abs($0.time - Double(TestJournal.time($0.value).nanoseconds) / 1e6) < 0.001 },
            "original timestamps")
    }

    @Test("hands over what was appended while the broker was away: in order, every number, with the original times")
    func storeAndForward() async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        let sink = sink(port: broker.port)
        plant.append(300, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        broker.stop()
        #expect(await eventually { !sink.statistics.isConnected })
        for start in stride(from: 300, to: 3000, by: 300) { plant.append(300, from: start) }
        #expect(sink.statistics.lastError != nil)
        try broker.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { readings(peer.messages).count >= 3000 })
        expectComplete(readings(peer.messages), values: 0..<3000)
        #expect(sink.statistics.readingsAcknowledged == 3000)
        #expect(sink.statistics.setAside == 0)
        #expect(sink.statistics.inFlight == 0)
        sink.stop(drainFor: .zero)
    }

    @Test("goes on at its cursor when the broker is killed in mid-flight and the sink is started anew")
    func killedBroker() async throws {
        let broker = try TestBroker()
        let first = sink(port: broker.port, payloadBytes: 1000)
        first.start()
        plant.append(10_000, from: 0)
        #expect(await eventually { first.statistics.readingsAcknowledged > 200 })
        // However fast it was: from here on nothing is acknowledged any more.
        broker.suspend()
        plant.append(10_000, from: 10_000)
        #expect(await eventually { first.statistics.inFlight > 0 })
        broker.kill()
        #expect(await eventually { !first.statistics.isConnected })
        first.stop(drainFor: .zero)
        let cursor = plant.journal.openCursor(sink: "plant")
        #expect(cursor == first.statistics.cursor)
        #expect(!isDrained(), "the broker was killed in the middle")
        try broker.start()
        let peer = try TestSubscriber(port: broker.port)
        let second = sink(port: broker.port)
        second.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { readings(peer.messages).last?.value == 19_999 })
        let found = readings(peer.messages)
        #expect(
            found.first?.sequence == cursor.value, "nothing that was acknowledged comes again, nothing else is left out"
        )
        expectComplete(found, values: (found.first?.value ?? 0)..<20_000)
        second.stop(drainFor: .zero)
    }

    @Test("loses nothing when the link breaks again and again; what comes twice has the same number")
    func restarts() async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        // Small payloads: hundreds of messages on their way, and most of a chunk still to send, when the link breaks.
        let sink = sink(port: broker.port, window: 5, payloadBytes: 300)
        sink.start()
        var breaksInTheMiddle = 0
        for round in 0..<4 {
            plant.append(500, from: round * 500)
            let target = UInt64(round) * 500 + 100
            #expect(await eventually { sink.statistics.cursor.value > target })
            broker.stop()
            #expect(await eventually { !sink.statistics.isConnected })
            if !isDrained() { breaksInTheMiddle += 1 }
            try broker.start()
        }
        #expect(breaksInTheMiddle > 0)
        #expect(await eventually { isDrained() })
        #expect(await eventually { Set(readings(peer.messages).map(\.value)).count == 2000 })
        let found = readings(peer.messages)
        let bySequence = Dictionary(found.map { ($0.sequence, $0.value) }, uniquingKeysWith: { $0 == $1 ? $0 : -1 })
        #expect(bySequence.count == 2000)
        #expect(!bySequence.values.contains(-1), "a number means one reading for ever")
        sink.stop(drainFor: .zero)
    }

    @Test("tells alarms retained, gaps not, and its own state with birth and will")
    func otherMessages() async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        let transition = AlarmTransition(
            alarm: "press/hot", state: .active, priority: .critical, device: "press", tag: "t", value: 91, limit: 90,
            unit: "°C", timestamp: TestJournal.time(1), since: TestJournal.time(0), message: "hot", action: "cool")
        plant.journal.append(transition)
        plant.append(1, from: 7)
        let sink = sink(port: broker.port)
        sink.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { peer.messages.count >= 3 })
        #expect(
            peer.messages.map(\.topic) == [
                "acme/lyon/lineside/status", "acme/lyon/lineside/alarms/press/hot",
                "acme/lyon/stamping/line_2/press_8/meter",
            ])
        #expect(peer.messages[0].json["state"] as? String == "online")
        #expect(peer.messages[1].json["priority"] as? String == "critical")
        sink.stop(drainFor: .zero)
        #expect(await eventually { peer.messages.count >= 4 })
        #expect(peer.messages.last?.json["state"] as? String == "offline")
        // Who comes later still learns of the alarm and that nobody is there.
        let late = try TestSubscriber(port: broker.port)
        #expect(await eventually { late.messages.count >= 2 })
        #expect(
            Set(late.messages.map(\.topic)) == ["acme/lyon/lineside/status", "acme/lyon/lineside/alarms/press/hot"])
        #expect(late.messages.allSatisfy { $0.isRetained })
    }

    @Test("drains before it stops, and stops in time when nobody listens")
    func draining() async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        let first = sink(port: broker.port)
        first.start()
        plant.append(5000, from: 0)
        first.stop(drainFor: .seconds(60))
        #expect(isDrained())
        #expect(await eventually { readings(peer.messages).count >= 5000 })
        broker.kill()
        plant.append(1, from: 5000)
        let second = sink(port: broker.port)
        second.start()
        let clock = SystemClock()
        let asked = clock.monotonic()
        second.stop(drainFor: .milliseconds(300))
        let taken = clock.monotonic().duration(since: asked)
        #expect(taken >= .milliseconds(300) && taken < .seconds(30))
        #expect(!isDrained())
    }

    @Test("sets a message aside that no broker can take, and goes on behind it")
    func poison() async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        // A topic of more than 65,535 bytes cannot be said in MQTT (1.5.3).
        let alarm = AlarmTransition(
            alarm: "a/" + String(repeating: "x", count: 200), state: .active, priority: .low, device: "", tag: "",
            value: 1, limit: 1, unit: "", timestamp: TestJournal.time(0), since: TestJournal.time(0), message: "",
            action: "")
        var plan = mqttPlan(port: broker.port)
        plan.alarmTopic = "plant/" + String(repeating: "long", count: 16_380)
        plant.append(3, from: 0)
        plant.journal.append(alarm)
        plant.append(3, from: 3)
        let sink = sink(plan)
        sink.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { readings(peer.messages).count >= 6 })
        #expect(readings(peer.messages).map(\.value) == [0, 1, 2, 3, 4, 5])
        #expect(sink.statistics.setAside == 1)
        #expect(sink.statistics.lastSetAside != nil)
        sink.stop(drainFor: .zero)
        let kept = try plant.setAside("plant")
        #expect(kept.count == 1 && kept[0]["reason"] as? String == sink.statistics.lastSetAside)
        #expect((kept[0]["records"] as? [[String: Any]])?.first?["alarm"] as? String == alarm.alarm)
    }

    @Test(
        "announces before the first reading, within its window, and again after a break",
        arguments: [MessageShape.homeassistant, .thingsboard, .opcuaPubSub])
    func announcements(shape: MessageShape) async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        var plan = mqttPlan(port: broker.port, window: 2)
        (plan.shape, plan.topic, plan.isRetained) = (shape, shape.usualTopic, shape.isRetained)
        let sink = sink(plan)
        plant.append(3, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        let count = shape == .homeassistant ? 6 : 2
        func isAnnouncement(_ message: TestSubscriber.Message) -> Bool {
            message.topic.hasSuffix("/config") || message.topic.hasSuffix("/connect")
                || message.topic.contains("/metadata/")
        }
        // Status, announcements, and at least one message of readings.
        #expect(await eventually { peer.messages.count >= count + 2 })
        #expect(peer.messages.prefix(count + 1).filter(isAnnouncement).count == count)
        #expect(!isAnnouncement(peer.messages[count + 1]))
        broker.stop()
        #expect(await eventually { !sink.statistics.isConnected })
        plant.append(1, from: 3)
        try broker.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { peer.messages.filter(isAnnouncement).count >= 2 * count })
        #expect(sink.statistics.readingsAcknowledged == 4 && sink.statistics.setAside == 0)
        sink.stop(drainFor: .zero)
    }
}
