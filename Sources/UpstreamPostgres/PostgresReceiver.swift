// A PostgreSQL database as a receiver: rows by COPY, settled by their commit.

internal import GatewayModel
package import GatewayPlatform
internal import Journal
internal import Logging
package import Upstream

/// The connection, the ids and the batches of one sink. While one batch is on its way the next is filled.
package struct PostgresReceiver: Receiver, ~Copyable {
    /// What the statements under way are for.
    private enum Job {
        case none, look, create, stream
        case tags(TagIDs.Question)
        case batch
    }

    private let plan: PostgresReceiverPlan
    private let context: ReceiverContext
    private let library: String
    private let schema: PostgresSchema
    private let clock: any GatewayClock
    private var pace: ConnectionPace
    private var link: PostgresLink?
    private var lookup: HostLookup?
    /// Servers and their addresses are taken in turn.
    private var attempts = 0
    private var isReady = false
    private var events: [ReceiverEvent] = []

    private var job = Job.none
    /// Statements of the job that still wait, the next one first.
    private var waiting: [Statement] = []
    private var current: Statement?
    private var ids: (stream: Int32, gateway: Int32) = (0, 0)
    private var tags = TagIDs()
    private var question: TagIDs.Question?

    private var filling = PostgresBatch()
    private var fillingSince = MonotonicTime(nanoseconds: 0)
    private var delivery: PostgresDelivery?
    private var lastID: DeliveryID = 0
    /// Rows of this lane may be there already, until a whole batch was new.
    private var isCareful = (live: true, older: true)

    /// Three SYNs, TLS and a login.
    private static let connectLimit = Duration.seconds(10)
    /// A statement without any answer. 10,000 rows take 26 ms (measured); a checkpoint on a slow disk may hold them up
    /// for seconds.
    private static let statementLimit = Duration.seconds(30)
    /// Rows of several rounds of the pipeline share a commit; with a hundred gateways a database makes 400 a second.
    private static let linger = Duration.milliseconds(250)

    package init(plan: PostgresReceiverPlan, context: ReceiverContext) {
        self.init(plan: plan, context: context, library: PostgresLibrary.name)
    }

    /// - Parameter library: what is loaded as libpq; another one in tests only.
    init(plan: PostgresReceiverPlan, context: ReceiverContext, library: String) {
        self.plan = plan
        self.context = context
        self.library = library
        schema = PostgresSchema(plan.schema)
        clock = context.clock
        pace = ConnectionPace(
            connectLimit: Self.connectLimit, answerLimit: Self.statementLimit, now: clock.monotonic(),
            seed: .randomSeed())
    }

    package var canSend: Bool { isReady && question == nil && filling.hasRoom(for: plan.batch) }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let patience = prepare(bell)
        let ended = bell.wait(
            timeout: min(timeout, patience, .seconds(1)), socket: link?.socket ?? -1,
            forWriting: link?.wantsToWrite ?? false)
        serve(ended)
        return ended.rung
    }

    package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }

    package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        guard canSend else { return .notNow }
        if let missing = tags.question(for: chunk, from: place) {
            question = missing
            startNext()
            return .notNow
        }
        if filling.isEmpty { fillingSince = clock.monotonic() }
        lastID += 1
        let added = filling.add(
            chunk, from: &place, as: lastID, stream: ids.stream, tags: tags.ids(of: chunk.dictionary), most: plan.batch)
        startNext()
        return .sent(lastID, readings: added.readings, bytes: added.bytes)
    }

    package mutating func discard() { filling = PostgresBatch() }

    package mutating func close(bell: WakeUp, within limit: Duration) {
        let deadline = clock.monotonic().advanced(by: limit)
        while isReady, delivery != nil || !filling.isEmpty, clock.monotonic() < deadline {
            _ = turn(bell: bell, timeout: .milliseconds(50))
        }
        // What was not committed is not there; the server forgets it with the connection.
        link = nil
        isReady = false
    }

    // MARK: Connecting

    /// What is due before the wait, and how long the wait may be.
    private mutating func prepare(_ bell: WakeUp) -> Duration {
        let now = clock.monotonic()
        switch pace.decision(at: now) {
        case .giveUp(let reason):
            giveUp(.lost(reason))
            return .zero
        case .open:
            pace.opened(at: now)
            open(bell)
            return .zero
        case .wait(let patience):
            if case .connecting = pace.phase, link == nil { open(bell) }
            startNext()
            guard isReady, !filling.isEmpty, delivery == nil else { return patience }
            return min(patience, Self.linger - now.duration(since: fillingSince))
        }
    }

    /// Connects as soon as the server's name has become an address: libpq's own look-up would wait for the resolver.
    private mutating func open(_ bell: WakeUp) {
        let server = plan.servers[attempts % plan.servers.count]
        guard !server.isSocket, !HostLookup.isAddress(server.host) else { return connect(to: server, address: nil) }
        guard let running = lookup else {
            lookup = HostLookup.start(host: server.host, bell: bell)
            return
        }
        guard let addresses = running.addresses else { return }
        lookup = nil
        guard !addresses.isEmpty else { return giveUp(.lost("the name '\(server.host)' has no address")) }
        connect(to: server, address: addresses[attempts / plan.servers.count % addresses.count])
    }

    private mutating func connect(to server: PostgresReceiverPlan.Server, address: String?) {
        if let error = PostgresLibrary.load(library) { return giveUp(error) }
        link = PostgresLink(plan.parameters(for: server, address: address, sink: context.sink))
        if link == nil { giveUp(.lost("no memory for a connection")) }
    }

    private mutating func giveUp(_ error: PostgresError) {
        let isStanding = if case .standing = error.meaning { true } else { false }
        link = nil
        lookup = nil
        (job, waiting, current) = (.none, [], nil)
        isReady = false
        question = nil
        delivery = nil
        filling = PostgresBatch()
        attempts += 1
        pace.failed(at: clock.monotonic(), isStanding: isStanding)
        events.append(.lost(error.text))
    }

    // MARK: Statements

    private mutating func serve(_ ended: WakeUp.Ended) {
        guard let wantsToWrite = link?.wantsToWrite else { return }
        if case .connecting = pace.phase {
            // PQconnectPoll is for sockets that are ready for what it asked for (libpq, 34.1).
            guard ended.readable || wantsToWrite && ended.writable else { return }
            return finishConnecting()
        }
        while let progress = link?.advance() {
            switch progress {
            case .busy: return startNext()
            case .broken(let reason): return giveUp(.lost(reason))
            case .finished(let result):
                pace.ended()
                take(result)
            }
        }
    }

    private mutating func finishConnecting() {
        switch link?.connect() {
        case .connected:
            pace.connected()
            tags.removeAll()
            isCareful = (true, true)
            begin(.look, PostgresSchema.session(timeout: Self.statementLimit) + [schema.look])
        case .failed(let error): giveUp(error)
        case .waiting, nil: break
        }
    }

    private mutating func begin(_ job: Job, _ statements: [Statement]) {
        self.job = job
        waiting = statements
        runNext()
    }

    private mutating func runNext() {
        guard !waiting.isEmpty else { return finishJob(rows: []) }
        let statement = waiting.removeFirst()
        current = statement
        pace.began(at: clock.monotonic())
        if link?.begin(statement) != true { giveUp(.lost("the connection ended")) }
    }

    private mutating func take(_ result: StatementResult) {
        switch result {
        case .done(let rows, let count):
            if let current { delivery?.did(current, count: count) }
            if waiting.isEmpty { finishJob(rows: rows) } else { runNext() }
        case .failed(let error):
            guard case .batch = job, let step = delivery?.failed(error) else { return giveUp(error) }
            follow(step)
        }
    }

    private mutating func finishJob(rows: [[String]]) {
        let done = job
        job = .none
        switch done {
        case .none: break
        case .look: looked(rows)
        case .create: begin(.stream, schema.findStream(gateway: context.gateway, stream: context.stream))
        case .stream:
            guard let row = rows.first, row.count == 2, let stream = Int32(row[0]), let gateway = Int32(row[1]) else {
                return giveUp(.lost("the database gave this stream no id"))
            }
            ids = (stream, gateway)
            isReady = true
            events.append(.ready)
        case .tags(let question):
            self.question = nil
            guard tags.answer(question, rows: rows) else { return giveUp(.lost("the database gave a tag no id")) }
            startNext()
        case .batch:
            if let step = delivery?.committed() { follow(step) }
        }
    }

    private mutating func looked(_ rows: [[String]]) {
        guard rows.first?.first != "t" else {
            return begin(.stream, schema.findStream(gateway: context.gateway, stream: context.stream))
        }
        guard plan.creates else {
            return giveUp(PostgresError(code: "42P01", message: "there is no table \(schema.name).readings"))
        }
        context.logger.info(
            "making the tables of a sink", metadata: ["sink": "\(context.sink)", "receiver": "\(plan.address)"])
        begin(.create, schema.create(withTimescale: rows.first?.last == "t"))
    }

    // MARK: Batches

    /// Starts what waits when nothing is under way: names first, then a batch that is full or old enough.
    private mutating func startNext() {
        guard isReady, case .none = job, link?.isBusy == false else { return }
        if let question { return begin(.tags(question), question.statements(schema, gateway: ids.gateway)) }
        guard !filling.isEmpty else { return }
        let waited = clock.monotonic().duration(since: fillingSince)
        guard waited >= Self.linger || !filling.hasRoom(for: plan.batch) else { return }
        let batch = filling
        filling = PostgresBatch()
        delivery = PostgresDelivery(
            batch, schema: schema, isCareful: batch.hasLive && isCareful.live || batch.hasOlder && isCareful.older)
        follow(delivery?.isFinished == true ? .finished : .run)
    }

    private mutating func follow(_ step: PostgresDelivery.Step) {
        switch step {
        case .giveUp(let error): giveUp(error)
        case .run:
            guard var delivery = delivery.take() else { return }
            let statements = delivery.statements()
            let ending = delivery.ending
            self.delivery = delivery
            begin(.batch, statements.isEmpty ? ending : statements)
        case .finished:
            guard let done = delivery.take() else { return }
            pace.progressed()
            if done.batch.hasLive { isCareful.live = !done.wasNew }
            if done.batch.hasOlder { isCareful.older = !done.wasNew }
            events += done.events
            startNext()
        }
    }
}

extension PostgresReceiverPlan {
    /// What libpq is told. Never logged: the password is among it.
    func parameters(for server: Server, address: String?, sink: String) -> [(name: String, value: String)] {
        var parameters = [
            ("host", server.host), ("port", "\(server.port)"), ("dbname", database), ("user", username),
            ("application_name", "lineside \(sink)"), ("client_encoding", "UTF8"), ("sslmode", tls.rawValue),
            // Kerberos would be asked for without being told to, and may wait for it.
            ("gssencmode", "disable"),
            ("target_session_attrs", "read-write"),
            // A server whose machine is gone: 20 s instead of the kernel's quarter of an hour.
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "2"),
            ("tcp_user_timeout", "20000"),
        ]
        if let address { parameters.append(("hostaddr", address)) }
        if let password { parameters.append(("password", password.revealed)) }
        if tls == .verifyFull || tls == .verifyCA {
            parameters.append(("sslrootcert", authority ?? "/etc/ssl/certs/ca-certificates.crt"))
        }
        if let certificate { parameters.append(("sslcert", certificate)) }
        if let key { parameters.append(("sslkey", key)) }
        return parameters
    }
}
