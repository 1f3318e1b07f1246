// A channel on its own thread against real servers: libmodbus' server side, and sockets that misbehave.

import Acquisition
import Foundation
import GatewayModel
import GatewayPlatform
import Logging
import ModbusDriver
import Simulation
import Synchronization
import Testing

/// Collects what a channel delivers.
private final class Collector: Sendable {
    private let collected = Mutex<[Reading]>([])
    private let texts = Mutex<[String]>([])
    func take(_ batches: inout [ReadingBatch]) -> Bool {
        for batch in batches {
            for reading in batch.readings where reading.kind == .text {
                texts.withLock { $0.append(batch.value(of: reading).description) }
            }
        }
        let readings = batches.flatMap(\.readings)
        collected.withLock { $0 += readings }
        return true
    }
    var readings: [Reading] { collected.withLock { $0 } }
    var text: String? { texts.withLock(\.last) }
}

/// Waits for a condition, asking every few milliseconds; false when it did not come true within half a minute.
private func eventually(_ condition: () -> Bool) async -> Bool {
    let deadline = Date().addingTimeInterval(30)
    while Date() < deadline {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}

private func channel(port: UInt16, unit: UInt8 = 1, tags: [ModbusTagPlan], timeout: Duration = .milliseconds(200))
    -> (ModbusChannel, Collector)
{
    let scan = ModbusScanPlan(name: "fast", period: .milliseconds(20), tags: tags)
    let plan = ModbusChannelPlan(
        name: "live", host: "127.0.0.1", port: port,
        units: [ModbusUnitPlan(device: DeviceID(0), name: "device", unitID: unit, timeout: timeout, scans: [scan])])
    let collector = Collector()
    return (
        ModbusChannel(
            plan: plan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, deliver: collector.take),
        collector
    )
}

/// A server of one socket that accepts connections and does what `serve` says with each, on a thread for each.
///
/// No descriptor is closed while a thread may still use it: its number would be another test's socket at once, and that
/// test would lose its connections to this server, or find this server's bytes in them.
private final class RawServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex<[(client: Int32, thread: DedicatedThread)]>([])
    private let acceptor = Mutex<DedicatedThread?>(nil)

    init(serve: @escaping @Sendable (Int32) -> Void) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe _ = bind(descriptor, $0, length)
                listen(descriptor, 8)
                unsafe _ = getsockname(descriptor, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        let thread = DedicatedThread(name: "raw-server") { [self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else { return }
                let thread = DedicatedThread(name: "raw-client") { serve(client) }
                accepted.withLock { $0.append((client, thread)) }
            }
        }
        acceptor.withLock { $0 = thread }
    }

    var connections: Int { accepted.withLock(\.count) }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        acceptor.withLock { $0 }?.join()
        close(listener)
        for (client, thread) in accepted.withLock({ $0 }) {
            shutdown(client, Int32(SHUT_RDWR))
            thread.join()
            close(client)
        }
    }
}

