// A source against a real broker, against bad payloads and against brokers that misbehave.

import Acquisition
import Foundation
import GatewayModel
import GatewayPlatform
import Logging
import MQTTDriver
import MQTTLink
import Simulation
import Synchronization
import TestSupport
import Testing

/// Keeps every batch that a source delivers.
private final class Basket: Sendable {
    private let batches = Mutex<[ReadingBatch]>([])
    @Sendable func take(_ more: inout [ReadingBatch]) -> Bool {
        batches.withLock { $0 += more }
        more.removeAll()
        return true
    }
    var all: [ReadingBatch] { batches.withLock { $0 } }
    /// The good numbers of one tag, in the order of their delivery.
    func numbers(of tag: Int) -> [Double] {
        all.flatMap(\.readings).filter { $0.tag == TagID(tag) && $0.quality.isGood }.compactMap(\.number)
    }
    func qualities(of tag: Int) -> [Quality] { all.flatMap(\.readings).filter { $0.tag == TagID(tag) }.map(\.quality) }
}

@Suite("An MQTT source", .timeLimit(.minutes(3)))
struct MQTTSourceTests {
    private let basket = Basket()

    private func source(
        port: UInt16, host: String = "127.0.0.1", clock: any GatewayClock = SystemClock(), every: Duration? = nil
    ) -> MQTTSource {
        func subscription(_ name: String, device: Int, key: String) -> MQTTSubscriptionPlan {
            MQTTSubscriptionPlan(
                topic: "plant/\(name)", device: DeviceID(device), name: name, every: every,
                tags: [MessageDecoderTests.tag(device, key, .real)])
        }
        let plan = MQTTSourcePlan(
            name: "floor", broker: BrokerPlan(host: host, port: port, clientID: "lineside-\(port)"),
            subscriptions: [subscription("good", device: 0, key: "v"), subscription("bad", device: 1, key: "v")])
        return MQTTSource(
            plan: plan, clock: clock, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            deliver: basket.take)
    }

    /// Connected is not yet subscribed, and each topic is subscribed by itself: messages tell. Afterwards none of them is
    /// still on its way: a last one, told apart by its number, has come through behind them.
    private func isSubscribed(_ source: MQTTSource, port: UInt16, topics: [String] = ["good"]) async throws -> Bool {
        for (tag, topic) in topics.enumerated() {
            let isHeard = try await eventually {
                try TestPublisher.publish(port: port, topic: "plant/\(topic)", payload: "{\"v\":0}")
                return !basket.numbers(of: tag).isEmpty
            }
            guard isHeard else { return false }
            try TestPublisher.publish(port: port, topic: "plant/\(topic)", payload: "{\"v\":-1}")
            guard await eventually({ basket.numbers(of: tag).last == -1 }) else { return false }
        }
        return true
    }

