// The field's twin: a Modbus server in memory, in virtual time, with every bad habit a device can have.

internal import GatewayModel
package import GatewayPlatform
package import ModbusDriver
internal import Synchronization

/// The server: one for all connections to it, so that what is late can arrive on the connection it belongs to.
///
/// The registers hold `100 × unit + address` unless set, bits are 1 at even addresses; so every value tells where it was
/// read. Several requests may be sent at once; they are answered one after the other.
package final class SimulatedField: Sendable {
    private struct Arrival {
        var at: MonotonicTime
        var bytes: [UInt8]
    }
    private struct State {
        var behaviour: @Sendable (_ request: Int, _ unit: UInt8) -> DeviceBehaviour = { _, _ in .answer }
        var content: (@Sendable (_ request: Int, _ unit: UInt8, _ address: Int) -> UInt16)?
        var requests = 0
        var connections = 0
        var connection = 0
        var isClosedByDevice = false
        var coming: [UInt8] = []
        var arriving: [Arrival] = []
        /// A stream of noise: when its next bytes come, and when it ends.
        var noise: (next: MonotonicTime, end: MonotonicTime)?
        var previous: [UInt8] = []
        var registers: [Int: UInt16] = [:]
        var ignored: Set<Int> = []
        var sent: [MonotonicTime] = []
        var roundTrip = Duration.milliseconds(2)
    }
    private let state = Mutex(State())
    private let framing: ModbusFraming
    private let line: SerialLine?
    fileprivate let clock: VirtualClock

    /// - Parameter line: requests and answers take the time that they take on this line; the round trip is then what the
    ///   device thinks.
    package init(clock: VirtualClock, framing: ModbusFraming = .tcp, line: SerialLine? = nil) {
        self.clock = clock
        self.framing = framing
        self.line = line
    }

    /// Decides what becomes of the n-th request (from 0).
    package func behave(_ behaviour: @escaping @Sendable (_ request: Int, _ unit: UInt8) -> DeviceBehaviour) {
        state.withLock { $0.behaviour = behaviour }
    }
    /// What the registers hold that nobody has set, in the answer to the n-th request (from 0).
    package func fill(_ content: @escaping @Sendable (_ request: Int, _ unit: UInt8, _ address: Int) -> UInt16) {
        state.withLock { $0.content = content }
    }
    package func set(unit: UInt8, address: Int, to register: UInt16) {
        state.withLock { $0.registers[Int(unit) << 16 | address] = register }
    }
    /// The register holds again what is filled in.
    package func forget(unit: UInt8, address: Int) {
        _ = state.withLock { $0.registers.removeValue(forKey: Int(unit) << 16 | address) }
    }
    /// Requests that begin at this address are never answered.
    package func ignore(address: Int) { _ = state.withLock { $0.ignored.insert(address) } }
    package func set(roundTrip: Duration) { state.withLock { $0.roundTrip = roundTrip } }
    package var requests: Int { state.withLock(\.requests) }
    package var connections: Int { state.withLock(\.connections) }
    /// When each request came.
    package var sent: [MonotonicTime] { state.withLock(\.sent) }

    /// A client's end of a connection to this server.
    package func makeStream() -> SimulatedStream { SimulatedStream(field: self) }

    fileprivate func connect() throws(ModbusError) -> Int {
        let refused = state.withLock { state in
            if state.behaviour(state.requests, 0) == .refusesConnection { return true }
            state.connections += 1
            state.connection += 1
            state.isClosedByDevice = false
            (state.arriving, state.coming, state.noise) = ([], [], nil)
            return false
        }
        if refused { throw .unreachable(code: 111) }
        return state.withLock(\.connection)
    }

    fileprivate func receiveRequests(_ bytes: [UInt8]) {
        let now = clock.monotonic()
        state.withLock { state in
            state.coming += bytes
            var ahead = Duration.zero
            // A client's requests are whole: what is none is thrown away at once, as silence would do.
            while case .frame(let request, let skipped) = IncomingRequest.first(
                in: state.coming, framing: framing, isAtRest: framing == .rtu)
            {
                state.coming.removeFirst(skipped + request.bytes.count)
                answer(request, at: now.advanced(by: ahead), &state)
                ahead += .microseconds(200)
            }
            if framing == .rtu { state.coming = [] }
        }
    }

    private func answer(_ request: IncomingRequest, at now: MonotonicTime, _ state: inout State) {
        let pdu = Array(request.bytes[request.pdu])
        var behaviour = state.behaviour(state.requests, request.unit)
        if pdu.count >= 3, state.ignored.contains(Int(pdu[1]) << 8 | Int(pdu[2])) { behaviour = .silent }
        let number = state.requests
        state.requests += 1
        state.sent.append(now)
        let rightPDU = answer(to: pdu, unit: request.unit, number, &state)
        let right = framed(rightPDU, request, unit: request.unit)
        func foreign(_ unit: UInt8) -> [UInt8] {
            var copy = state
            return framed(answer(to: pdu, unit: unit, number, &copy), request, unit: unit)
        }
        func deliver(_ delivery: Delivery) {
            var arrival = now.advanced(by: state.roundTrip + delivery.after)
            if let line {
                arrival = arrival.advanced(
                    by: line.characterTime * (request.bytes.count + delivery.bytes.count) + line.frameGap)
            }
            state.arriving.append(Arrival(at: arrival, bytes: delivery.bytes))
        }
        if case .exception(let code) = behaviour {
            deliver(Delivery(bytes: framed([pdu[0] | 0x80, code], request, unit: request.unit)))
        }
        if case .endless(let duration) = behaviour {
            let start = now.advanced(by: state.roundTrip)
            state.noise = (start, start.advanced(by: duration))
        }
        if behaviour == .closes { state.isClosedByDevice = true }
        let deliveries = behaviour.deliveries(
            request: request.bytes, right: right, previous: state.previous, foreign: foreign, framing: framing)
        for delivery in deliveries { deliver(delivery) }
        state.previous = right
    }

    private func framed(_ pdu: [UInt8], _ request: IncomingRequest, unit: UInt8) -> [UInt8] {
        if framing == .tcp {
            let length = UInt16(1 + pdu.count)
            return request.bytes[..<4] + [UInt8(length >> 8), UInt8(length & 0xFF), unit] + pdu
        }
        let frame = [unit] + pdu
        let crc = RTUFrame.checksum(frame.span)
        return frame + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
    }

    /// Reads and writes; registers that were written are set.
    private func answer(to pdu: [UInt8], unit: UInt8, _ number: Int, _ state: inout State) -> [UInt8] {
        func word(_ place: Int) -> Int { Int(pdu[place]) << 8 | Int(pdu[place + 1]) }
        func key(_ address: Int) -> Int { Int(unit) << 16 | address }
        func register(_ address: Int) -> UInt16 {
            state.registers[key(address)] ?? state.content?(number, unit, address)
                ?? UInt16(truncatingIfNeeded: 100 * Int(unit) + address)
        }
        guard pdu.count >= 5 else { return [pdu[0] | 0x80, 1] }
        switch pdu[0] {
        case 1, 2:
            var data = [UInt8](repeating: 0, count: (word(3) + 7) / 8)
            for offset in 0..<word(3) where (word(1) + offset) & 1 == 0 { data[offset / 8] |= 1 << UInt8(offset % 8) }
            return [pdu[0], UInt8(data.count)] + data
        case 3, 4:
            let data = (0..<word(3)).map { register(word(1) + $0) }.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
            return [pdu[0], UInt8(data.count)] + data
        case 5: return pdu
        case 6:
            state.registers[key(word(1))] = UInt16(word(3))
            return pdu
        case 15: return Array(pdu[..<5])
        case 16:
            for offset in 0..<word(3) { state.registers[key(word(1) + offset)] = UInt16(word(6 + 2 * offset)) }
            return Array(pdu[..<5])
        case 22:
            let (and, or) = (UInt16(word(3)), UInt16(word(5)))
            state.registers[key(word(1))] = register(word(1)) & and | or & ~and
            return pdu
        default: return [pdu[0] | 0x80, 1]
        }
    }

    /// What has arrived by now; moves the clock to the next arrival or to `deadline` when nothing has.
    fileprivate func receive(limit: Int, deadline: MonotonicTime) throws(ModbusError) -> [UInt8] {
        let (next, isClosed) = state.withLock { state in
            let next = (state.arriving.map(\.at) + [state.noise?.next].compactMap(\.self)).min()
            return (next, state.isClosedByDevice)
        }
        if isClosed { throw .closed(code: 0) }
        guard let next, next <= deadline else {
            clock.advance(to: deadline)
            throw .timeout
        }
        clock.advance(to: next)
        return take(limit: limit)
    }

    fileprivate func take(limit: Int) -> [UInt8] {
        let now = clock.monotonic()
        return state.withLock { state in
            // Noise comes 16 bytes a millisecond, about as fast as 115,200 baud.
            while let noise = state.noise, noise.next <= now {
                state.arriving.append(Arrival(at: noise.next, bytes: [UInt8](repeating: 0x55, count: 16)))
                let next = noise.next.advanced(by: .milliseconds(1))
                state.noise = next < noise.end ? (next, noise.end) : nil
            }
            var taken: [UInt8] = []
            state.arriving.sort { $0.at < $1.at }
            while let first = state.arriving.first, first.at <= now, taken.count < limit {
                let part = first.bytes.prefix(limit - taken.count)
                taken += part
                if part.count == first.bytes.count {
                    state.arriving.removeFirst()
                } else {
                    state.arriving[0].bytes.removeFirst(part.count)
                }
            }
            return taken
        }
    }

    fileprivate func isPresent(_ connection: Int) -> Bool { state.withLock { $0.connection == connection } }
}

