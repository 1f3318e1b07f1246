// What is on its way to the receiver, and how far the cursor may go: the bookkeeping of a sink.

package import GatewayModel

/// Messages sent and not yet settled, in the order of the log.
///
/// The cursor only moves over messages that are settled without a gap before them: confirmed by the receiver, or
/// set aside because no receiver will ever take them. A lost link puts everything else back: sending starts again at the
/// cursor, so a message may arrive twice and never out of order. A pure value; the sink's thread owns it.
package struct SendWindow: Sendable {
    private struct Entry: Sendable {
        /// The name of the message; nil once set aside.
        var messageID: DeliveryID?
        /// Where the cursor stands once this message and all before it are settled.
        var next: SequenceNumber
        var readings: Int
        var isSettled: Bool
    }

    package let size: Int
    private var entries: [Entry] = []
    /// Everything before it is settled.
    package private(set) var cursor: SequenceNumber
    /// The next record to send.
    package private(set) var position: SequenceNumber

    package init(size: Int, cursor: SequenceNumber) {
        precondition(size > 0, "BUG: a window of 0 never sends")
        self.size = size
        self.cursor = cursor
        position = cursor
    }

    package var hasRoom: Bool { entries.count < size }
    package var inFlight: Int { entries.count { !$0.isSettled } }

    /// A message that holds every record up to `next` was given to the receiver.
    package mutating func sent(_ messageID: DeliveryID, next: SequenceNumber, readings: Int) {
        append(Entry(messageID: messageID, next: next, readings: readings, isSettled: false))
    }

    /// The records up to `next` can never be sent; they don't hold up what comes after them.
    package mutating func setAside(next: SequenceNumber) {
        append(Entry(messageID: nil, next: next, readings: 0, isSettled: true))
        advance()
    }

    /// The message that was `sent` under this id will never be taken: passes it by.
    package mutating func setAside(_ messageID: DeliveryID) { _ = settle(messageID) }

    /// The receiver has the message.
    /// - Returns: how many readings it held; nil when nothing is in flight under this id (a late or doubled PUBACK).
    package mutating func acknowledged(_ messageID: DeliveryID) -> Int? { settle(messageID) }

    /// The numbers that a message in flight covers.
    package func records(of messageID: DeliveryID) -> Range<SequenceNumber>? {
        guard let place = entries.firstIndex(where: { $0.messageID == messageID && !$0.isSettled }) else { return nil }
        return (place > 0 ? entries[place - 1].next : cursor)..<entries[place].next
    }

    /// Forgets what is in flight; sending goes on at the cursor.
    package mutating func linkLost() {
        entries.removeAll(keepingCapacity: true)
        position = cursor
    }

    private mutating func append(_ entry: Entry) {
        precondition(entry.next >= position, "BUG: the log is sent forwards")
        entries.append(entry)
        position = entry.next
    }

    private mutating func settle(_ messageID: DeliveryID) -> Int? {
        guard let place = entries.firstIndex(where: { $0.messageID == messageID && !$0.isSettled }) else { return nil }
        entries[place].isSettled = true
        let readings = entries[place].readings
        advance()
        return readings
    }

    private mutating func advance() {
        let settled = entries.prefix { $0.isSettled }
        guard let last = settled.last else { return }
        cursor = last.next
        entries.removeFirst(settled.count)
    }
}
