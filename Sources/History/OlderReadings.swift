// The seam to the log: what RAM no longer holds is asked for there, and questions about the past span both.

package import GatewayModel
internal import Synchronization

/// Where the readings are that RAM no longer holds. Given by the wiring, asked on the thread of whoever asks the history.
package struct OlderReadings: Sendable {
    /// The readings of one tag in the closed interval from `from` to `to`, with numbers below `end` (nil: all of them),
    /// in the order of their numbers, piece by piece until `body` returns false.
    package typealias Read =
        @Sendable (
            _ tag: TagID, _ from: Timestamp, _ to: Timestamp, _ end: SequenceNumber?, _ order: HistoryOrder,
            _ body: (HistoryReadings) -> Bool
        ) -> Void

    let read: Read

    package init(read: @escaping Read) { self.read = read }
}

extension History {
    /// What is older than RAM, or nil when the interval doesn't reach back so far, or nobody knows.
    func older(than edge: HistoryEdge?, from: Timestamp) -> OlderReadings? {
        // Without a number nobody could tell what RAM holds already.
        if let edge, edge.sequence == nil || from >= edge.timestamp { return nil }
        return attached.withLock { $0 }
    }

    /// Adds to what RAM gave for a question what the log has for it, within the same limit.
    func extended(
        _ inRAM: HistoryReadings, _ tag: TagID, from: Timestamp, to: Timestamp, limit: Int, order: HistoryOrder
    ) -> HistoryReadings {
        let isEnough = order == .newestFirst && inRAM.readings.count >= limit
        guard !isEnough, let older = older(than: inRAM.edge, from: from) else { return inRAM }
        let wanted = order == .newestFirst ? limit - inRAM.readings.count : limit
        var found = HistoryReadings()
        older.read(tag, from, to, inRAM.edge?.sequence, order) { piece in
            found.append(piece, limit: wanted)
            return found.readings.count < wanted
        }
        guard !found.readings.isEmpty else { return inRAM }
        var joined = HistoryReadings(edge: inRAM.edge)
        for part in order == .oldestFirst ? [found, inRAM] : [inRAM, found] { joined.append(part, limit: limit) }
        joined.sort(order)
        return joined
    }
}

extension HistoryReadings {
    /// Adds readings of another piece, at most until there are `limit`.
    mutating func append(_ piece: HistoryReadings, limit: Int) {
        let shift = UInt64(text.count) << 32
        for var reading in piece.readings.prefix(max(0, limit - readings.count)) {
            if reading.kind == .text { reading.bits &+= shift }
            readings.append(reading)
        }
        text += piece.text
    }

    /// By time, where it isn't the order already: a clock was set, or a source sent its own times late.
    mutating func sort(_ order: HistoryOrder) {
        func comes(_ left: Reading, before right: Reading) -> Bool {
            order == .oldestFirst ? left.timestamp < right.timestamp : left.timestamp > right.timestamp
        }
        guard zip(readings, readings.dropFirst()).contains(where: { comes($1, before: $0) }) else { return }
        // Stable: equal times stay in the order of their numbers.
        readings = readings.indices.sorted {
            comes(readings[$0], before: readings[$1])
                || !comes(readings[$1], before: readings[$0]) && $0 < $1
        }.map { readings[$0] }
    }
}
