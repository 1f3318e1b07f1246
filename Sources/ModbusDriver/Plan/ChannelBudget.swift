// What a channel's plan costs: how much of the medium's time it takes, which tags cost most, and what cannot be held.

package import GatewayModel

/// The account of one channel, before it has run: requests, registers and time of every scan class. A pure value.
package struct ChannelBudget: Sendable {
    package var name: String
    package var endpoint: ModbusEndpoint
    package var classes: [ScanClass] = []
    /// The tags whose absence would free most of the channel's time, the dearest first; at most `dearestShown`, and
    /// none that would free nothing.
    package var dearest: [TagCost] = []
    package var overloads: [Overload] = []

    /// One scan class of one unit.
    package struct ScanClass: Sendable {
        package var unit: Int
        package var device: DeviceID
        package var deviceName: String
        package var unitID: UInt8
        package var name: String
        package var period: Duration
        package var plan: ReadPlan
        /// Registers that tags lie in, and that requests carry.
        package var wanted = 0
        package var read = 0
        /// The same of coils and discrete inputs.
        package var bitsWanted = 0
        package var bitsRead = 0
        package var cycle = Duration.zero
        package var longestRequest = Duration.zero
        /// Takes the time that the others leave.
        package var isContinuous = false
        /// Share of the channel's time, 1 for all of it.
        package var utilisation: Double { isContinuous ? 0 : cycle.inSeconds / period.inSeconds }
    }

    package struct TagCost: Sendable, Equatable {
        package var tag: TagID
        package var scanClass: Int
        /// Time that each cycle would save.
        package var saved: Duration
        /// Share of the channel's time.
        package var utilisation: Double
    }

    /// A scan class that cannot be held, and the shortest period that can, all else unchanged.
    package struct Overload: Sendable, Equatable {
        package var scanClass: Int
        package var needed: Duration
        /// Even without this class the channel has more to do than time: all periods must grow, this one to `needed`.
        package var isShared: Bool

        package init(scanClass: Int, needed: Duration, isShared: Bool) {
            self.scanClass = scanClass
            self.needed = needed
            self.isShared = isShared
        }
    }

    /// Tags that are named as the dearest.
    package static let dearestShown = 5
    /// Tags of one scan class whose absence is tried: those with the largest share of their request's cost. Each try is
    /// a plan of its own.
    private static let tried = 64

    /// Share of the channel's time that all scan classes take.
    package var utilisation: Double { classes.reduce(0) { $0 + $1.utilisation } }
    /// The cost is a guess until the channel has been measured. On a serial line the baud rate says most of it.
    package var isAssumed: Bool {
        if case .serial = endpoint { false } else { true }
    }

    /// - Parameter knowledge: what the units have taught, where it is known.
    package init(_ channel: ModbusChannelPlan, knowledge: [DeviceID: UnitKnowledge] = [:]) {
        name = channel.name
        endpoint = channel.endpoint
        for (index, unit) in channel.units.enumerated() {
            let cost = channel.endpoint.cost(for: unit.limits)
            let known = knowledge[unit.device] ?? UnitKnowledge()
            for scan in unit.scans {
                var entry = ScanClass(
                    unit: index, device: unit.device, deviceName: unit.name, unitID: unit.unitID, name: scan.name,
                    period: scan.period,
                    plan: ReadPlan(tags: scan.tags, limits: unit.limits, cost: cost, knowledge: known))
                entry.isContinuous = scan.isContinuous
                for table in RegisterTable.allCases {
                    let wanted = Self.wanted(scan.tags.filter { $0.at.table == table })
                    let read = entry.plan.requests.filter { $0.table == table }.reduce(0) { $0 + Int($1.count) }
                    if table.isBits { entry.bitsWanted += wanted } else { entry.wanted += wanted }
                    if table.isBits { entry.bitsRead += read } else { entry.read += read }
                }
                entry.cycle = .nanoseconds(Int64(entry.plan.time(at: cost)))
                entry.longestRequest = .nanoseconds(
                    Int64(entry.plan.requests.reduce(0) { max($0, cost.of($1)) }))
                if !scan.isContinuous { dearest += Self.costs(scan, entry, classes.count, unit.limits, cost, known) }
                classes.append(entry)
            }
        }
        dearest.removeAll { $0.saved <= .zero }
        dearest.sort { ($1.utilisation, $0.tag.index) < ($0.utilisation, $1.tag.index) }
        dearest = Array(dearest.prefix(Self.dearestShown))
        overloads = findOverloads()
    }

    /// Addresses that the tags lie in, and their exponents.
    private static func wanted(_ tags: [ModbusTagPlan]) -> Int {
        var addresses: Set<Int> = []
        for tag in tags {
            addresses.formUnion(Int(tag.at.address)..<Int(tag.at.address) + tag.words)
            if let exponent = tag.exponent { addresses.insert(Int(exponent.address)) }
        }
        return addresses.count
    }

    /// What the scan class would save without each of its tags.
    private static func costs(
        _ scan: ModbusScanPlan, _ entry: ScanClass, _ index: Int, _ limits: ModbusUnitLimits, _ cost: RequestCost,
        _ knowledge: UnitKnowledge
    ) -> [TagCost] {
        let shares = entry.plan.requests.flatMap { request in
            request.fields.map {
                (Int(entry.plan.fields[$0].position), cost.of(request) / Double(request.fields.count))
            }
        }
        let candidates = shares.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.prefix(tried)
        return candidates.map { position, _ in
            var tags = scan.tags
            tags.remove(at: position)
            let without = ReadPlan(tags: tags, limits: limits, cost: cost, knowledge: knowledge)
            let saved = entry.cycle - .nanoseconds(Int64(without.time(at: cost)))
            return TagCost(
                tag: scan.tags[position].tag, scanClass: index, saved: saved,
                utilisation: saved.inSeconds / scan.period.inSeconds)
        }
    }

    /// A cycle must end within its period, even if another class's request has just begun when it is due; and all
    /// together must not take more than the time there is.
    private func findOverloads() -> [Overload] {
        var overloads: [Overload] = []
        let total = utilisation
        let heaviest = classes.indices.max { classes[$0].utilisation < classes[$1].utilisation }
        // Where stretching one class is enough, it is the heaviest.
        let oneIsEnough = total - (heaviest.map { classes[$0].utilisation } ?? 0) < 1
        for (index, entry) in classes.enumerated() {
            let others = total - entry.utilisation
            let blocking = classes.indices.filter { $0 != index }.reduce(Duration.zero) {
                max($0, classes[$1].longestRequest)
            }
            let alone = entry.cycle + blocking
            guard alone > entry.period || (total > 1 && (index == heaviest || !oneIsEnough)) else { continue }
            let needed =
                others < 1
                ? max(alone.inSeconds, entry.cycle.inSeconds / (1 - others))
                : max(alone.inSeconds, entry.period.inSeconds * total)
            overloads.append(
                Overload(scanClass: index, needed: Self.sensible(seconds: needed), isShared: others >= 1))
        }
        return overloads
    }

    /// The next period that someone would write: 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 of a power of ten milliseconds;
    /// from one minute on of a power of ten minutes.
    package static func sensible(seconds: Double) -> Duration {
        let unit = seconds > 60 ? 60_000.0 : 1
        let milliseconds = min(max(1, seconds * 1000), 1e12)
        var power = unit
        while true {
            for step in [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8] where milliseconds <= step * power * (1 + 1e-9) {
                let whole = Int64((step * power).rounded())
                // 1.2 ms is nothing that anyone writes.
                if Double(whole) >= milliseconds * (1 - 1e-9) && (power >= 10 || step == step.rounded()) {
                    return .milliseconds(whole)
                }
            }
            power *= 10
        }
    }
}