@Suite("A Modbus channel on real sockets", .timeLimit(.minutes(2)))
struct LiveChannelTests {
    @Test("Every type in every word order reads back from libmodbus' own server")
    func everyType() async throws {
        var simulated: [SimulatedTag] = []
        var address = 0
        for table in [RegisterTable.holdingRegister, .inputRegister] {
            for type in RegisterType.allCases where !type.isText {
                for order in WordOrder.distinct(words: type.words) {
                    let plan = tagPlan(simulated.count, table, address, type, order: order)
                    let value = type == .bool ? 1 : Double(20 + simulated.count % 100)
                    simulated.append(SimulatedTag(plan: plan, signal: .constant(value)))
                    address += type.words + simulated.count % 3
                }
            }
        }
        for table in [RegisterTable.coil, .discreteInput] {
            for index in 0..<20 {
                let plan = tagPlan(
                    simulated.count, table, 3 + index, .bool, normalisation: NormalisationPlan(kind: .boolean))
                simulated.append(SimulatedTag(plan: plan, signal: .constant(index % 3 == 0 ? 1 : 0)))
            }
        }
        let text = tagPlan(
            simulated.count, .holdingRegister, 900, .string, words: 8, normalisation: NormalisationPlan(kind: .text))
        simulated.append(SimulatedTag(plan: text, signal: .text("PM5110 äöü")))
        let endpoint = try SimulatedEndpoint(
            plan: SimulatedChannel(
                name: "sim", host: "127.0.0.1", port: 0, units: [SimulatedUnit(unitID: 1, tags: simulated)]))
        endpoint.start()
        let (channel, collector) = channel(port: endpoint.port, tags: simulated.map(\.plan))
        channel.start()
        #expect(await eventually { collector.readings.count >= simulated.count })
        channel.requestStop()
        channel.join()
        endpoint.stop()

        var last: [TagID: Reading] = [:]
        for reading in collector.readings { last[reading.tag] = reading }
        for tag in simulated where !tag.plan.type.isText {
            guard case .constant(let expected) = tag.signal else { continue }
            #expect(
                last[tag.plan.tag]?.number == expected, "\(tag.plan.type) \(tag.plan.order) at \(tag.plan.at.address)")
            #expect(last[tag.plan.tag]?.quality == .good)
        }
        #expect(collector.text == "PM5110 äöü")
    }

    @Test("Nobody listening: no communication, again and again until somebody does")
    func refused() async throws {
        let probe = RawServer { _ in }
        let port = probe.port
        probe.stop()
        let (channel, collector) = channel(port: port, tags: [tagPlan(0, .holdingRegister, 0)])
        channel.start()
        #expect(await eventually { collector.readings.first?.quality == .badNoCommunication })
        let endpoint = try SimulatedEndpoint(
            plan: SimulatedChannel(
                name: "sim", host: "127.0.0.1", port: port,
                units: [
                    SimulatedUnit(
                        unitID: 1, tags: [SimulatedTag(plan: tagPlan(0, .holdingRegister, 0), signal: .constant(7))])
                ]))
        endpoint.start()
        #expect(await eventually { collector.readings.last?.number == 7 })
        channel.requestStop()
        channel.join()
        endpoint.stop()
    }

    @Test("A server that accepts and says nothing costs its time-out, and the channel ends when it is told to")
    func silent() async throws {
        let server = RawServer { _ in }
        let (channel, collector) = channel(
            port: server.port, tags: [tagPlan(0, .holdingRegister, 0)], timeout: .milliseconds(50))
        channel.start()
        #expect(await eventually { collector.readings.first?.quality == .badTimeout })
        channel.requestStop()
        channel.join()
        #expect(channel.statistics.units[0].timeouts >= 1)
        server.stop()
    }

    @Test("A server that closes every connection: connection closed")
    func closing() async throws {
        let server = RawServer { client in shutdown(client, Int32(SHUT_RDWR)) }
        let (channel, collector) = channel(port: server.port, tags: [tagPlan(0, .holdingRegister, 0)])
        channel.start()
        #expect(await eventually { collector.readings.contains { $0.quality == .badConnectionClosed } })
        channel.requestStop()
        channel.join()
        server.stop()
    }

    @Test("A byte every now and then is held to one deadline, not to one per byte")
    func dripping() async throws {
        let server = RawServer { client in
            var byte: UInt8 = 0
            // An endless stream of nothing, slower than the time-out would bear for a whole answer.
            while unsafe send(client, &byte, 1, Int32(MSG_NOSIGNAL)) == 1 { usleep(30_000) }
        }
        let (channel, collector) = channel(
            port: server.port, tags: [tagPlan(0, .holdingRegister, 0)], timeout: .milliseconds(100))
        channel.start()
        #expect(await eventually { !collector.readings.isEmpty })
        #expect(collector.readings.allSatisfy { $0.kind == .none && $0.quality.isBad })
        channel.requestStop()
        channel.join()
        server.stop()
    }
}
