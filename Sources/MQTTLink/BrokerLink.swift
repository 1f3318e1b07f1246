// A connection to a broker that comes back by itself, driven by the thread that owns it.

internal import GatewayModel
package import GatewayPlatform
internal import Logging

/// One MQTT connection. The owner's thread calls `turn` for ever and takes the events after each.
///
/// Owned by one thread, starts none for itself. Any error throws the client away and makes a new one after a pause;
/// the session is clean unless the plan keeps it. It never publishes while it is not connected, so nothing queues inside libmosquitto.
package struct BrokerLink: ~Copyable {
    private let plan: BrokerPlan
    /// Left with the broker by the next connection; a change has no effect on the present one.
    package var will: WillPlan?
    /// Which ways it goes once it is connected. Has a meaning for a kept session only: other clients write by themselves.
    package var flow = LinkFlow.both
    private let window: Int
    private let clock: any GatewayClock
    private var machine: LinkStateMachine
    private var client: MosquittoClient?
    private var lookup: HostLookup?
    /// The brokers, and then the addresses of each one's name, are taken in turn at each attempt: the first may be of a
    /// network that is away.
    private var rotation: BrokerRotation
    private var attempts: [Int]
    private var events = LinkEvents()
    /// Messages of QoS 0 that the library has not written yet: what it says of them is no answer of the broker.
    private var unanswerable: Set<Int32> = []

    /// - Parameters:
    ///   - window: messages published and not acknowledged, at most; the owner keeps to it.
    ///   - stallLimit: how long a broker may take to answer anything. Failover inside a cluster of brokers took up to
    ///     10.6 s (measured with NATS 2.14).
    package init(
        plan: BrokerPlan, will: WillPlan? = nil, window: Int = 20, stallLimit: Duration = .seconds(15),
        clock: any GatewayClock
    ) {
        self.plan = plan
        self.will = will
        self.window = window
        self.clock = clock
        rotation = BrokerRotation(servers: plan.servers.count, version: plan.version)
        attempts = Array(repeating: 0, count: plan.servers.count)
        machine = LinkStateMachine(stallLimit: stallLimit, now: clock.monotonic(), seed: .randomSeed())
    }

    package var isConnected: Bool { machine.isConnected }

    /// The last turn left nothing to be read.
    package private(set) var isQuiet = true

    /// What the broker allows, as long as it is connected.
    package private(set) var grant = SessionGrant()

    /// Waits at most `timeout` (and never more than a second, for the keep-alive) for the socket or the bell, then
    /// reads, writes, connects or gives up, whichever is due.
    /// - Returns: true when the bell rang.
    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let patience = prepare(bell: bell)
        let flow = machine.isConnected ? self.flow : .both
        let (reads, writes) = (flow == .both || flow == .reading, flow == .both || flow == .writing)
        let hasMore = reads && !isQuiet
        let ended = bell.wait(
            timeout: hasMore ? .zero : min(timeout, patience, .seconds(1)),
            socket: reads || writes ? client?.socket ?? -1 : -1,
            forWriting: writes && client?.wantsToWrite ?? false)
        serve(isReadable: hasMore || ended.readable)
        return ended.rung
    }

    /// Exchanges what happened since the last call for the storage of `taken`.
    package mutating func takeEvents(into taken: inout LinkEvents) {
        taken.removeAll()
        swap(&events, &taken)
    }

    /// Publishes when connected, with QoS 1 or with 0: `.acknowledged` then says only that it was written.
    package mutating func publish(
        topic: String, payload: [UInt8], isRetained: Bool = false, qos: Int32 = 1, properties: MessageProperties? = nil
    ) -> PublishOutcome {
        guard isConnected,
            let outcome = client?.publish(
                topic: topic, payload: payload, qos: qos, isRetained: isRetained, properties: properties)
        else { return .linkLost }
        switch outcome {
        case .sent(let messageID):
            if qos == 0 {
                unanswerable.insert(messageID)
            } else {
                machine.expectsAnswer(to: messageID, at: clock.monotonic())
            }
            return .sent(messageID)
        case .poison(let reason):
            return .poison(reason)
        case .failed(let failure):
            giveUp(failure)
            return .linkLost
        }
    }

    /// Asks for `topic`; the answer comes as `.subscribed` with the id returned. Nil when the link was lost.
    package mutating func subscribe(topic: String, qos: Int) -> Int32? {
        guard isConnected else { return nil }
        do {
            guard let messageID = try client?.subscribe(topic: topic, qos: Int32(clamping: qos)) else { return nil }
            machine.expectsAnswer(to: messageID, at: clock.monotonic())
            return messageID
        } catch {
            giveUp(error)
            return nil
        }
    }

    /// Ends a subscription; nobody waits for the answer.
    package mutating func unsubscribe(topic: String) {
        guard isConnected else { return }
        do { try client?.unsubscribe(topic: topic) } catch { giveUp(error) }
    }

    /// Gives the connection up for a reason that only the owner sees; it comes back after the usual pause, or after a
    /// long one when somebody must do something first.
    package mutating func drop(_ reason: String, isStanding: Bool = false) {
        if client != nil { giveUp(.owner(reason), isStanding: isStanding) }
    }

    /// Says goodbye to the broker, so that it forgets the will. Nothing is waited for.
    package mutating func close() { client = nil }

    /// What is due before the wait, and how long the wait may be.
    private mutating func prepare(bell: WakeUp) -> Duration {
        let now = clock.monotonic()
        switch machine.decision(at: now) {
        case .giveUp(let failure):
            giveUp(failure)
            return .zero
        case .open:
            machine.opened(at: now)
            open(bell: bell)
            return .zero
        case .wait(let duration):
            if case .opening = machine.phase, client == nil { open(bell: bell) }
            return duration
        }
    }

    /// Connects as soon as the broker's name has become an address.
    private mutating func open(bell: WakeUp) {
        let host = plan.servers[rotation.server].host
        guard !HostLookup.isAddress(host) else { return connect(to: host) }
        guard let running = lookup else {
            lookup = HostLookup.start(host: host, bell: bell)
            return
        }
        guard let addresses = running.addresses else { return }
        lookup = nil
        guard !addresses.isEmpty else { return giveUp(.unknownHost(host)) }
        connect(to: addresses[attempts[rotation.server] % addresses.count])
    }

    private mutating func connect(to address: String) {
        attempts[rotation.server] += 1
        let server = plan.servers[rotation.server]
        do {
            let client = try MosquittoClient.make(
                plan: plan, server: server, version: rotation.version, will: will, window: window)
            try client.connect(address: address, port: server.port, keepAlive: plan.keepAlive)
            self.client = consume client
        } catch {
            giveUp(error)
        }
    }

    /// One loop of libmosquitto, and what its callbacks said.
    private mutating func serve(isReadable: Bool) {
        guard client != nil else { return }
        var failure: LinkFailure?
        do {
            if machine.isConnected {
                try client?.exchange(flow, isReadable: isReadable)
                if isReadable { isQuiet = client?.hasMore != true }
            } else {
                if case .opening = machine.phase { try client?.checkOpening() }
                try client?.loop()
            }
        } catch {
            failure = error
        }
        if let inbox = client?.inbox { take(from: inbox, failure: &failure) }
        if let failure { giveUp(failure) }
    }

    private mutating func take(from inbox: CallbackInbox, failure: inout LinkFailure?) {
        let now = clock.monotonic()
        for event in inbox.events.list {
            switch event {
            case .connected:
                grant = inbox.grant
                if !machine.accepted(at: now) { failure = .connection("the broker accepted us twice") }
            case .acknowledged(let id) where unanswerable.remove(id) != nil: break
            case .acknowledged(let id), .subscribed(let id, _): machine.answered(id, at: now)
            case .refused(let id, _): machine.answered(id, isRefusal: true, at: now)
            case .message, .tooLarge: machine.received()
            case .disconnected: break
            }
        }
        if events.list.isEmpty {
            swap(&events, &inbox.events)
        } else {
            events.append(inbox.events)
        }
        inbox.events.removeAll()
    }

    private mutating func giveUp(_ failure: LinkFailure, isStanding: Bool = false) {
        client = nil
        isQuiet = true
        unanswerable.removeAll(keepingCapacity: true)
        // A look-up that is still running is of the broker whose turn is over; a single one goes on with it.
        if plan.servers.count > 1 { lookup = nil }
        rotation.ended(end(failure))
        machine.failed(at: clock.monotonic(), isStanding: isStanding)
        events.list.append(.disconnected(failure))
    }

    private func end(_ failure: LinkFailure) -> BrokerRotation.End {
        if machine.isConnected { return .broken }
        return switch failure {
        case .versionRefused: .versionRefused
        case .closed: .closedUnanswered
        default: .unreached
        }
    }
}
