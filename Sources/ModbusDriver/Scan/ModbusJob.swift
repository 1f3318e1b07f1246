// What is asked of a channel beside its scans: writes, and reads by hand.

package import GatewayModel

/// Requests to one unit that go before every scan, in order, until one fails. A write is never sent twice.
package struct ModbusJob: Sendable {
    package var device: DeviceID
    package var operations: [ModbusOperation]
    /// Called once, on the channel's thread: the PDU of each answer, or what failed and which operation it was.
    package var completion: @Sendable (Result<[[UInt8]], Failure>) -> Void

    package struct Failure: Error, Equatable, Sendable {
        package var operation: Int
        package var error: ModbusError
        package init(operation: Int, error: ModbusError) {
            self.operation = operation
            self.error = error
        }
    }

    package init(
        device: DeviceID, operations: [ModbusOperation],
        completion: @escaping @Sendable (Result<[[UInt8]], Failure>) -> Void
    ) {
        self.device = device
        self.operations = operations
        self.completion = completion
    }
}
