// One request after the other by hand, for the tools of those who commission a machine and for writes.

internal import GatewayModel
internal import GatewayPlatform

/// A blocking client of one endpoint with a trace of the bytes. One owner, one thread; never on the cooperative pool.
package struct ModbusClient: Sendable {
    package let endpoint: ModbusEndpoint
    private var connection: ModbusConnection<EndpointStream>
    private let clock = SystemClock()
    /// RTU: the unit that did not answer, whose answer may still come.
    private var doubted: UInt8?
    /// What the last `perform` sent and received, framing included, and how long it took.
    package private(set) var trace = Trace()

    package struct Trace: Equatable, Sendable {
        package var sent: [UInt8] = []
        package var received: [UInt8] = []
        package var roundTrip = Duration.zero
    }

    package init(endpoint: ModbusEndpoint) {
        self.endpoint = endpoint
        connection = ModbusConnection(
            stream: EndpointStream(endpoint), framing: endpoint.framing, frameGap: endpoint.frameGap)
    }

    package mutating func open(timeout: Duration) throws(ModbusError) {
        guard !connection.isOpen else { return }
        try connection.open(deadline: clock.monotonic().advanced(by: timeout))
    }

    package mutating func close() { connection.close() }

    /// Sends one request and waits for its checked answer; opens the connection when it is closed.
    /// - Returns: the PDU of the answer from its function code on. Never an exception's: that is thrown.
    package mutating func perform(
        _ operation: ModbusOperation, unit: UInt8, timeout: Duration
    ) throws(ModbusError) -> [UInt8] {
        try open(timeout: timeout)
        // Another unit's answer cannot be mistaken; this one's could be, so the line must have been silent for long.
        if doubted == unit { connection.settle(quiet: timeout, now: clock.monotonic()) }
        let sent = clock.monotonic()
        defer {
            connection.noteEnd(clock.monotonic())
            trace = Trace(
                sent: connection.request, received: connection.answer,
                roundTrip: clock.monotonic().duration(since: sent))
        }
        do throws(ModbusError) {
            let answer = try connection.perform(operation, unit: unit, deadline: sent.advanced(by: timeout))
            doubted = nil
            return answer
        } catch {
            doubted = error.keepsConnection || endpoint.framing == .tcp ? nil : unit
            throw error
        }
    }

    /// Reads registers, or the bits of a bit table as 0 and 1.
    package mutating func read(
        _ table: RegisterTable, address: UInt16, count: UInt16, unit: UInt8, timeout: Duration
    ) throws(ModbusError) -> [UInt16] {
        let pdu = try perform(.read(table, address: address, count: count), unit: unit, timeout: timeout)
        return (0..<Int(count)).map { (index: Int) -> UInt16 in
            if table.isBits { return UInt16(pdu[2 + index / 8] >> UInt8(index % 8) & 1) }
            return UInt16(pdu[2 + 2 * index]) << 8 | UInt16(pdu[3 + 2 * index])
        }
    }

    /// Function 43/14: the objects that the device tells of itself, by id (0 vendor, 1 product code, 2 revision, 4
    /// product name, 5 model name; V1.1b3, 6.21).
    package mutating func identification(unit: UInt8, timeout: Duration) throws(ModbusError) -> [UInt8: String] {
        var objects: [UInt8: String] = [:]
        var next: UInt8 = 0
        // A device that always says "more follows" must not hold us for ever: 256 objects are all there can be.
        for _ in 0..<256 {
            let pdu = try perform(.identify(category: 2, object: next), unit: unit, timeout: timeout)
            var position = 7
            for _ in 0..<pdu[6] {
                let length = Int(pdu[position + 1])
                objects[pdu[position]] = String(decoding: pdu[position + 2..<position + 2 + length], as: UTF8.self)
                position += 2 + length
            }
            guard pdu[4] == 0xFF, pdu[5] > next else { break }
            next = pdu[5]
        }
        return objects
    }
}
