// An edge node between a real journal and a real broker, as a strict host sees it.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import MQTTLink
import Sparkplug
import Synchronization
import TestSupport
import Testing
import Upstream

@testable import UpstreamSparkplug

@Suite("A Sparkplug sink", .timeLimit(.minutes(3)))
struct SparkplugSinkTests {
    private let plant: Plant
    private let broker: TestBroker
    private let subscriber: TestByteSubscriber
    private static let pressID = "stamping:line_2:press-7"
    private static let ovenID = "stamping:line_2:oven"
    private static let state = "spBv1.0/STATE/scada"

    init() throws {
        plant = try Plant()
        broker = try TestBroker()
        subscriber = try TestByteSubscriber(port: broker.port, topic: "spBv1.0/acme/#")
    }

    private func sink(
        _ plan: SparkplugReceiverPlan? = nil, _ surroundings: SparkplugSurroundings? = nil,
        order: SendingOrder = SendingOrder()
    ) -> Sink {
        let plan = plan ?? nodePlan(port: broker.port)
        let surroundings = surroundings ?? plant.surroundings()
        return Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", order: order, receiver: .sparkplug(plan)),
            journal: plant.journal, clock: SystemClock(), logger: quiet
        ) { SparkplugReceiver(plan: plan, context: $0, surroundings: surroundings) }
    }

    private var view: HostView { HostView(subscriber.messages) }
    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    private func hostSays(_ isOnline: Bool, _ timestamp: Int) throws {
        try TestPublisher.publish(
            port: broker.port, topic: Self.state, payload: "{\"online\":\(isOnline),\"timestamp\":\(timestamp)}",
            isRetained: true)
    }

    private func command(_ topic: String, isRetained: Bool = false, _ fill: (inout ProtobufBytes) -> Void) throws {
        var bytes = ProtobufBytes()
        bytes.unsigned(1, 1)
        bytes.message(2, fill)
        try TestPublisher.publish(port: broker.port, topic: topic, bytes: bytes.bytes, isRetained: isRetained)
    }

    private func askRebirth() throws {
        try command("spBv1.0/acme/NCMD/lyon") {
            $0.text(1, "Node Control/Rebirth")
            $0.unsigned(4, 11)
            $0.flag(14, true)
        }
    }

    @Test("births node and devices with all that is known of each tag, then sends data, then dies in order")
    func life() async throws {
        plant.say(0, .real(11.5), at: moment(5))
        plant.say(1, .integer(1), .uncertainLastUsableValue, at: moment(6))
        plant.say(2, .none, .badSensorFailure, at: moment(7))
        let sink = sink(nil, plant.surroundings(writable: ["stamping/line 2/press-7/state"]))
        sink.start()
        #expect(await eventually { sink.statistics.isConnected })
        plant.read(0, 0, .real(12.5), at: moment(100))
        plant.read(1, 4, .real(800), at: moment(100))
        #expect(await eventually { isDrained() })
        #expect(sink.statistics.readingsAcknowledged == 2)
        sink.stop(drainFor: .zero)
        #expect(await eventually { view.all(.nodeDeath).count == 1 })
        let host = view
        #expect(host.breaches == [])
        #expect(
            host.heard.map(\.verb) == [.nodeBirth, .deviceBirth, .deviceBirth, .deviceData, .deviceData, .nodeDeath])

        let node = host.heard[0]
        #expect(node.message.topic == "spBv1.0/acme/NBIRTH/lyon" && node.payload.seq == 0)
        #expect(node.metric("bdSeq")?.value(as: .int64) == .integer(0) && node.metric("bdSeq")?.datatype == 4)
        #expect(host.heard.last?.payload.metrics[0].content == node.metric("bdSeq")?.content)
        let rebirth = try #require(node.metric("Node Control/Rebirth"))
        #expect(rebirth.content == .boolean(false) && rebirth.datatype == 11 && rebirth.alias == nil)
        #expect(node.metric("Properties/Gateway")?.content == .string("acme/lyon"))
        #expect(node.metric("Properties/Stream")?.content == .string(plant.journal.stream))
        #expect(node.metric("Gap")?.isNull == true)

        let device = try #require(host.all(.deviceBirth, Self.pressID).first)
        #expect(device.message.topic == "spBv1.0/acme/DBIRTH/lyon/stamping:line_2:press-7")
        #expect(device.metrics.map(\.name) == ["current_l1", "state", "running", "batch"])
        #expect(device.metrics.map(\.metric.datatype) == [10, 4, 11, 12])
        let current = try #require(device.metric("current_l1"))
        #expect(
            current.content == .double(11.5) && current.timestamp == firstMoment + 5 && current.description == "hr 0")
        #expect(
            current.properties == [
                "engUnit": .string("A"), "engLow": .double(-10), "engHigh": .double(110.5), "readOnly": .boolean(true),
            ])
        let state = try #require(device.metric("state"))
        #expect(state.quality == .stale && state.content == .long(1) && state.description == "hr 1: 1 = running")
        // Writable in the gateway, but this sink takes no commands.
        #expect(state.properties["readOnly"] == .boolean(true))
        let running = try #require(device.metric("running"))
        #expect(
            running.isNull && running.quality == .bad && running.properties["Status"] == .string("BadSensorFailure"))
        let batch = try #require(device.metric("batch"))
        #expect(batch.isNull && batch.quality == .stale, "never read")

        let data = try #require(host.all(.deviceData, Self.pressID).first)
        #expect(data.metrics.map(\.name) == ["current_l1"] && data.metrics[0].metric.content == .double(12.5))
        #expect(!data.metrics[0].metric.isHistorical && data.payload.sequence != nil)
        let late = try TestByteSubscriber(port: broker.port, topic: "spBv1.0/acme/#")
        #expect(late.messages == [], "nothing is retained")
    }

    @Test("sends its number with the will, and the next with the next connection")
    func will() async throws {
        let sink = sink()
        sink.start()
        #expect(await eventually { view.all(.deviceBirth).count == 2 })
        for takeover in 1...2 {
            TestPublisher.takeOver(port: broker.port, clientID: nodePlan(port: broker.port).broker.clientID)
            #expect(await eventually { view.all(.nodeBirth).count == takeover + 1 })
        }
        plant.read(0, 0, .real(1), at: moment(1))
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        #expect(await eventually { view.all(.nodeDeath).count == 3 })
        let host = view
        #expect(host.breaches == [])
        func numbers(_ verb: SparkplugVerb) -> [SparkplugMetric.Content?] {
            host.all(verb).map { $0.payload.metrics.first { $0.name == "bdSeq" }?.content }
        }
        #expect(numbers(.nodeBirth) == [.long(0), .long(1), .long(2)])
        #expect(numbers(.nodeDeath) == [.long(0), .long(1), .long(2)])
        let late = try TestByteSubscriber(port: broker.port, topic: "spBv1.0/acme/#")
        #expect(late.messages == [], "wills are not retained")
        // A later run goes on.
        let again = self.sink()
        again.start()
        #expect(await eventually { view.all(.nodeBirth).count == 4 })
        again.stop(drainFor: .zero)
        #expect(view.all(.nodeBirth).last?.metric("bdSeq")?.content == .long(UInt64(plant.births.last ?? 0)))
        #expect(plant.births.last ?? 0 >= 3)
    }

    @Test("hands over what a lost broker has missed, as history behind the births, nothing lost and in order")
    func outage() async throws {
        // The node may be born again only when the host listens: what it says before nobody would hear.
        let isHostThere = Atomic(true)
        var surroundings = plant.surroundings()
        let tags = surroundings.tags
        surroundings.tags = {
            while !isHostThere.load(ordering: .acquiring) { usleep(1000) }
            return tags()
        }
        let sink = sink(nil, surroundings)
        sink.start()
        for index in 0..<300 { plant.read(0, 1, .integer(Int64(index)), at: moment(index)) }
        #expect(await eventually { isDrained() })
        broker.stop()
        #expect(await eventually { !sink.statistics.isConnected })
        for index in 300..<900 { plant.read(0, 1, .integer(Int64(index)), at: moment(index)) }
        isHostThere.store(false, ordering: .releasing)
        try broker.start()
        let host = try TestByteSubscriber(port: broker.port, topic: "spBv1.0/acme/#")
        isHostThere.store(true, ordering: .releasing)
        #expect(await eventually { isDrained() })
        plant.read(0, 1, .integer(900), at: moment(900))
        func heard() -> [SparkplugMetric] { HostView(host.messages).all(.deviceData).flatMap(\.metrics).map(\.metric) }
        #expect(await eventually { heard().last?.content == .long(900) })
        let late = HostView(host.messages)
        #expect(late.breaches == [])
        #expect(late.all(.deviceBirth, Self.pressID).first?.metric("state")?.content == .long(899))
        #expect(heard().map(\.content).suffix(601) == (300...900).map { .long(UInt64($0)) })
        #expect(heard().filter { !$0.isHistorical }.map(\.content) == [.long(900)])
        sink.stop(drainFor: .zero)
        #expect(sink.statistics.readingsAcknowledged >= 901 && sink.statistics.setAside == 0)
    }

    @Test("keeps everything while its primary host is away, dies when it goes, and replays as history when it is back")
    func primaryHost() async throws {
        var plan = nodePlan(port: broker.port)
        plan.primaryHost = "scada"
        try hostSays(false, 1000)
        let sink = sink(plan)
        sink.start()
        plant.read(0, 1, .integer(1), at: moment(1))
        // Another host's word counts for nothing.
        try TestPublisher.publish(
            port: broker.port, topic: "spBv1.0/STATE/other", payload: "{\"online\":true,\"timestamp\":9}",
            isRetained: true)
        #expect(await eventually { sink.lastProgress.nanoseconds > 0 })
        for _ in 0..<2 {
            let before = sink.lastProgress
            #expect(await eventually { sink.lastProgress > before }, "it comes round and has nothing to say")
        }
        #expect(view.heard.isEmpty && !sink.statistics.isConnected)
        try hostSays(true, 2000)
        #expect(await eventually { isDrained() })
        plant.read(0, 1, .integer(2), at: moment(2))
        #expect(await eventually { view.all(.deviceData).count >= 2 })
        // The will of its former session comes late.
        try hostSays(false, 1999)
        plant.read(0, 1, .integer(3), at: moment(3))
        #expect(await eventually { view.all(.deviceData).count >= 3 })
        #expect(view.all(.nodeDeath).isEmpty)
        try hostSays(false, 2000)
        #expect(await eventually { view.all(.nodeDeath).count == 1 })
        #expect(await eventually { !sink.statistics.isConnected })
        for value in 4..<54 { plant.read(0, 1, .integer(Int64(value)), at: moment(value)) }
        #expect(!isDrained())
        try hostSays(true, 3000)
        #expect(await eventually { isDrained() })
        plant.read(0, 1, .integer(54), at: moment(54))
        #expect(await eventually { view.all(.deviceData).last?.metric("state")?.content == .long(54) })
        let host = view
        #expect(host.breaches == [])
        #expect(host.all(.nodeBirth).count == 2)
        #expect(host.all(.nodeDeath)[0].payload.metrics[0].content == host.all(.nodeBirth)[0].metric("bdSeq")?.content)
        let metrics = host.all(.deviceData).flatMap(\.metrics).map(\.metric)
        #expect(metrics.map(\.content) == (1...54).map { .long(UInt64($0)) })
        let live = metrics.filter { !$0.isHistorical }.map(\.content)
        #expect(live == [.long(2), .long(3), .long(54)])
        sink.stop(drainFor: .zero)
    }

    @Test("births anew when a host asks, with the same number, once for many who ask")
    func rebirth() async throws {
        let sink = sink()
        sink.start()
        #expect(await eventually { view.all(.deviceBirth).count == 2 })
        plant.read(0, 1, .integer(1), at: moment(1))
        #expect(await eventually { isDrained() })
        for _ in 0..<5 { try askRebirth() }
        #expect(await eventually { view.all(.deviceBirth).count >= 4 })
        plant.read(0, 1, .integer(2), at: moment(2))
        #expect(await eventually { view.all(.deviceData).count >= 2 })
        sink.stop(drainFor: .zero)
        #expect(await eventually { view.all(.nodeDeath).count == 1 })
        let host = view
        #expect(host.breaches == [])
        #expect((2...4).contains(host.all(.nodeBirth).count), "at most one a second")
        #expect(Set(host.all(.nodeBirth).map { "\(String(describing: $0.metric("bdSeq")?.content))" }).count == 1)
        #expect(host.all(.nodeBirth).allSatisfy { $0.payload.seq == 0 })
        #expect(sink.statistics.setAside == 0)
    }

    @Test("passes on a write of a writable tag, by alias or by name, and refuses every other")
    func commands() async throws {
        var plan = nodePlan(port: broker.port)
        plan.takesCommands = true
        // Of long ago, and kept by the broker: it comes with every subscription.
        let topic = "spBv1.0/acme/DCMD/lyon/\(Self.pressID)"
        try command(topic, isRetained: true) {
            $0.text(1, "current_l1"); $0.double(13, 1)
        }
        let sink = sink(
            plan,
            plant.surroundings(writable: ["stamping/line 2/press-7/current_l1", "stamping/line 2/press-7/running"]))
        sink.start()
        #expect(await eventually { view.all(.deviceBirth).count == 2 })
        let birth = try #require(view.all(.deviceBirth, Self.pressID).first)
        #expect(
            birth.metrics.map { $0.metric.properties["readOnly"] } == [false, true, false, true].map { .boolean($0) })
        let alias = try #require(birth.metric("current_l1")?.alias)
        // Refused: not writable, unknown, another type, null, of another device, no payload.
        try command(topic) {
            $0.text(1, "state"); $0.unsigned(11, 5)
        }
        try command(topic) {
            $0.text(1, "nothing"); $0.unsigned(11, 5)
        }
        try command(topic) {
            $0.unsigned(2, alias); $0.text(15, "7")
        }
        try command(topic) {
            $0.unsigned(2, alias); $0.flag(7, true)
        }
        try command("spBv1.0/acme/DCMD/lyon/\(Self.ovenID)") {
            $0.unsigned(2, alias); $0.double(13, 1)
        }
        try command("spBv1.0/acme/DCMD/lyon/nobody") {
            $0.text(1, "current_l1"); $0.double(13, 1)
        }
        try command("spBv1.0/acme/NCMD/lyon") {
            $0.text(1, "Node Control/Reboot"); $0.flag(14, true)
        }
        try TestPublisher.publish(port: broker.port, topic: topic, bytes: [0x12, 0xFF])
        // Taken.
        try command(topic) {
            $0.unsigned(2, alias); $0.double(13, 42.5)
        }
        try command(topic) {
            $0.text(1, "running"); $0.unsigned(4, 11); $0.flag(14, true)
        }
        try command(topic) {
            $0.text(1, "current_l1"); $0.unsigned(4, 3); $0.unsigned(10, 0xFFFF_FFFF)
        }
        #expect(await eventually { plant.commands.count >= 3 })
        #expect(
            plant.commands == [
                SparkplugCommand(tag: "stamping/line 2/press-7/current_l1", value: .real(42.5)),
                SparkplugCommand(tag: "stamping/line 2/press-7/running", value: .boolean(true)),
                SparkplugCommand(tag: "stamping/line 2/press-7/current_l1", value: .integer(-1)),
            ])
        sink.stop(drainFor: .zero)
    }

    @Test("refuses writes where the site or the sink doesn't take them", arguments: [true, false])
    func noCommands(sinkTakesThem: Bool) async throws {
        var plan = nodePlan(port: broker.port)
        plan.takesCommands = sinkTakesThem
        let sink = sink(
            plan,
            plant.surroundings(writable: ["stamping/line 2/press-7/current_l1"], takesCommands: !sinkTakesThem))
        sink.start()
        #expect(await eventually { view.all(.deviceBirth).count == 2 })
        try command("spBv1.0/acme/DCMD/lyon/\(Self.pressID)") {
            $0.text(1, "current_l1"); $0.double(13, 1)
        }
        // Commands are handled in their order, so the birth says that the write was.
        try askRebirth()
        #expect(await eventually { view.all(.nodeBirth).count == 2 })
        #expect(plant.commands == [])
        sink.stop(drainFor: .zero)
    }

    @Test("tells that a device is gone when nothing of it answers, and its birth when it does again")
    func deviceDeath() async throws {
        let sink = sink()
        sink.start()
        plant.read(0, 0, .real(1), at: moment(1))
        plant.read(0, 1, .integer(1), at: moment(1))
        #expect(await eventually { view.all(.deviceData, Self.pressID).flatMap(\.metrics).count >= 2 })
        plant.read(0, 0, .none, .badTimeout, at: moment(2))
        plant.read(0, 1, .none, .badTimeout, at: moment(2))
        #expect(await eventually { view.all(.deviceDeath).map(\.device) == [Self.pressID] })
        plant.read(0, 0, .real(2), at: moment(3))
        #expect(await eventually { isDrained() && view.all(.deviceBirth, Self.pressID).count == 2 })
        plant.read(0, 0, .real(3), at: moment(4))
        #expect(await eventually { view.heard.last?.metric("current_l1")?.content == .double(3) })
        let host = view
        #expect(host.breaches == [])
        #expect(host.all(.deviceBirth, Self.pressID)[1].metric("current_l1")?.content == .double(2))
        #expect(host.all(.nodeBirth).count == 1)
        sink.stop(drainFor: .zero)
    }

    @Test("births anew when the configuration changes: what is new is told, what is gone has died")
    func reload() async throws {
        let sink = sink()
        sink.start()
        plant.read(1, 4, .real(1), at: moment(1))
        #expect(await eventually { isDrained() && view.all(.deviceData).count == 1 })
        var tags = standard.tags.map { tag in
            var tag = tag
            tag.isLive = tag.device == DeviceID(0)
            return tag
        }
        var devices = standard.devices
        devices[1].isLive = false
        tags.append(TagDescriptor(id: TagID(5), device: DeviceID(0), name: "pressure", kind: .real, unit: "bar"))
        plant.journal.adopt(TagTable(site: "acme/lyon", devices: devices, tags: tags))
        plant.read(0, 5, .real(6.5), at: moment(2))
        #expect(await eventually { isDrained() && view.all(.nodeBirth).count == 2 })
        plant.read(0, 5, .real(7.5), at: moment(3))
        #expect(await eventually { view.heard.last?.metric("pressure")?.content == .double(7.5) })
        let host = view
        #expect(host.breaches == [])
        #expect(host.all(.deviceDeath).map(\.device) == [Self.ovenID])
        let births = host.all(.deviceBirth)
        #expect(births.map(\.device) == [Self.pressID, Self.ovenID, Self.pressID])
        #expect(births[2].metric("pressure")?.properties["engUnit"] == .string("bar"))
        sink.stop(drainFor: .zero)
    }

    @Test("tells alarms as metrics, those that stand in the birth, and gaps")
    func alarms() async throws {
        plant.append(overcurrent(.active, at: moment(10)))
        let sink = sink()
        sink.start()
        #expect(await eventually { isDrained() })
        plant.append(overcurrent(.cleared, at: moment(20)))
        // Of this one nobody knows yet: a birth comes first.
        plant.append(overcurrent(.active, at: moment(30), alarm: "stamping/line 2/press-7/hot"))
        #expect(await eventually { isDrained() && view.all(.nodeBirth).count == 2 })
        plant.append(overcurrent(.cleared, at: moment(40), alarm: "stamping/line 2/press-7/hot"))
        #expect(await eventually { view.heard.last?.metric("Alarms/hot")?.content == .boolean(false) })
        let host = view
        #expect(host.breaches == [])
        #expect(host.all(.deviceBirth, Self.pressID)[0].metric("Alarms/overcurrent")?.content == .boolean(true))
        #expect(host.all(.deviceBirth, Self.pressID)[1].metric("Alarms/overcurrent")?.content == .boolean(false))
        let told = host.all(.deviceData).flatMap(\.metrics)
        #expect(
            told.map(\.name) == ["Alarms/overcurrent", "Alarms/overcurrent", "Alarms/hot", "Alarms/hot"])
        sink.stop(drainFor: .zero)
    }

    @Test("tells devices of one profile as instances of a template that the node's birth defines")
    func templates() async throws {
        let rows: [(path: String, tags: [TagRow])] = [("a", press), ("b", press), ("c", [("level", .real, "m")])]
        let plant = try Plant(table(rows))
        var plan = nodePlan(port: broker.port)
        let type = SparkplugReceiverPlan.Template(name: "press@2", version: "2")
        plan.templates = ["a": type, "b": type]
        plant.say(0, .real(1.5), at: moment(1))
        let surroundings = plant.surroundings()
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .sparkplug(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { [plan] in SparkplugReceiver(plan: plan, context: $0, surroundings: surroundings) }
        sink.start()
        plant.read(1, 4, .real(2.5), at: moment(2))
        plant.read(2, 8, .real(3.5), at: moment(2))
        #expect(await eventually { view.all(.deviceData).count == 2 })
        let host = view
        #expect(host.breaches == [])
        guard case .template(let definition)? = host.all(.nodeBirth)[0].metric("press@2")?.content,
            case .template(let instance)? = host.all(.deviceBirth, "a")[0].metric("a")?.content
        else { return #expect(Bool(false), "no templates") }
        #expect(definition.isDefinition && definition.reference == nil && definition.version == "2")
        #expect(definition.members.map(\.name) == press.map { $0.name })
        #expect(definition.members.allSatisfy { $0.alias == nil && $0.isNull })
        #expect(!instance.isDefinition && instance.reference == "press@2")
        #expect(instance.members.map(\.name) == press.map { $0.name })
        #expect(
            instance.members[0].content == .double(1.5) && instance.members[0].properties["engUnit"] == .string("A"))
        #expect(host.all(.deviceBirth, "c")[0].metric("level") != nil)
        #expect(host.all(.deviceData, "b")[0].metric("current_l1")?.content == .double(2.5))
        sink.stop(drainFor: .zero)
    }

    @Test("sends current data beside a backlog, and the backlog as history")
    func liveFirst() async throws {
        for index in 0..<4000 { plant.read(0, 1, .integer(Int64(index)), at: moment(index)) }
        var plan = nodePlan(port: broker.port)
        plan.payloadBytes = 2000
        let sink = sink(plan, order: SendingOrder(isLiveFirst: true, replayRate: 1000))
        sink.start()
        #expect(await eventually { sink.statistics.isConnected })
        plant.read(0, 1, .integer(4000), at: moment(4000))
        #expect(
            await eventually { view.all(.deviceData).flatMap(\.metrics).contains { $0.metric.content == .long(4000) } })
        #expect(await eventually { isDrained() })
        #expect(await eventually { view.all(.deviceData).flatMap(\.metrics).count >= 4001 })
        let host = view
        #expect(host.breaches == [])
        let metrics = host.all(.deviceData).flatMap(\.metrics).map(\.metric)
        #expect(Set(metrics.map { "\($0.content)" }).count == 4001)
        #expect(metrics.filter { !$0.isHistorical }.map(\.content) == [.long(4000)])
        #expect(metrics.last?.isHistorical == true, "it did not wait for the backlog's four seconds")
        sink.stop(drainFor: .zero)
    }
}
