// Which part of the log is sent next: current data, and beside it what an outage left behind.

package import GatewayModel

/// The bookkeeping of a sink over everything that is on its way.
///
/// Without `live_first` there is one lane, and the log leaves in its order. With it, a connection that finds more than
/// `patience` records behind the cursor splits the log: current data goes on from the end of the log, and the stretch
/// before it drains beside. Stretches that several outages left drain one after the other, the oldest first. The cursor
/// stands where the oldest stretch is settled, so a restart sends again what current data was already told of; the
/// receiver knows it by its numbers. A pure value; the sink's thread owns it.
package struct SinkLanes: Sendable {
    package enum Lane: Sendable { case live, older }

    private struct Stretch: Sendable {
        var window: SendWindow
        /// The number behind its last.
        let end: SequenceNumber
    }

    /// Stretches that are told apart; what one more leaves is joined with the newest, and what lies between is sent twice.
    static let mostStretches = 8

    private let size: Int
    /// Records that a connection may find behind the cursor and still send in the log's order; nil: any number.
    private let patience: UInt64?
    private var live: SendWindow
    private var older: [Stretch] = []

    /// - Parameters:
    ///   - size: messages on their way, at most, of each lane.
    ///   - patience: records behind the cursor that are sent in order; nil when everything is.
    package init(size: Int, cursor: SequenceNumber, patience: UInt64? = nil) {
        self.size = size
        self.patience = patience
        live = SendWindow(size: size, cursor: cursor)
    }

    /// Everything before it is settled.
    package var cursor: SequenceNumber { older.first?.window.cursor ?? live.cursor }
    package var hasOlder: Bool { !older.isEmpty }
    package var inFlight: Int { live.inFlight + older.reduce(0) { $0 + $1.window.inFlight } }
    /// Numbers that older stretches still hold, the sent and unconfirmed ones included.
    package var olderRecords: UInt64 { older.reduce(0) { $0 + ($1.end.value - $1.window.cursor.value) } }

    package func hasRoom(_ lane: Lane) -> Bool {
        switch lane {
        case .live: live.hasRoom
        case .older: older.first.map { $0.window.hasRoom && $0.window.position < $0.end } ?? false
        }
    }

    /// The next number to send on `lane`.
    package func position(_ lane: Lane) -> SequenceNumber {
        switch lane {
        case .live: live.position
        case .older: older.first?.window.position ?? live.position
        }
    }

    /// Where the lane ends: nothing at or behind this number is sent on it.
    package func end(_ lane: Lane) -> SequenceNumber {
        switch lane {
        case .live: SequenceNumber(.max)
        case .older: older.first?.end ?? live.cursor
        }
    }

    /// A connection is made, and the log ends before `end`.
    /// - Returns: the stretch that will drain beside current data because of that.
    @discardableResult
    package mutating func connected(end: SequenceNumber) -> Range<SequenceNumber>? {
        guard let patience, live.cursor < end, end.value - live.cursor.value > patience else { return nil }
        defer { live = SendWindow(size: size, cursor: end) }
        if older.count == Self.mostStretches, let last = older.last {
            older[older.count - 1] = Stretch(window: last.window, end: end)
        } else {
            older.append(Stretch(window: SendWindow(size: size, cursor: live.cursor), end: end))
        }
        return live.cursor..<end
    }

    /// A message that holds every record of the lane up to `next` is on its way.
    package mutating func sent(_ id: DeliveryID, on lane: Lane, next: SequenceNumber, readings: Int) {
        change(lane) { $0.sent(id, next: next, readings: readings) }
    }

    /// The records of the lane up to `next` are not sent; they don't hold up what comes after them.
    package mutating func setAside(on lane: Lane, next: SequenceNumber) { change(lane) { $0.setAside(next: next) } }

    /// The message is settled.
    /// - Returns: how many readings it held; nil when none is on its way under this id (late or doubled confirmation).
    package mutating func settled(_ id: DeliveryID) -> Int? {
        if let readings = live.acknowledged(id) { return readings }
        // Only the first stretch sends.
        guard !older.isEmpty, let readings = older[0].window.acknowledged(id) else { return nil }
        dropFinished()
        return readings
    }

    /// Forgets what is on its way; sending goes on at the cursors.
    package mutating func linkLost() {
        live.linkLost()
        for index in older.indices { older[index].window.linkLost() }
    }

    /// The numbers that a message on its way covers.
    package func records(of id: DeliveryID) -> Range<SequenceNumber>? {
        live.records(of: id) ?? older.first?.window.records(of: id)
    }

    private mutating func change(_ lane: Lane, _ body: (inout SendWindow) -> Void) {
        switch lane {
        case .live: body(&live)
        case .older:
            guard !older.isEmpty else { return }
            body(&older[0].window)
            dropFinished()
        }
    }

    private mutating func dropFinished() {
        while let first = older.first, first.window.cursor >= first.end { older.removeFirst() }
    }
}
