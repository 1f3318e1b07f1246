// The door to the field: a byte stream to one endpoint.

package import GatewayPlatform

/// A connection to a Modbus server or to a serial line. Real: `EndpointStream`; simulated: `SimulatedField` in the tests.
///
/// One owner, one thread. Every call ends by its deadline.
package protocol FieldStream: Sendable {
    var isOpen: Bool { get }
    mutating func open(deadline: MonotonicTime) throws(ModbusError)
    mutating func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError)
    /// Waits for at least one byte and puts what has come into `buffer` from `start` on, as much as fits.
    /// - Returns: how many bytes, at least 1.
    mutating func receive(
        into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime
    ) throws(ModbusError) -> Int
    /// Throws away what comes until nothing has come for `quiet` (zero: only what is there already), at most until
    /// `deadline`.
    /// - Returns: how many bytes were thrown away.
    mutating func drain(quiet: Duration, deadline: MonotonicTime) -> Int
    mutating func close()
    /// Keeps silent until `moment`: some devices need a pause between an answer and the next request.
    mutating func rest(until moment: MonotonicTime)
}

/// The real field: whichever kind of connection the endpoint needs.
package enum EndpointStream: FieldStream {
    case tcp(TCPStream)
    case serial(SerialStream)

    package init(_ endpoint: ModbusEndpoint) {
        switch endpoint {
        case .tcp(let host, let port), .rtuOverTCP(let host, let port): self = .tcp(TCPStream(host: host, port: port))
        case .serial(let line): self = .serial(SerialStream(line))
        }
    }

    package var isOpen: Bool {
        switch self {
        case .tcp(let stream): stream.isOpen
        case .serial(let stream): stream.isOpen
        }
    }
    package func open(deadline: MonotonicTime) throws(ModbusError) {
        switch self {
        case .tcp(let stream): try stream.open(deadline: deadline)
        case .serial(let stream): try stream.open(deadline: deadline)
        }
    }
    package func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        switch self {
        case .tcp(let stream): try stream.send(bytes, deadline: deadline)
        case .serial(let stream): try stream.send(bytes, deadline: deadline)
        }
    }
    package func receive(
        into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime
    ) throws(ModbusError) -> Int {
        switch self {
        case .tcp(let stream): try stream.receive(into: &buffer, at: start, deadline: deadline)
        case .serial(let stream): try stream.receive(into: &buffer, at: start, deadline: deadline)
        }
    }
    package func drain(quiet: Duration, deadline: MonotonicTime) -> Int {
        switch self {
        case .tcp(let stream): stream.drain(quiet: quiet, deadline: deadline)
        case .serial(let stream): stream.drain(quiet: quiet, deadline: deadline)
        }
    }
    package func close() {
        switch self {
        case .tcp(let stream): stream.close()
        case .serial(let stream): stream.close()
        }
    }
    package func rest(until moment: MonotonicTime) {
        switch self {
        case .tcp(let stream): stream.rest(until: moment)
        case .serial(let stream): stream.rest(until: moment)
        }
    }
}
