// One scan class of one unit: its requests, the state of its tags, and the batches that an answer becomes.

internal import Acquisition
internal import GatewayModel
internal import GatewayPlatform

/// What the channel's thread keeps of one scan class of one unit. Not shared.
struct UnitScan: Sendable {
    let unit: Int
    let name: String
    let isOnConnect: Bool
    private(set) var plan: ReadPlan
    private let tags: [ModbusTagPlan]
    private let limits: ModbusUnitLimits
    private var normalisers: [Normaliser]
    /// One for each of the plan's fields, filled in by each answer.
    private var samples: [RawSample]
    var grid: ScanGrid
    var learner: RefusalLearner
    /// Requests of the cycle under way, and how far it is; empty between cycles.
    var cycle: [ReadRequest] = []
    var position = 0
    /// Which of the plan's requests the cycle began with.
    private var first = 0
    /// Which one the next cycle begins with: the one behind the request that met silence, so that a device which never
    /// answers one of them still gives the values of all others.
    private var resumeAt = 0
    /// The refused values are asked again with this cycle.
    var triesRefused = false
    /// Retries that the cycle may still make of requests that met a busy device.
    var retries = 0
    /// On connect only: not read whole since the connection stands, or since the unit answers again.
    private(set) var isOwed = false
    /// A request of the cycle was not answered: neither with values nor with a refusal.
    var hasFailed = false
    /// Something was learned while a cycle was under way: the plan is made anew when it is over.
    var isPlanStale = false

    /// What is read on connect may wait this long for what is due: a busy channel must not keep it for the hour.
    private static let owedWithin = Duration.seconds(1)
    /// How soon what is owed is tried again when nothing else says later.
    private static let owedRetry = Duration.seconds(1)

    init(
        unit: Int, plan: ModbusUnitPlan, scan: ModbusScanPlan, cost: RequestCost, knowledge: UnitKnowledge,
        startingAt now: Int64
    ) {
        self.unit = unit
        name = scan.name
        isOnConnect = scan.isOnConnect
        tags = scan.tags
        limits = plan.limits
        self.plan = ReadPlan(tags: scan.tags, limits: plan.limits, cost: cost, knowledge: knowledge)
        samples = Self.samples(of: self.plan)
        normalisers = scan.tags.map { Normaliser($0.normalisation) }
        grid = ScanGrid(period: scan.period, isContinuous: scan.isContinuous, startingAt: now)
        learner = RefusalLearner(knowledge: knowledge, alignment: plan.limits.alignment)
        // Nobody else may ever ask for a connection.
        owe(at: now)
    }

    /// The unit is another device now: nothing holds that its predecessor taught.
    mutating func forget(_ knowledge: UnitKnowledge) {
        learner = RefusalLearner(knowledge: knowledge, alignment: max(1, limits.alignment))
    }

    var isUnderWay: Bool { position < cycle.count }
    /// When the present or next cycle should be over.
    var deadline: Int64 {
        grid.next &+ (isOwed ? min(grid.period, Self.owedWithin) : grid.period).nanoseconds
    }

    /// The connection stands, or the unit answers again: what is read on connect is due now. Nothing else changes.
    mutating func owe(at now: Int64) {
        guard isOnConnect else { return }
        isOwed = true
        grid.makeDue(at: now)
    }

    /// The cycle is over. What is owed and could not be read is due again soon, but not before `earliest`.
    mutating func settleDebt(at now: Int64, earliest: Int64) {
        guard isOwed else { return }
        isOwed = hasFailed
        if isOwed { grid.makeDue(at: max(now &+ Self.owedRetry.nanoseconds, earliest)) }
    }

    mutating func beginCycle() {
        cycle.removeAll(keepingCapacity: true)
        first = resumeAt < plan.requests.count ? resumeAt : 0
        cycle.append(contentsOf: plan.requests[first...])
        cycle.append(contentsOf: plan.requests[..<first])
        resumeAt = 0
        if triesRefused { cycle.append(contentsOf: plan.refused) }
        triesRefused = false
        position = 0
        retries = 2
        hasFailed = false
    }

