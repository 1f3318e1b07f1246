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
    var grid: ScanGrid
    var learner: RefusalLearner
    /// Requests of the cycle under way, and how far it is; empty between cycles.
    var cycle: [ReadRequest] = []
    var position = 0
    /// The refused values are asked again with this cycle.
    var triesRefused = false
    /// Retries that the cycle may still make of requests that met a busy device.
    var retries = 0

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
        normalisers = scan.tags.map { Normaliser($0.normalisation) }
        grid = ScanGrid(period: scan.period, startingAt: now)
        learner = RefusalLearner(knowledge: knowledge, alignment: plan.limits.alignment)
    }

    var isUnderWay: Bool { position < cycle.count }
    /// When the present or next cycle should be over.
    var deadline: Int64 { grid.next &+ grid.period.nanoseconds }

    mutating func beginCycle() {
        cycle.removeAll(keepingCapacity: true)
        cycle.append(contentsOf: plan.requests)
        if triesRefused { cycle.append(contentsOf: plan.refused) }
        triesRefused = false
        position = 0
        retries = 2
    }

    /// Makes the plan anew, with what was learned. Only between cycles.
    mutating func replan(cost: RequestCost, knowledge: UnitKnowledge) {
        plan = ReadPlan(tags: tags, limits: limits, cost: cost, knowledge: knowledge)
        learner.adopted(knowledge)
    }

    /// The readings of one answer, added to `batch`. `data` is as long as the request demands.
    mutating func add(_ request: ReadRequest, data: RawSpan, at timestamp: Timestamp, to batch: inout ReadingBatch) {
        let isBits = request.table.isBits
        let base = Int(request.address)
        // Spans: the checks that nobody else holds the arrays are made once, not with each value.
        let held = plan.fields
        let fields = held.span
        var normalisers = normalisers.mutableSpan
        for index in request.fields {
            let field = fields[index]
            let position = Int(field.position)
            var bad = Quality.badDecodingError
            if field.type.isText {
                if let text = field.text(in: data, from: base) {
                    normalisers[position].text(text[...], tag: field.tag, at: timestamp, into: &batch)
                    continue
                }
            } else if field.exponentAddress < 0 {
                if let raw = field.number(in: data, from: base, bits: isBits) {
                    if let reading = normalisers[position].reading(raw, tag: field.tag, at: timestamp) {
                        batch.readings.append(reading)
                    }
                    continue
                }
            } else if let exponent = field.exponent(in: data, from: base) {
                if let raw = field.number(in: data, from: base, bits: isBits) {
                    let reading = normalisers[position].reading(raw, exponent: exponent, tag: field.tag, at: timestamp)
                    if let reading { batch.readings.append(reading) }
                    continue
                }
            } else {
                bad = .badSensorFailure
            }
            let reading = normalisers[position].unreadable(bad, tag: field.tag, at: timestamp)
            if let reading { batch.readings.append(reading) }
        }
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
