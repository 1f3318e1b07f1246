// Serial ports as things that have two names, and that are pulled out and plugged in again.

import Acquisition
import GatewayModel
import GatewayPlatform
import Logging
import ModbusDriver
import Simulation
import Synchronization
import TestSupport
import Testing

internal import Glibc

@Suite("A serial port", .serialized, .timeLimit(.minutes(2)))
struct SerialPortTests {
    @Test("A port that is open is refused under any name until it is closed")
    func twoNames() throws {
        let terminals = try PseudoTerminals()
        let folder = try TemporaryFolder()
        let other = "\(folder.path)/by-id"
        #expect(unsafe symlink(terminals.b, other) == 0)
        let deadline = SystemClock().monotonic().advanced(by: .seconds(5))
        // Without parity: a pseudo terminal has none, and says so at the second attempt to set it.
        let first = SerialStream(SerialLine(port: terminals.b, parity: .none))
        let second = SerialStream(SerialLine(port: other, parity: .none))
        try first.open(deadline: deadline)
        let refusal = #expect(throws: ModbusError.self) { try second.open(deadline: deadline) }
        #expect(refusal == .unreachable(code: EBUSY))
        #expect(refusal.map { "\($0)" }?.contains("in use") == true)
        #expect(first.isOpen && !second.isOpen)
        first.close()
        try second.open(deadline: deadline)
        #expect(second.isOpen)
        second.close()
    }

    /// A far end that answers 4711 on a port of its own.
    private struct Adapter {
        let terminals: PseudoTerminals
        let server: SimulatedEndpoint

        init(plan: ModbusTagPlan) throws {
            terminals = try PseudoTerminals()
            server = try SimulatedEndpoint(
                plan: SimulatedChannel(
                    name: "far", endpoint: .serial(SerialLine(port: terminals.a, baud: 115_200)),
                    units: [SimulatedUnit(unitID: 1, tags: [SimulatedTag(plan: plan, signal: .constant(4711))])]))
            server.start()
        }
    }

    @Test("A port that vanishes gives bad readings, and is opened anew when it is back")
    func vanishes() async throws {
        let folder = try TemporaryFolder()
        let port = "\(folder.path)/port"
        let tag = tagPlan(0, .holdingRegister, 0, normalisation: NormalisationPlan(kind: .integer, maxAge: .zero))
        var adapter: Adapter? = try Adapter(plan: tag)
        #expect(unsafe symlink(adapter?.terminals.b ?? "", port) == 0)

        let good = Mutex(0), bad = Mutex(0), wrong = Mutex(0)
        let unit = ModbusUnitPlan(
            device: DeviceID(0), name: "unit", unitID: 1, timeout: .milliseconds(300),
            scans: [ModbusScanPlan(name: "fast", period: .milliseconds(50), tags: [tag])])
        let channel = ModbusChannel(
            plan: ModbusChannelPlan(
                name: "line", endpoint: .serial(SerialLine(port: port, baud: 115_200)), units: [unit]),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { batches in
            for reading in batches.flatMap(\.readings) {
                if reading.quality.isGood { good.withLock { $0 += 1 } } else { bad.withLock { $0 += 1 } }
                if reading.kind != .none && reading.bits != 4711 { wrong.withLock { $0 += 1 } }
            }
            batches.removeAll()
            return true
        }
        channel.start()
        defer {
            channel.requestStop()
            channel.join()
        }
        #expect(await eventually { good.withLock { $0 } > 5 })

        // Pulled out: both ends of the pseudo terminal go, and so does the name.
        adapter?.server.stop()
        adapter = nil
        unsafe unlink(port)
        #expect(await eventually { !channel.statistics.isConnected && channel.statistics.units[0].connectFailures > 0 })
        #expect(bad.withLock { $0 } > 0)

        // Plugged in again: another device file behind the same name.
        let before = good.withLock { $0 }
        let again = try Adapter(plan: tag)
        #expect(unsafe symlink(again.terminals.b, port) == 0)
        #expect(await eventually { good.withLock { $0 } > before + 5 })
        #expect(channel.statistics.connections >= 2)
        #expect(wrong.withLock { $0 } == 0)
        again.server.stop()
    }
}
