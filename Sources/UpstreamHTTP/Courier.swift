// What is on its way over HTTP and what to do with each answer: decisions without a clock and without a socket.

package import GatewayModel
package import GatewayPlatform
internal import TextFormats
package import Upstream

/// Takes parcels and sees each settled: taken whole, taken without what the receiver refuses, or lost.
///
/// What a receiver refuses is halved until the bad pieces are alone, and those are set aside; a bad line is taken apart
/// into its fields first. While that lasts nothing newer is sent in its place, so order is kept. Every other failure
/// ends the connection, as it were: everything on its way comes again from the cursor, after a pause, once a question
/// without records has been answered. A pure value; time is passed in, and a seed for chance.
package struct Courier: Sendable {
    package typealias RequestID = Int64

    package enum Order: Equatable, Sendable {
        /// An empty request: is anybody there, and may we?
        case ask(RequestID)
        case post(RequestID, Parcel)
    }

    private enum Phase: Equatable {
        case resting(until: MonotonicTime)
        case asking(RequestID)
        case open
    }

    /// Some pieces of a consignment in one request.
    private struct Part {
        var parcel: Parcel
        /// Which piece of the consignment the first is.
        var first: Int
        /// All pieces are fields of that one.
        var isApart = false
    }

    private struct Consignment {
        /// Messages in it, and the piece behind each.
        var deliveries: [(id: DeliveryID, end: Int)]
        /// Records of each piece, so that a refusal counts no more.
        let records: [Int32]
        /// The next is the last.
        var waiting: [Part]
        var underway: (id: RequestID, part: Part)?
        /// By piece.
        var refused: [Int: (records: Int, reason: String)] = [:]

        mutating func halve(_ part: Part) {
            let count = part.parcel.pieces.count
            for range in [count / 2..<count, 0..<count / 2] {
                let first = part.isApart ? part.first : part.first + range.lowerBound
                waiting.append(Part(parcel: part.parcel.part(range), first: first, isApart: part.isApart))
            }
        }

        /// The next part, in halves as long as it is as large as one that was too large.
        mutating func popPart(below bytes: Int) -> Part? {
            while let part = waiting.popLast() {
                if part.parcel.pieces.count == 1 || part.parcel.bytes.count < bytes { return part }
                halve(part)
            }
            return nil
        }
    }

    /// However small a receiver wants its requests, one piece of this size it must take.
    private static let leastBytes = 4096

    private let content: RequestContent
    private let requests: Int
    /// As the plan has it; what 413 taught lasts until the connection is lost.
    private let planned: ParcelBounds
    package private(set) var bounds: ParcelBounds
    /// The smallest request that was too large.
    private var refusedBytes = Int.max
    private var phase: Phase
    private var consignments: [Consignment] = []
    private var backOff: BackOff
    private var lastID: RequestID = 0
    /// What happened, in order; whoever takes it empties it.
    package var events: [ReceiverEvent] = []

    package init(content: RequestContent, requests: Int, bounds: ParcelBounds, now: MonotonicTime, seed: UInt64) {
        backOff = .shared(seed: seed)
        (self.content, self.requests, planned, self.bounds) = (content, requests, bounds, bounds)
        phase = .resting(until: now)
    }

    package var isOpen: Bool { phase == .open }
    /// One more parcel may be given.
    package var hasRoom: Bool { isOpen && consignments.count < requests }
    package var isIdle: Bool { consignments.isEmpty }

    /// - Precondition: `hasRoom`, and the parcel isn't empty.
    package mutating func take(_ parcel: Parcel, deliveries: [(id: DeliveryID, end: Int)]) {
        precondition(hasRoom && !parcel.isEmpty, "BUG: a parcel that can't be sent")
        consignments.append(
            Consignment(
                deliveries: deliveries, records: parcel.pieces.map(\.records),
                waiting: [Part(parcel: parcel, first: 0)]))
    }

    /// The next request to make now; call until nil.
    package mutating func next(at now: MonotonicTime) -> Order? {
        switch phase {
        case .resting(let until):
            guard now >= until else { return nil }
            lastID += 1
            phase = .asking(lastID)
            return .ask(lastID)
        case .asking: return nil
        case .open:
            for index in consignments.indices where consignments[index].underway == nil {
                guard let part = consignments[index].popPart(below: refusedBytes) else { continue }
                lastID += 1
                consignments[index].underway = (lastID, part)
                return .post(lastID, part.parcel)
            }
            return nil
        }
    }

    /// How long until something is due that no answer brings; nil: nothing is.
    package func pause(at now: MonotonicTime) -> Duration? {
        guard case .resting(let until) = phase else { return nil }
        return max(.zero, until.duration(since: now))
    }

    /// A request ended; one that nobody waits for any more changes nothing.
    package mutating func ended(_ id: RequestID, _ outcome: Outcome, at now: MonotonicTime, wall: Timestamp) {
        let verdict = Verdict(outcome, to: content, at: wall)
        if phase == .asking(id) { return answered(verdict, at: now) }
        guard let index = consignments.firstIndex(where: { $0.underway?.id == id }),
            let part = consignments[index].underway?.part
        else { return }
        consignments[index].underway = nil
        switch verdict {
        case .taken: backOff.succeeded()
        case .refused(let reason): refused(part, of: index, reason)
        case .tooLarge(let reason):
            refusedBytes = max(Self.leastBytes, min(refusedBytes, part.parcel.bytes.count))
            bounds.bytes = max(Self.leastBytes, min(bounds.bytes, refusedBytes / 2))
            refused(part, of: index, reason)
        case .standing, .busy, .failed: return lose(verdict, at: now)
        }
        settleFinished()
    }

    /// Forgets what is on its way; answers to it are late from now on.
    package mutating func discard() { consignments.removeAll() }

    /// Whatever the answer to a question is, somebody gave it: only those that leave no hope end it.
    private mutating func answered(_ verdict: Verdict, at now: MonotonicTime) {
        switch verdict {
        case .taken, .refused, .tooLarge:
            phase = .open
            bounds = planned
            refusedBytes = .max
            events.append(.ready)
        case .standing, .busy, .failed: lose(verdict, at: now)
        }
    }

    private mutating func refused(_ part: Part, of index: Int, _ reason: String) {
        let count = part.parcel.pieces.count
        if count > 1 { return consignments[index].halve(part) }
        if !part.isApart, content == .lines, let piece = part.parcel.pieces.first {
            let lines = LineText.split(part.parcel.bytes[...])
            if !lines.isEmpty {
                var apart = Parcel()
                for line in lines {
                    apart.bytes += line
                    apart.close(from: apart.bytes.count - line.count, records: 1, first: piece.first, last: piece.last)
                }
                // Asked for whole it would only be refused again.
                return refused(Part(parcel: apart, first: part.first, isApart: true), of: index, reason)
            }
        }
        let most = Int(consignments[index].records[part.first])
        let before = consignments[index].refused[part.first]?.records ?? 0
        let records = part.isApart ? min(most, before + 1) : most
        consignments[index].refused[part.first] = (records, reason)
    }

    /// Tells of consignments that are done, in the log's order.
    private mutating func settleFinished() {
        while let first = consignments.first, first.underway == nil, first.waiting.isEmpty {
            var start = 0
            for delivery in first.deliveries {
                let refused = first.refused.filter { $0.key >= start && $0.key < delivery.end }
                if let worst = refused.min(by: { $0.key < $1.key }) {
                    let records = refused.reduce(0) { $0 + $1.value.records }
                    events.append(.refused(delivery.id, worst.value.reason, records: records))
                } else {
                    events.append(.delivered(delivery.id))
                }
                start = delivery.end
            }
            consignments.removeFirst()
        }
    }

    private mutating func lose(_ verdict: Verdict, at now: MonotonicTime) {
        let moment = now.nanoseconds
        var reason = ""
        switch verdict {
        case .standing(let said):
            reason = said
            backOff.failedForLong(at: moment)
        case .busy(let said, let asked?):
            reason = "\(said); it asks for \(asked.spelled)"
            backOff.failed(at: moment, askedFor: asked)
        case .busy(let said, nil), .failed(let said), .refused(let said), .tooLarge(let said):
            reason = said
            backOff.failed(at: moment)
        case .taken: backOff.failed(at: moment)
        }
        consignments.removeAll()
        phase = .resting(until: MonotonicTime(nanoseconds: backOff.notBefore))
        events.append(.lost(reason))
    }
}