    @Test(
        "delivers what is published, by name or address, and comes back when the broker does",
        arguments: ["localhost", "127.0.0.1"])
    func reconnects(host: String) async throws {
        let broker = try TestBroker()
        let source = source(port: broker.port, host: host)
        source.start()
        defer { source.stop() }
        #expect(try await isSubscribed(source, port: broker.port))
        for round in 1...2 {
            if round == 1 { broker.stop() } else { broker.kill() }
            #expect(await eventually { !source.statistics.isConnected })
            #expect(source.statistics.lastError != nil)
            try broker.start()
            let count = basket.all.count
            #expect(
                try await eventually {
                    try TestPublisher.publish(port: broker.port, topic: "plant/good", payload: "{\"v\":\(round)}")
                    return basket.all.count > count
                })
            #expect(basket.numbers(of: 0).last == Double(round))
            #expect(source.statistics.isConnected)
        }
    }

    @Test("is disturbed by no bad payload: each is counted by its cause, and the next good one arrives")
    func badPayloads() async throws {
        let broker = try TestBroker()
        let source = source(port: broker.port)
        source.start()
        defer { source.stop() }
        #expect(try await isSubscribed(source, port: broker.port, topics: ["good", "bad"]))
        let (before, spoken) = (basket.numbers(of: 0).count, basket.qualities(of: 1).count)
        let messages = source.statistics.subscriptions[1].messages
        let huge = "{\"v\":1,\"pad\":\"" + String(repeating: "x", count: 300 * 1024) + "\"}"
        for payload in ["{\"v\":", "{\"v\":\"12.5\"}", "{\"w\":1}", huge, "v=1"] {
            try TestPublisher.publish(port: broker.port, topic: "plant/bad", payload: payload)
            try TestPublisher.publish(port: broker.port, topic: "plant/good", payload: "{\"v\":5}")
        }
        #expect(await eventually { basket.numbers(of: 0).count == before + 5 })
        let statistics = source.statistics
        #expect(statistics.notJSON == 2)
        #expect(statistics.typeMismatch == 1)
        #expect(statistics.missingField == 1)
        #expect(statistics.tooLarge == 1)
        #expect(statistics.unknownTopic == 0)
        #expect(statistics.isConnected, "the link was never lost")
        #expect(statistics.subscriptions[0].errors == 0)
        #expect(statistics.subscriptions[1].errors == 5)
        #expect(statistics.subscriptions[1].messages == messages + 5)
        #expect(Array(basket.qualities(of: 1).dropFirst(spoken)) == [.badTypeMismatch, .badDecodingError])
    }

    @Test("tells once that it cannot be reached, and that a device has fallen silent")
    func silence() async throws {
        // No time passes but what is said here, however long the machine takes for it.
        let (broker, clock) = (try TestBroker(), VirtualClock())
        let source = source(port: broker.port, clock: clock, every: .seconds(10))
        source.start()
        defer { source.stop() }
        #expect(try await isSubscribed(source, port: broker.port))
        clock.advance(by: .seconds(31))
        #expect(await eventually { basket.qualities(of: 0).last == .uncertainLastUsableValue })
        #expect(await eventually { basket.qualities(of: 1).last == .badWaitingForInitialData })
        broker.kill()
        #expect(await eventually { !source.statistics.isConnected })
        clock.advance(by: .seconds(6))
        #expect(await eventually { basket.qualities(of: 0).last == .badNoCommunication })
        #expect(basket.qualities(of: 0).count { $0 == .uncertainLastUsableValue } == 1)
        #expect(basket.qualities(of: 0).count { $0 == .badNoCommunication } == 1)
    }

    @Test("acknowledges nothing before the log has it: without that the broker brings all of it again")
    func custody() async throws {
        let broker = try TestBroker()
        let isSafe = Atomic(false)
        let receipts = Mutex<[Receipt]>([])
        let custody = Custody(
            entrust: { receipt in
                receipts.withLock { $0.append(receipt) }
                return true
            }, isSafe: { _ in isSafe.load(ordering: .acquiring) }, listen: { _, _ in })
        var plan = self.source(port: broker.port).plan
        plan.broker.isSessionKept = true
        plan.subscriptions[0].qos = 2
        func source() -> MQTTSource {
            MQTTSource(
                plan: plan, clock: SystemClock(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                custody: custody, deliver: basket.take)
        }
        isSafe.store(true, ordering: .releasing)
        let first = source()
        first.start()
        #expect(try await isSubscribed(first, port: broker.port))
        #expect(await eventually { receipts.withLock { !$0.isEmpty } }, "a commit is asked for")
        first.stop()
        isSafe.store(false, ordering: .releasing)
        let second = source()
        second.start()
        for number in 1...5 {
            try TestPublisher.publish(port: broker.port, topic: "plant/good", payload: "{\"v\":\(number)}")
        }
        #expect(await eventually { basket.numbers(of: 0).suffix(5) == [1, 2, 3, 4, 5] })
        second.stop()
        let before = basket.numbers(of: 0).count
        let third = source()
        third.start()
        #expect(await eventually { basket.numbers(of: 0).count == before + 5 }, "they come again")
        #expect(basket.numbers(of: 0).suffix(5) == [1, 2, 3, 4, 5])
        // The connection breaks while the process lives: what comes again is known, and counts once.
        broker.stop()
        #expect(await eventually { !third.statistics.isConnected })
        try broker.start()
        #expect(await eventually { third.statistics.repeated == 5 })
        isSafe.store(true, ordering: .releasing)
        #expect(
            try await eventually {
                try TestPublisher.publish(port: broker.port, topic: "plant/good", payload: "{\"v\":6}")
                return basket.numbers(of: 0).last == 6
            })
        third.stop()
        let settled = basket.all.count
        let fourth = source()
        fourth.start()
        #expect(try await isSubscribed(fourth, port: broker.port))
        let later = basket.all[settled...].flatMap(\.readings).compactMap(\.number)
        #expect(!later.contains { (1...5).contains($0) }, "what was acknowledged does not come again: \(later)")
        fourth.stop()
    }

    @Test("asks a Sparkplug node for its births when it hears data without them")
    func rebirth() async throws {
        let broker = try TestBroker()
        let listener = try TestSubscriber(port: broker.port, topic: "spBv1.0/G/NCMD/N")
        var plan = self.source(port: broker.port).plan
        plan.broker.isSessionKept = true
        plan.subscriptions = [
            MQTTSubscriptionPlan(
                topic: "spBv1.0/G/+/N/#", device: DeviceID(0), name: "node", payload: .sparkplug,
                tags: [PayloadKindTests.tag(0, .metric("cpu"))])
        ]
        let source = MQTTSource(
            plan: plan, clock: SystemClock(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            deliver: basket.take)
        source.start()
        defer { source.stop() }
        // A payload with a count and nothing else: 3 is the field of `seq`.
        #expect(
            try await eventually {
                try TestPublisher.publish(port: broker.port, topic: "spBv1.0/G/NDATA/N", payload: "\u{18}\u{5}")
                return !listener.messages.isEmpty
            })
        #expect(listener.messages.first?.topic == "spBv1.0/G/NCMD/N")
        #expect(source.statistics.gaps > 0)
    }

    @Test("outlives every broker that misbehaves", arguments: Misbehaviour.breaking)
    func hostile(misbehaviour: Misbehaviour) async throws {
        let hostile = HostileBroker(misbehaviour)
        defer { hostile.stop() }
        let source = source(port: hostile.port, clock: FastClock())
        source.start()
        defer { source.stop() }
        #expect(await eventually { hostile.connections >= 2 }, "it tries again")
        let broker = try TestBroker()
        hostile.giveWay(to: broker.port)
        #expect(try await isSubscribed(source, port: broker.port))
        #expect(source.statistics.isConnected)
    }

    @Test("makes progress at least once a second while nobody answers, and stops at once")
    func progress() async throws {
        let hostile = HostileBroker(.silence)
        defer { hostile.stop() }
        let clock = SystemClock()
        let source = source(port: hostile.port, clock: clock)
        source.start()
        #expect(await eventually { hostile.connections >= 1 })
        let seen = source.lastProgress
        #expect(await eventually(within: 5) { source.lastProgress > seen })
        let asked = clock.monotonic()
        source.stop()
        #expect(clock.monotonic().duration(since: asked) < .seconds(5))
        #expect(!source.statistics.isConnected)
    }
}
