// What an edge node puts on the wire besides messages: how it connects, subscribes and goes.

import Foundation
import GatewayModel
import GatewayPlatform
import Glibc
import Journal
import Sparkplug
import Synchronization
import TestSupport
import Testing
import Upstream

@testable import UpstreamSparkplug

/// A broker for one connection that says yes to everything and keeps every packet.
private final class RecordingBroker: Sendable {
    let port: UInt16
    private let packets = Mutex<[[UInt8]]>([])

    init() {
        let listener = TestSocket.listen(port: 0)
        port = listener.port
        Thread.detachNewThread { [weak self] in
            let peer = accept(listener.descriptor, nil, nil)
            var bytes = [UInt8](repeating: 0, count: 65536)
            var pending: [UInt8] = []
            while case let count = unsafe read(peer, &bytes, bytes.count), count > 0 {
                pending += bytes[..<count]
                while let end = Self.end(of: pending) {
                    let packet = Array(pending[..<end])
                    pending.removeFirst(end)
                    self?.packets.withLock { $0.append(packet) }
                    let answer = Self.answer(to: packet)
                    _ = unsafe write(peer, answer, answer.count)
                }
            }
            close(peer)
            close(listener.descriptor)
        }
    }

    var all: [[UInt8]] { packets.withLock { $0 } }

    private static func head(_ bytes: [UInt8]) -> (size: Int, rest: Int)? {
        var (rest, shift) = (0, 0)
        for (index, byte) in bytes.dropFirst().prefix(4).enumerated() {
            rest |= Int(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { return (index + 2, rest) }
        }
        return nil
    }

    private static func end(of bytes: [UInt8]) -> Int? {
        guard let head = head(bytes), bytes.count >= head.size + head.rest else { return nil }
        return head.size + head.rest
    }

    /// Everything behind the fixed header.
    static func content(_ packet: [UInt8]) -> [UInt8] { Array(packet.dropFirst(head(packet)?.size ?? 0)) }

    private static func answer(to packet: [UInt8]) -> [UInt8] {
        let content = content(packet)
        switch packet[0] {
        case 0x10: return [0x20, 2, 0, 0]
        case 0x82: return [0x90, 3, content[0], content[1], 1]
        case 0x32:
            let topic = Int(content[0]) << 8 | Int(content[1])
            return [0x40, 2, content[2 + topic], content[3 + topic]]
        default: return []
        }
    }
}

@Suite("The packets of an edge node", .timeLimit(.minutes(3)))
struct PacketTests {
    @Test("begin with a clean session and NDEATH as the will, subscribe with QoS 1, and end with NDEATH and DISCONNECT")
    func packets() async throws {
        let (plant, broker) = (try Plant(), RecordingBroker())
        let plan = nodePlan(port: broker.port)
        let surroundings = plant.surroundings()
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .sparkplug(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { SparkplugReceiver(plan: plan, context: $0, surroundings: surroundings) }
        sink.start()
        #expect(await eventually { sink.statistics.isConnected })
        sink.stop(drainFor: .zero)
        #expect(await eventually { broker.all.last == [0xE0, 0] }, "DISCONNECT")
        let packets = broker.all
        let connect = RecordingBroker.content(packets[0])
        #expect(packets[0][0] == 0x10 && connect[2..<6] == [0x4D, 0x51, 0x54, 0x54] && connect[6] == 4, "MQTT 3.1.1")
        // Clean session, a will, its QoS 1, not retained (MQTT 3.1.1, 3.1.2.3).
        #expect(connect[7] & 0b0011_1110 == 0b0000_1110)
        let text = String(decoding: connect, as: Unicode.ASCII.self)
        #expect(text.contains("spBv1.0/acme/NDEATH/lyon") && text.contains("bdSeq"))
        let subscriptions = packets.filter { $0[0] == 0x82 }.map { RecordingBroker.content($0).dropFirst(4) }
        #expect(subscriptions.allSatisfy { $0.last == 1 }, "QoS 1")
        #expect(
            Set(subscriptions.map { String(decoding: $0.dropLast(), as: UTF8.self) }) == [
                "spBv1.0/acme/NCMD/lyon", "spBv1.0/acme/DCMD/lyon/+",
            ])
        let published = packets.filter { $0[0] & 0xF0 == 0x30 }
        #expect(
            published.map { $0[0] } == [0x30, 0x30, 0x30, 0x32], "births with QoS 0, the death with 1, none retained")
        let birth = try #require(packets.firstIndex { $0[0] == 0x30 })
        #expect(packets[..<birth].filter { $0[0] == 0x82 }.count == 2, "all is subscribed before the birth")
    }

    @Test("to brokers that misbehave lose nothing: the next good one gets all", arguments: Misbehaviour.breaking)
    func hostile(misbehaviour: Misbehaviour) async throws {
        let (plant, hostile) = (try Plant(), HostileBroker(misbehaviour))
        defer { hostile.stop() }
        for index in 0..<50 { plant.read(0, 1, .integer(Int64(index)), at: moment(index)) }
        let plan = nodePlan(port: hostile.port)
        let surroundings = plant.surroundings()
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .sparkplug(plan)), journal: plant.journal,
            clock: FastClock(), logger: quiet
        ) { SparkplugReceiver(plan: plan, context: $0, surroundings: surroundings) }
        sink.start()
        #expect(await eventually { hostile.connections >= 2 }, "it tries again")
        #expect(sink.statistics.readingsAcknowledged == 0)
        let broker = try TestBroker()
        hostile.giveWay(to: broker.port)
        let subscriber = try TestByteSubscriber(port: broker.port, topic: "spBv1.0/acme/#")
        #expect(await eventually { plant.journal.backlog(of: "plant").records == 0 })
        #expect(sink.statistics.readingsAcknowledged == 50 && sink.statistics.setAside == 0)
        plant.read(0, 1, .integer(50), at: moment(50))
        #expect(
            await eventually {
                HostView(subscriber.messages).all(.deviceData).last?.metric("state")?.content == .long(50)
                    || subscriber.messages.first?.topic.contains("NBIRTH") == false
            })
        sink.stop(drainFor: .zero)
    }
}