/// One connection to a `SimulatedField`.
package struct SimulatedStream: FieldStream {
    private let field: SimulatedField
    private var connection: Int?

    fileprivate init(field: SimulatedField) { self.field = field }

    package var isOpen: Bool { connection != nil }
    package mutating func open(deadline: MonotonicTime) throws(ModbusError) { connection = try field.connect() }
    package mutating func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        guard let connection, field.isPresent(connection) else { throw .closed(code: 32) }
        field.receiveRequests(bytes)
    }
    package mutating func receive(
        into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime
    ) throws(ModbusError) -> Int {
        let bytes = try field.receive(limit: buffer.count - start, deadline: deadline)
        for (index, byte) in bytes.enumerated() { buffer[start + index] = byte }
        return bytes.count
    }
    package mutating func drain(quiet: Duration, deadline: MonotonicTime) -> Int {
        var drained = field.take(limit: .max).count
        guard quiet > .zero else { return drained }
        while field.clock.monotonic() < deadline {
            let end = min(deadline, field.clock.monotonic().advanced(by: quiet))
            guard let more = try? field.receive(limit: .max, deadline: end) else { break }
            drained += more.count
        }
        return drained
    }
    package mutating func close() { connection = nil }
    package mutating func rest(until moment: MonotonicTime) { field.clock.advance(to: moment) }
}
