// One checked exchange: a request goes out, its answer comes back within one deadline, or a reason does.

package import GatewayPlatform

/// A stream with the rules that keep a late or foreign answer from ever being taken for the present one.
///
/// Owned by the channel's thread. The answer's buffer is used again for every exchange: nothing is allocated.
package struct ModbusConnection<Stream: FieldStream>: Sendable {
    private var stream: Stream
    private var request: [UInt8] = []
    /// The last answer, valid after `exchange` has returned.
    package private(set) var answer: [UInt8] = []
    /// How many exchanges the present connection has served: a first one that finds it closed may try once more.
    private var served = 0
    private var transactions: SystemRandomNumberGenerator = SystemRandomNumberGenerator()
    private var transaction: UInt16

    package init(stream: Stream) {
        self.stream = stream
        transaction = transactions.next()
        request.reserveCapacity(TCPFrame.requestBytes)
        answer.reserveCapacity(TCPFrame.longestAnswer * 2)
    }

    package var isOpen: Bool { stream.isOpen }
    package mutating func open(deadline: MonotonicTime) throws(ModbusError) {
        served = 0
        try stream.open(deadline: deadline)
    }
    package mutating func close() { stream.close() }
    package mutating func rest(until moment: MonotonicTime) { stream.rest(until: moment) }

    /// True when a connection that worked before was found closed: many devices drop idle clients, and that is no
    /// reason for a bad reading.
    package var mayHaveBeenIdle: Bool { served > 0 }

    /// Sends one read and checks its answer. On any error but an exception the connection is closed.
    package mutating func exchange(
        _ read: ReadRequest, unit: UInt8, deadline: MonotonicTime
    ) throws(ModbusError) {
        do throws(ModbusError) {
            // Bytes before we asked can only be a late answer or noise.
            guard !stream.hasUnaskedBytes() else { throw .malformed(.unasked) }
            // Steps of a large odd number visit all 65,536 and are hard to guess for a confused device.
            transaction = transaction &+ 0x9E37
            let frame = TCPFrame(transaction: transaction, unit: unit, request: read)
            frame.encode(into: &request)
            try stream.send(request, deadline: deadline)
            answer.removeAll(keepingCapacity: true)
            while true {
                try stream.receive(into: &answer, limit: TCPFrame.longestAnswer, deadline: deadline)
                switch frame.examine(answer.span) {
                case .incomplete: continue
                case .failed(let error): throw error
                case .complete:
                    served += 1
                    return
                }
            }
        } catch {
            if error.keepsConnection { served += 1 } else { stream.close() }
            throw error
        }
    }
}
