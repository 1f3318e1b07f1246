// The field's twin: a Modbus TCP server in memory, in virtual time, with every bad habit a device can have.

internal import GatewayModel
package import GatewayPlatform
package import ModbusDriver
internal import Synchronization

/// What a simulated device does with one request.
package enum DeviceBehaviour: Equatable, Sendable {
    case answer
    /// The right answer, after this long; it arrives even if nobody waits any more.
    case late(Duration)
    case silent
    case exception(UInt8)
    case closes
    case refusesConnection
    /// The right answer twice.
    case doubled
    /// The right answer in pieces of this many bytes.
    case split(Int)
    /// The right answer with one byte of its header changed.
    case wrongByte(index: Int, xor: UInt8)
    /// Only the first bytes of the right answer, and then nothing.
    case truncated(Int)
    /// The answer to the request before.
    case previousAnswer
    /// Bytes that mean nothing.
    case garbage([UInt8])
}

/// The server: one for all connections to it, so that what is late can arrive on the connection it belongs to.
///
/// The registers hold `100 × unit + address` unless set; so every value tells where it was read.
package final class SimulatedField: Sendable {
    private struct Arrival {
        var at: MonotonicTime
        var bytes: [UInt8]
    }
    private struct State {
        var behaviour: @Sendable (_ request: Int, _ unit: UInt8) -> DeviceBehaviour = { _, _ in .answer }
        var requests = 0
        var connections = 0
        var connection = 0
        var isClosedByDevice = false
        var arriving: [Arrival] = []
        var previous: [UInt8] = []
        var registers: [Int: UInt16] = [:]
        var roundTrip = Duration.milliseconds(2)
    }
    private let state = Mutex(State())
    fileprivate let clock: VirtualClock

    package init(clock: VirtualClock) { self.clock = clock }

    /// Decides what becomes of the n-th request (from 0).
    package func behave(_ behaviour: @escaping @Sendable (_ request: Int, _ unit: UInt8) -> DeviceBehaviour) {
        state.withLock { $0.behaviour = behaviour }
    }
    package func set(unit: UInt8, address: Int, to register: UInt16) {
        state.withLock { $0.registers[Int(unit) << 16 | address] = register }
    }
    package var requests: Int { state.withLock(\.requests) }
    package var connections: Int { state.withLock(\.connections) }

    /// A client's end of a connection to this server.
    package func makeStream() -> SimulatedStream { SimulatedStream(field: self) }

    fileprivate func connect() throws(ModbusError) -> Int {
        let refused = state.withLock { state in
            if state.behaviour(state.requests, 0) == .refusesConnection { return true }
            state.connections += 1
            state.connection += 1
            state.isClosedByDevice = false
            state.arriving = []
            return false
        }
        if refused { throw .unreachable(code: 111) }
        return state.withLock(\.connection)
    }

    fileprivate func receiveRequest(_ request: [UInt8]) {
        let now = clock.monotonic()
        state.withLock { state in
            let behaviour = state.behaviour(state.requests, request[6])
            state.requests += 1
            let right = Self.answer(to: request, registers: state.registers)
            let arrival = now.advanced(by: state.roundTrip)
            func deliver(_ bytes: [UInt8], after delay: Duration = .zero) {
                state.arriving.append(Arrival(at: arrival.advanced(by: delay), bytes: bytes))
            }
            switch behaviour {
            case .answer: deliver(right)
            case .late(let delay): deliver(right, after: delay)
            case .silent, .refusesConnection: break
            case .exception(let code):
                deliver(Array(request[0..<4]) + [0, 3, request[6], request[7] | 0x80, code])
            case .closes: state.isClosedByDevice = true
            case .doubled:
                deliver(right)
                deliver(right, after: .microseconds(200))
            case .split(let size):
                for (index, start) in stride(from: 0, to: right.count, by: size).enumerated() {
                    let piece = Array(right[start..<min(right.count, start + size)])
                    deliver(piece, after: .microseconds(300 * index))
                }
            case .wrongByte(let index, let mask):
                var wrong = right
                wrong[index] ^= mask
                deliver(wrong)
            case .truncated(let count): deliver(Array(right.prefix(count)))
            case .previousAnswer: deliver(state.previous)
            case .garbage(let bytes): deliver(bytes)
            }
            state.previous = right
        }
    }

    private static func answer(to request: [UInt8], registers: [Int: UInt16]) -> [UInt8] {
        let address = Int(request[8]) << 8 | Int(request[9])
        let count = Int(request[10]) << 8 | Int(request[11])
        var data: [UInt8] = []
        if request[7] <= 2 {
            data = Array(repeating: 0b0101_0101, count: (count + 7) / 8)
        } else {
            for offset in 0..<count {
                let key = Int(request[6]) << 16 | (address + offset)
                let register = registers[key] ?? UInt16(truncatingIfNeeded: 100 * Int(request[6]) + address + offset)
                data += [UInt8(register >> 8), UInt8(register & 0xFF)]
            }
        }
        let length = UInt16(3 + data.count)
        return Array(request[0..<4]) + [UInt8(length >> 8), UInt8(length & 0xFF), request[6], request[7]]
            + [UInt8(data.count)] + data
    }

    /// What has arrived by now; moves the clock to the next arrival or to `deadline` when nothing has.
    fileprivate func receive(limit: Int, deadline: MonotonicTime) throws(ModbusError) -> [UInt8] {
        let next = state.withLock { $0.isClosedByDevice ? nil : $0.arriving.map(\.at).min() }
        if state.withLock(\.isClosedByDevice) { throw .closed(code: 0) }
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
        field.receiveRequest(bytes)
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
