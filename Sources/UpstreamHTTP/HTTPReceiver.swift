// A receiver that is reached over HTTP: a time-series database, or a program that takes JSON.

internal import GatewayModel
package import GatewayPlatform
package import Upstream

/// Packs records into a parcel until it is full or has waited long enough, and hands it to the courier.
///
/// Owned by the sink's thread. At most one parcel is being packed and `plan.requests` are on their way, each of the size
/// that the plan allows: that is all the memory there is.
package struct HTTPReceiver<Encoder: ParcelEncoder>: Receiver, ~Copyable {
    private let plan: HTTPReceiverPlan
    private let clock: any GatewayClock
    private let form: RequestForm
    private let transport: HTTPTransport
    private var encoder: Encoder
    private var courier: Courier
    /// What is being packed.
    private var open = Parcel()
    private var deliveries: [(id: DeliveryID, end: Int)] = []
    private var openSince = MonotonicTime(nanoseconds: 0)
    private var lastID: DeliveryID = 0
    private var ended: [HTTPTransport.Ended] = []

    package init(plan: HTTPReceiverPlan, encoder: Encoder, context: ReceiverContext) {
        self.plan = plan
        self.encoder = encoder
        clock = context.clock
        form = RequestForm(plan: plan, gateway: context.gateway, stream: context.stream)
        transport = HTTPTransport(plan: plan)
        courier = Courier(
            content: form.content, requests: plan.requests, bounds: plan.bounds, now: context.clock.monotonic(),
            seed: .randomSeed())
    }

    package var canSend: Bool { courier.isOpen && (courier.hasRoom || courier.bounds.holds(open)) }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let now = clock.monotonic()
        if isDue(at: now) { flush() }
        dispatch(at: now)
        var patience = min(timeout, courier.pause(at: now) ?? timeout)
        if !open.isEmpty, courier.hasRoom { patience = min(patience, plan.linger - now.duration(since: openSince)) }
        let end = bell.wait(timeout: max(.zero, patience), socket: transport.bell.descriptor)
        takeEnded()
        return end.rung
    }

    package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &courier.events)
    }

    package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        if !courier.bounds.holds(open) { flush() }
        guard courier.bounds.holds(open) else { return .notNow }
        let before = (bytes: open.bytes.count, pieces: open.pieces.count)
        encoder.limit(courier.bounds)
        switch encoder.fill(&open, from: chunk, at: &place) {
        case .flawed(let reason): return .setAside(reason)
        case .added(let readings):
            guard open.pieces.count > before.pieces else { return .setAside("nothing that could be said of it") }
            if before.pieces == 0 { openSince = clock.monotonic() }
            lastID += 1
            deliveries.append((lastID, open.pieces.count))
            let bytes = open.bytes.count - before.bytes
            if !courier.bounds.holds(open) { flush() }
            return .sent(lastID, readings: readings, bytes: bytes)
        }
    }

    package mutating func discard() {
        open.removeAll()
        deliveries.removeAll()
        courier.discard()
        transport.cancelAll()
        encoder.beginAgain()
    }

    package mutating func close(bell: WakeUp, within limit: Duration) {
        let deadline = clock.monotonic().advanced(by: limit)
        while courier.isOpen, !(open.isEmpty && courier.isIdle), clock.monotonic() < deadline {
            flush()
            dispatch(at: clock.monotonic())
            _ = bell.wait(timeout: .milliseconds(50), socket: transport.bell.descriptor)
            takeEnded()
        }
        transport.close()
    }

    private func isDue(at now: MonotonicTime) -> Bool {
        !open.isEmpty && (now.duration(since: openSince) >= plan.linger || !courier.bounds.holds(open))
    }

    private mutating func flush() {
        guard courier.hasRoom, !open.isEmpty else { return }
        let size = open.bytes.capacity
        courier.take(open, deliveries: deliveries)
        // The courier has the memory now; the next parcel will be about as large.
        open = Parcel()
        open.bytes.reserveCapacity(min(size, plan.bounds.bytes + 32 * 1024))
        deliveries.removeAll(keepingCapacity: true)
        dispatch(at: clock.monotonic())
    }

    private mutating func dispatch(at now: MonotonicTime) {
        while let order = courier.next(at: now) {
            switch order {
            case .ask(let id): transport.start(id, form.request(Parcel(), at: clock.wall()))
            case .post(let id, let parcel): transport.start(id, form.request(parcel, at: clock.wall()))
            }
        }
    }

    private mutating func takeEnded() {
        _ = transport.bell.wait(timeout: .zero)
        transport.takeEnded(into: &ended)
        let (now, wall) = (clock.monotonic(), clock.wall())
        for one in ended { courier.ended(one.id, one.outcome, at: now, wall: wall) }
        // What waits for a place doesn't wait for the next turn.
        if isDue(at: now) { flush() }
        dispatch(at: now)
    }
}