    /// The rest of the cycle is given up at `position`.
    mutating func breakOff() {
        hasFailed = true
        let count = plan.requests.count
        // Beyond the plan's own requests there are only repetitions and halves: the order was right.
        if count > 0 { resumeAt = (first + min(position, count)) % count }
    }

    /// Makes the plan anew, with what was learned. Only between cycles.
    mutating func replan(cost: RequestCost, knowledge: UnitKnowledge) {
        plan = ReadPlan(tags: tags, limits: limits, cost: cost, knowledge: knowledge)
        samples = Self.samples(of: plan)
        learner.adopted(knowledge)
        isPlanStale = false
        resumeAt = 0
    }

    /// The readings of one answer, added to `batch`. `data` is as long as the request demands.
    mutating func add(_ request: ReadRequest, data: RawSpan, at timestamp: Timestamp, to batch: inout ReadingBatch) {
        let isBits = request.table.isBits
        let base = Int(request.address)
        // Spans: the checks that nobody else holds the arrays are made once, not with each value.
        let held = plan.fields
        let fields = held.span
        var next = request.fields.lowerBound
        while next < request.fields.upperBound {
            // All numbers up to the next text become samples, and these readings: two short loops instead of a call each.
            let first = next
            var row = samples.mutableSpan
            while next < request.fields.upperBound && !fields[next].type.isText {
                fields[next].spell(into: &row[next], from: data, at: base, bits: isBits)
                if fields[next].exponentAddress >= 0 || row[next].kind.isUnreadable {
                    Self.finish(next, fields, &row, data, base)
                }
                next &+= 1
            }
            if next > first {
                let held = samples
                let row = held.span.extracting(first..<next)
                var normalisers = normalisers.mutableSpan
                batch.readings.append(addingCapacity: next - first) { readings in
                    Normaliser.add(row, at: timestamp, through: &normalisers, to: &readings)
                }
            }
            guard next < request.fields.upperBound else { return }
            addText(fields[next], data, base, at: timestamp, to: &batch)
            next += 1
        }
    }

    /// Apart, so that the loop before it needs to load of a field what it reads of most.
    @inline(never)
    private static func finish(
        _ index: Int, _ fields: Span<ReadField>, _ row: inout MutableSpan<RawSample>, _ data: RawSpan, _ base: Int
    ) {
        fields[index].finish(&row[index], from: data, at: base)
    }

    private mutating func addText(
        _ field: ReadField, _ data: RawSpan, _ base: Int, at timestamp: Timestamp, to batch: inout ReadingBatch
    ) {
        guard let text = field.text(in: data, from: base) else {
            return add(field, .badDecodingError, at: timestamp, to: &batch)
        }
        normalisers[Int(field.position)].text(text[...], tag: field.tag, at: timestamp, into: &batch)
    }

    /// What of the samples stays the same from answer to answer.
    private static func samples(of plan: ReadPlan) -> [RawSample] {
        plan.fields.map { RawSample(.unreadable, bits: 0, tag: $0.tag, position: $0.position) }
    }

    /// The readings of a request that failed, added to `batch`.
    mutating func add(
        _ request: ReadRequest, failedWith quality: Quality, at timestamp: Timestamp, to batch: inout ReadingBatch
    ) {
        for index in request.fields { add(plan.fields[index], quality, at: timestamp, to: &batch) }
    }

    private mutating func add(
        _ field: ReadField, _ quality: Quality, at timestamp: Timestamp, to batch: inout ReadingBatch
    ) {
        let reading = normalisers[Int(field.position)].unreadable(quality, tag: field.tag, at: timestamp)
        if let reading { batch.readings.append(reading) }
    }
}
