// What a source needs to know of the log before it lets the broker forget a message.

package import GatewayModel
package import GatewayPlatform
internal import Synchronization

/// Goes behind what a source has delivered; whoever takes it into the log writes down up to which number.
package final class Receipt: Sendable {
    /// 0 until it is known: no record has that number.
    private let number = Atomic<UInt64>(0)

    package init() {}

    /// Everything delivered before is in the log below this number.
    package var sequence: SequenceNumber? {
        let number = number.load(ordering: .acquiring)
        return number == 0 ? nil : SequenceNumber(number)
    }

    package func appended(below sequence: SequenceNumber) { number.store(sequence.value, ordering: .releasing) }
}

/// The log as a source sees it. Without one, messages are acknowledged as they come.
package struct Custody: Sendable {
    /// Puts the receipt behind everything that was delivered, and has it committed soon. False when nobody takes it.
    package var entrust: @Sendable (Receipt) -> Bool
    /// Whether all before the receipt is on the disk.
    package var isSafe: @Sendable (Receipt) -> Bool
    /// The bell rings with each commit, and with the flag taken back no more.
    package var listen: @Sendable (_ bell: WakeUp, _ isOn: Bool) -> Void

    package init(
        entrust: @escaping @Sendable (Receipt) -> Bool, isSafe: @escaping @Sendable (Receipt) -> Bool,
        listen: @escaping @Sendable (_ bell: WakeUp, _ isOn: Bool) -> Void
    ) {
        self.entrust = entrust
        self.isSafe = isSafe
        self.listen = listen
    }
}
