// A sink before every broker that misbehaves, in both versions of MQTT; and what refusals mean.

import GatewayModel
import GatewayPlatform
import Journal
import MQTTLink
import TestSupport
import Testing
import Upstream

@Suite("An MQTT sink and hostile brokers", .timeLimit(.minutes(3)))
struct HostileBrokerTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func sink(
        _ broker: HostileBroker, version: UInt8, health: Duration? = nil, clock: any GatewayClock = FastClock()
    )
        -> Sink
    {
        var plan = mqttPlan(port: broker.port, payloadBytes: 1000)
        plan.broker.version = version == 5 ? .v5 : .v311
        plan.health = health
        return Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .mqtt(plan)), journal: plant.journal,
            clock: clock, logger: quiet
        ) { [plan] in MQTTReceiver(plan: plan, context: $0) }
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    @Test("loses nothing and sets nothing aside, whatever the broker does", arguments: Misbehaviour.allInEachVersion)
    func hostile(misbehaviour: Misbehaviour, version: UInt8) async throws {
        let broker = HostileBroker(misbehaviour)
        defer { broker.stop() }
        plant.append(100, from: 0)
        let sink = sink(broker, version: version)
        sink.start()
        #expect(await eventually { broker.connections >= 2 || isDrained() }, "it tries again, or gets along")
        let seen = sink.lastProgress
        #expect(await eventually { sink.lastProgress > seen }, "its thread lives")
        #expect(sink.statistics.setAside == 0)
        broker.turn(to: nil)
        plant.append(100, from: 100)
        #expect(await eventually { isDrained() }, "\(sink.statistics)")
        #expect(sink.statistics.readingsAcknowledged >= 200 && sink.statistics.setAside == 0)
        #expect(broker.receipts.distinct == 200 && broker.receipts.missing(through: 200) == 0)
        sink.stop(drainFor: .zero)
    }

    @Test("sends again what one broker alone has left without an answer, however well it answers everything else")
    func leftOut() async throws {
        let broker = HostileBroker(.leavesOneOut)
        defer { broker.stop() }
        let sink = sink(broker, version: 4, health: .seconds(1))
        sink.start()
        plant.append(100, from: 0)
        #expect(await eventually { sink.statistics.inFlight > 0 })
        #expect(await eventually { broker.connections >= 2 })
        broker.turn(to: nil)
        #expect(await eventually { isDrained() })
        #expect(broker.receipts.missing(through: 100) == 0 && broker.receipts.duplicates > 0)
        sink.stop(drainFor: .zero)
    }

    @Test("makes no room for a packet of 32 MB, in the open or in TLS", arguments: [false, true])
    func longPacket(isSecured: Bool) async throws {
        let broker = HostileBroker(Misbehaviour.longMessage)
        defer { broker.stop() }
        let front = isSecured ? try TestTLSFront(to: broker.port, for: "IP:127.0.0.1") : nil
        var plan = mqttPlan(port: front?.port ?? broker.port)
        plan.broker.tls = front.map { TLSPlan(authorities: $0.certificate) }
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .mqtt(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { [plan] in MQTTReceiver(plan: plan, context: $0) }
        sink.start()
        #expect(await eventually { sink.statistics.lastError?.contains("longer than can be held") == true })
        broker.turn(to: nil)
        plant.append(10, from: 0)
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
    }

    @Test(
        "passes a message by only when the message itself is refused",
        arguments: [
            (0x90, true), (0x95, true), (0x99, true), (0x80, false), (0x83, false), (0x87, false), (0x97, false),
        ]
            as [(UInt8, Bool)])
    func refusals(reason: UInt8, isForGood: Bool) {
        #expect(Refusal.isForGood(reason) == isForGood)
    }

    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

    /// The ids that are refused for good; nil: look again.
    private func believed(_ verdict: RefusalDoubts.Verdict) -> [Int32]? {
        if case .believed(let refused) = verdict { refused.map(\.id) } else { nil }
    }

    @Test("believes a refusal when messages before and behind it are taken")
    func believed() {
        var doubts = RefusalDoubts()
        #expect(believed(doubts.taken()) == [] && doubts.overdue(at: at(100)) == nil)
        doubts.add(7, reason: 0x99, at: at(10))
        doubts.add(8, reason: 0x90, at: at(11.5))
        #expect(doubts.overdue(at: at(11.9)) == nil)
        #expect(believed(doubts.taken()) == [7, 8])
        #expect(believed(doubts.taken()) == [] && doubts.overdue(at: at(100)) == nil)
    }

    @Test("sends once more what was refused before anything was taken, and then believes it")
    func secondLook() {
        var doubts = RefusalDoubts()
        doubts.add(7, reason: 0x90, at: at(0))
        #expect(believed(doubts.taken()) == nil)
        #expect(believed(doubts.taken()) == [], "what is still heard of the connection that goes")
        doubts.linkChanged()
        doubts.add(1, reason: 0x90, at: at(1))
        #expect(believed(doubts.taken()) == [1])
        doubts.linkChanged()
        doubts.add(1, reason: 0x90, at: at(2))
        #expect(believed(doubts.taken()) == nil, "the next one gets its second look, too")
    }

    @Test("doubts a broker that refuses everything, and starts anew when it has changed its mind")
    func doubted() {
        var doubts = RefusalDoubts()
        for _ in 0..<2 {
            doubts.linkChanged()
            doubts.add(9, reason: 0x90, at: at(20))
            #expect(doubts.overdue(at: at(22)) == 0x90)
        }
        doubts.linkChanged()
        doubts.add(9, reason: 0x90, at: at(50))
        #expect(believed(doubts.taken()) == nil)
    }
}
