// The door to the field: a byte stream to one endpoint.

package import GatewayPlatform

/// A connection to a Modbus TCP server. Real: `TCPStream`; simulated: `SimulatedField` in the tests.
///
/// One owner, one thread. Every call ends by its deadline.
package protocol FieldStream: Sendable {
    var isOpen: Bool { get }
    mutating func open(deadline: MonotonicTime) throws(ModbusError)
    mutating func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError)
    /// Adds what has arrived to `bytes`, waiting for at least one byte; at most `limit` bytes.
    mutating func receive(into bytes: inout [UInt8], limit: Int, deadline: MonotonicTime) throws(ModbusError)
    /// True when bytes lie ready that nobody has asked for.
    mutating func hasUnaskedBytes() -> Bool
    mutating func close()
    /// Keeps silent until `moment`: some devices need a pause between an answer and the next request.
    mutating func rest(until moment: MonotonicTime)
}
