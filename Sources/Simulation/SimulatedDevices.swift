// Real Modbus TCP servers for the devices of a configuration, by libmodbus' server side. For demo and tests only.

internal import Acquisition
internal import CModbus
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import ModbusDriver
internal import Synchronization

/// Why a simulated server could not be opened.
package struct SimulationError: Error, CustomStringConvertible {
    package var description: String
}

/// One simulated endpoint on its own thread: listens on loopback and answers for its units.
///
/// libmodbus' server is offered to loopback only: its history of holes is on this side.
package final class SimulatedEndpoint: Sendable {
    private let plan: SimulatedChannel
    private let listener: Int32
    /// The port that was really opened: another one than planned when that was 0.
    package let port: UInt16
    private let bell = WakeUp()
    private let isStopping = Atomic(false)
    private let thread = Mutex<DedicatedThread?>(nil)

    package init(plan: SimulatedChannel) throws(SimulationError) {
        guard case .tcp(let host, let planned) = plan.endpoint else {
            throw SimulationError(description: "channel \(plan.name): simulate can't serve \(plan.endpoint)")
        }
        guard host == "127.0.0.1" || host == "localhost" else {
            throw SimulationError(
                description: "channel \(plan.name): \(host) is not this machine; simulate serves on 127.0.0.1 only")
        }
        self.plan = plan
        (listener, port) = try Self.listen(on: planned, name: plan.name)
    }

    deinit { Glibc.close(listener) }

    package func start() {
        thread.withLock { $0 = DedicatedThread(name: "sim-\(plan.name)") { [self] in serve() } }
    }

    package func stop() {
        isStopping.store(true, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private static func listen(on port: UInt16, name: String) throws(SimulationError) -> (Int32, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var one: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutableBytes(of: &address) { raw in
            let pointer = unsafe raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return unsafe bind(descriptor, pointer, length) == 0 && Glibc.listen(descriptor, 16) == 0
                && getsockname(descriptor, pointer, &length) == 0
        }
        guard bound else {
            let reason = unsafe String(cString: strerror(errno))
            Glibc.close(descriptor)
            throw SimulationError(description: "channel \(name): cannot listen on 127.0.0.1:\(port): \(reason)")
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private func serve() {
        guard var server = SimulatedServer(plan: plan) else { return }
        var clients: [Int32] = []
        defer { for client in clients { Glibc.close(client) } }
        while !isStopping.load(ordering: .acquiring) {
            var events = [pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0)]
            events.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
            for client in clients { events.append(pollfd(fd: client, events: Int16(POLLIN), revents: 0)) }
            guard unsafe poll(&events, UInt(events.count), -1) > 0 else { continue }
            if events[1].revents != 0 {
                let client = accept(listener, nil, nil)
                // libmodbus' select() bears no descriptor of 1,024 or more.
                if client >= 1024 { Glibc.close(client) } else if client >= 0 { clients.append(client) }
            }
            for event in events.dropFirst(2) where event.revents != 0 && !server.answer(client: event.fd) {
                Glibc.close(event.fd)
                clients.removeAll { $0 == event.fd }
            }
        }
    }
}

/// The registers of the units behind one endpoint, and the answer to one request. One owner: the endpoint's thread.
@safe
private struct SimulatedServer: ~Copyable {
    private let context: OpaquePointer
    private var units: [UInt8: SimulatedRegisters]
    private var request = [UInt8](repeating: 0, count: Int(MODBUS_TCP_MAX_ADU_LENGTH))

    init?(plan: SimulatedChannel) {
        guard let made = unsafe modbus_new_tcp("127.0.0.1", 502) else { return nil }
        unsafe context = made
        units = Dictionary(
            plan.units.compactMap { unit in SimulatedRegisters(unit: unit).map { (unit.unitID, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    deinit { unsafe modbus_free(context) }

    /// Reads one request of `client` and answers it. False when the client has gone or spoke nonsense.
    mutating func answer(client: Int32) -> Bool {
        unsafe modbus_set_socket(context, client)
        let length = unsafe modbus_receive(context, &request)
        if length < 0 { return false }
        // 0: a request that libmodbus ignores.
        guard length >= 12 else { return length == 0 }
        guard let registers = units[request[6]] else {
            // Gateway Target Device Failed To Respond (V1.1b3, 7): the answer of a real gateway for an unknown unit.
            return unsafe modbus_reply_exception(context, request, 0x0B) >= 0
        }
        registers.update(
            table: RegisterTable(rawValue: request[7]),
            addresses: Int(request[8]) << 8 | Int(request[9]), count: Int(request[10]) << 8 | Int(request[11]))
        return unsafe modbus_reply(context, request, length, registers.mapping) >= 0
    }
}

/// The four tables of one unit, filled from its signals when they are asked for.
@safe
private final class SimulatedRegisters {
    let mapping: UnsafeMutablePointer<modbus_mapping_t>
    private let tags: [SimulatedTag]
    private var reads: [Int]
    private let clock = SystemClock()
    private let start: MonotonicTime

    init?(unit: SimulatedUnit) {
        func size(_ table: RegisterTable) -> Int32 {
            let ends = unit.tags.filter { $0.plan.at.table == table }.map { Int($0.plan.at.address) + $0.plan.words }
            // A little more than the last tag, so that reads with a gap at the end still answer.
            return Int32(min(65536, (ends.max() ?? 0) + 125))
        }
        guard
            let made = unsafe modbus_mapping_new(
                size(.coil), size(.discreteInput), size(.holdingRegister), size(.inputRegister))
        else { return nil }
        unsafe mapping = made
        tags = unit.tags
        reads = unit.tags.map { _ in 0 }
        start = clock.monotonic()
    }

    deinit { unsafe modbus_mapping_free(mapping) }

    /// Brings the tags that lie whole in a read request up to date; each counts one read.
    func update(table: RegisterTable?, addresses first: Int, count: Int) {
        guard let table else { return }
        let elapsed = clock.monotonic().duration(since: start)
        for (index, tag) in tags.enumerated() where tag.plan.at.table == table {
            let address = Int(tag.plan.at.address)
            guard address >= first, address + tag.plan.words <= first + count else { continue }
            reads[index] += 1
            write(tag.signal.value(at: elapsed, reads: reads[index]), to: tag.plan)
        }
    }

    private func write(_ value: Value, to tag: ModbusTagPlan) {
        let address = Int(tag.at.address)
        let raw: Double
        switch value {
        case .text(let text):
            store(RegisterEncoding.registers(of: text, words: tag.words, order: tag.order), tag.at.table, address)
            return
        case .real(let real): raw = (real - tag.normalisation.offset) / tag.normalisation.scale
        case .integer(let integer): raw = Double(integer)
        case .boolean(let flag): raw = flag ? 1 : 0
        case .none: return
        }
        switch tag.at.table {
        case .coil: unsafe mapping.pointee.tab_bits[address] = raw == 0 ? 0 : 1
        case .discreteInput: unsafe mapping.pointee.tab_input_bits[address] = raw == 0 ? 0 : 1
        case .holdingRegister, .inputRegister:
            if let bits = tag.at.bits {
                let mask = UInt16(truncatingIfNeeded: (1 << bits.count) - 1)
                let field = UInt16(truncatingIfNeeded: Int64(raw.rounded())) & mask
                let old = load(tag.at.table, address)
                store(
                    [old & ~(mask << UInt16(bits.lowerBound)) | field << UInt16(bits.lowerBound)], tag.at.table, address
                )
            } else {
                store(RegisterEncoding.registers(of: raw, type: tag.type, order: tag.order), tag.at.table, address)
            }
        }
    }

    private func load(_ table: RegisterTable, _ address: Int) -> UInt16 {
        table == .inputRegister
            ? unsafe mapping.pointee.tab_input_registers[address] : unsafe mapping.pointee.tab_registers[address]
    }

    private func store(_ registers: [UInt16], _ table: RegisterTable, _ address: Int) {
        for (index, register) in registers.enumerated() {
            if table == .inputRegister {
                unsafe mapping.pointee.tab_input_registers[address + index] = register
            } else {
                unsafe mapping.pointee.tab_registers[address + index] = register
            }
        }
    }
}
