// What is asked of a channel beside its scans: writes, and reads by hand.

package import GatewayModel
package import GatewayPlatform

/// Requests to one unit that go before every scan, in order, until one fails. A write is never sent twice.
package struct ModbusJob: Sendable {
    package var device: DeviceID
    package var operations: [ModbusOperation]
    /// Not begun after this moment of the monotonic clock: who asked has been told that it failed. Nil: whenever.
    package var deadline: MonotonicTime?
    /// Called once, on the channel's thread: the PDU of each answer, or what failed and which operation it was.
    package var completion: @Sendable (Result<[[UInt8]], Failure>) -> Void

    package struct Failure: Error, Equatable, Sendable {
        /// Which of them, from 0; -1 when the deadline had passed and nothing was sent.
        package var operation: Int
        package var error: ModbusError
        package init(operation: Int, error: ModbusError) {
            self.operation = operation
            self.error = error
        }
    }

    package init(
        device: DeviceID, operations: [ModbusOperation], deadline: MonotonicTime? = nil,
        completion: @escaping @Sendable (Result<[[UInt8]], Failure>) -> Void
    ) {
        self.device = device
        self.operations = operations
        self.deadline = deadline
        self.completion = completion
    }
}
