// Alarms of a backlog before its readings: what was told ahead, and what the backlog need not tell again.

package import GatewayModel

/// Which alarms of the log were told before their turn. A pure value; the sink's thread owns it.
package struct AlarmLead: Equatable, Sendable {
    /// The stretch whose alarms are being told, and how far that has come.
    package private(set) var position: SequenceNumber?
    private var first = SequenceNumber(0)
    private var end = SequenceNumber(0)
    private var onTheWay: [DeliveryID: Range<SequenceNumber>] = [:]
    /// Stretches whose alarms have all arrived.
    private var told: [Range<SequenceNumber>] = []

    package init() {}

    /// A stretch that will drain beside current data: its alarms go first.
    package mutating func begin(_ stretch: Range<SequenceNumber>) {
        (first, end, position) = (stretch.lowerBound, stretch.upperBound, stretch.lowerBound)
        onTheWay = [:]
    }

    /// Current data waits while this is so.
    package var isUnderWay: Bool { position != nil }
    package var limit: SequenceNumber { end }

    /// Everything below `next` was looked through, and its alarms are on their way.
    package mutating func advance(to next: SequenceNumber) {
        guard next >= end else { return position = next }
        position = nil
        settleIfDone()
    }

    package mutating func sent(_ id: DeliveryID, covering records: Range<SequenceNumber>) { onTheWay[id] = records }

    /// The numbers that a message on its way covers.
    package func records(of id: DeliveryID) -> Range<SequenceNumber>? { onTheWay[id] }

    /// - Returns: false when the message was none of these.
    package mutating func settled(_ id: DeliveryID) -> Bool {
        guard onTheWay.removeValue(forKey: id) != nil else { return false }
        settleIfDone()
        return true
    }

    /// What was on its way may not have arrived: the backlog tells it again.
    package mutating func linkLost() {
        position = nil
        (first, end) = (SequenceNumber(0), SequenceNumber(0))
        onTheWay = [:]
    }

    /// Whether the alarm with this number has arrived before its turn.
    package func hasTold(_ number: SequenceNumber) -> Bool { told.contains { $0.contains(number) } }

    /// Nothing before the cursor is told again.
    package mutating func forget(before cursor: SequenceNumber) { told.removeAll { $0.upperBound <= cursor } }

    private mutating func settleIfDone() {
        guard position == nil, onTheWay.isEmpty, first < end else { return }
        told.append(first..<end)
        (first, end) = (SequenceNumber(0), SequenceNumber(0))
    }
}
