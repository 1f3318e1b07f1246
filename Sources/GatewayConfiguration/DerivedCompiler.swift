// Derived tags of the whole site: names are looked up, programs compiled, and put into the order of their dependence.

internal import Expressions
internal import GatewayModel

/// A derived tag that has its id and waits for all others to have theirs.
struct PendingDerived {
    var draft: DerivedDraft
    var tag: TagID
    var device: DeviceID
    /// Index of its device in the plant, and the device's path, from which names are looked up.
    var plantDevice: Int
    var parameters: [ProfileParameter] = []
}

/// Compiles the derived tags of a plant when all tags are known.
struct DerivedCompiler {
    let plant: Plant
    let problems: Problems

    /// `derived` of a site: each under its whole name, for devices of any kind and for places of several.
    func read(_ root: MappingReader) {
        let drafts = DerivedReader(problems: problems).drafts(root.names("derived", "the derived tags"), name: .tagPath)
        for draft in drafts {
            let levels = draft.name.split(separator: "/")
            var own = draft
            own.name = String(levels[levels.count - 1])
            let path = levels.dropLast().joined(separator: "/")
            add([own], to: plant.index(of: path) ?? addDevice(path, at: draft.place))
        }
    }

    /// A device of which nothing is read: `stamping/line-2` with the sum of its presses.
    private func addDevice(_ path: String, at place: Place) -> Int {
        plant.add(PlantDevice(path: path, place: place, source: "derived"))
    }

    /// Gives derived tags their ids.
    func add(_ drafts: [DerivedDraft], to device: Int, parameters: [ProfileParameter] = []) {
        for parameter in parameters where plant.tag(parameter.name, of: device) != nil {
            problems.error(parameter.place, "'\(parameter.name)' is already a tag of \(plant.devices[device].path)")
        }
        for draft in drafts {
            if plant.tag(draft.name, of: device) != nil || parameters.contains(where: { $0.name == draft.name }) {
                problems.error(
                    draft.place, "\(plant.devices[device].path) already has a tag or parameter '\(draft.name)'")
                continue
            }
            let path = plant.devices[device].path
            let id =
                plant.numbering.known(path) ?? plant.numbering.device(path: path, channel: "derived", link: "derived")
            let tag = plant.numbering.tag(
                draft.name, of: id, kind: draft.kind, unit: draft.unit, range: draft.range, period: nil,
                source: draft.expression.text ?? "")
            plant.add(PlantTag(name: draft.name, id: tag, kind: draft.kind, unit: draft.unit), to: device)
            plant.derived.append(
                PendingDerived(draft: draft, tag: tag, device: id, plantDevice: device, parameters: parameters))
        }
    }

    /// All of them, each behind those that it looks at.
    func compile() -> [DerivedTagPlan] {
        var failed: Set<Place> = []
        let plans = plant.derived.map { plan($0, &failed) }
        let positions = Dictionary(
            plant.derived.enumerated().map { ($0.element.tag, $0.offset) }, uniquingKeysWith: { first, _ in first })
        let needs = plans.map { plan in (plan?.program.inputs ?? []).compactMap { positions[$0] } }
        var order: [Int] = []
        var waitingFor = needs.map(\.count)
        var users: [[Int]] = Array(repeating: [], count: plans.count)
        for (index, some) in needs.enumerated() { for need in some { users[need].append(index) } }
        order = waitingFor.indices.filter { waitingFor[$0] == 0 }
        var next = 0
        while next < order.count {
            for user in users[order[next]] {
                waitingFor[user] -= 1
                if waitingFor[user] == 0 { order.append(user) }
            }
            next += 1
        }
        reportCycles(waitingFor, needs)
        checkWindows(plans)
        return order.compactMap { plans[$0] }
    }

    /// - Parameter failed: expressions of profiles that fail for many devices, and look for what was meant only once.
    private func plan(_ pending: PendingDerived, _ failed: inout Set<Place>) -> DerivedTagPlan? {
        guard !failed.contains(pending.draft.expression.place) else { return nil }
        let names = TagNames(plant: plant, device: pending.plantDevice, parameters: pending.parameters)
        let draft = pending.draft
        do throws(ExpressionProblem) {
            let program = try Program(draft.syntax, for: draft.goal, in: names.scope)
            return DerivedTagPlan(
                tag: pending.tag, device: pending.device, kind: draft.kind, program: program, range: draft.range,
                deadband: draft.deadband, maxAge: draft.maxAge)
        } catch {
            // A tag that couldn't be read has been reported itself.
            guard error.word.isEmpty || names.isComplete || !error.message.hasPrefix("there is no tag") else {
                return nil
            }
            problems.error(error, in: draft.expression)
            failed.insert(draft.expression.place)
            return nil
        }
    }

    /// Each window takes memory, whether or not its tags are read.
    private func checkWindows(_ plans: [DerivedTagPlan?]) {
        var count = 0
        for (index, plan) in plans.enumerated() {
            count += plan?.program.windowCount ?? 0
            guard count > ExpressionBounds.allWindows else { continue }
            problems.error(
                plant.derived[index].draft.expression.place,
                "more than \(ExpressionBounds.allWindows) windows in the derived tags of all devices")
            return
        }
    }

    /// Each cycle once, with its members in their order.
    private func reportCycles(_ waitingFor: [Int], _ needs: [[Int]]) {
        var seen: Set<Int> = []
        for start in waitingFor.indices where waitingFor[start] > 0 && !seen.contains(start) {
            // Whoever waits, waits for one that waits: following them leads round.
            var way = [start]
            while let next = needs[way[way.count - 1]].first(where: { waitingFor[$0] > 0 }), !seen.contains(next) {
                if let first = way.firstIndex(of: next) {
                    let cycle = way[first...].map { name(plant.derived[$0]) } + [name(plant.derived[next])]
                    problems.error(
                        plant.derived[next].draft.expression.place,
                        "a derived tag that needs itself: \(cycle.joined(separator: " → "))")
                    break
                }
                way.append(next)
            }
            seen.formUnion(way)
        }
    }

    private func name(_ pending: PendingDerived) -> String {
        "\(plant.devices[pending.plantDevice].path)/\(pending.draft.name)"
    }
}

/// What names mean in an expression of one device: its parameters and tags first, then paths from its place and from
/// every place above.
struct TagNames {
    let plant: Plant
    let device: Int
    var parameters: [ProfileParameter] = []

    var scope: ExpressionScope { ExpressionScope(value: value, matching: matching, names: names) }

    private func value(_ name: String) -> NamedValue? {
        if let parameter = parameters.first(where: { $0.name == name }) {
            return NamedValue(.constant(parameter.number ?? .nan), kind: .real, unit: parameter.unit)
        }
        guard let tag = tag(name) else { return nil }
        return Self.value(tag)
    }

    private func tag(_ name: String) -> PlantTag? {
        guard let slash = name.lastIndex(of: "/") else { return plant.tag(name, of: device) }
        let (path, last) = (name[..<slash], String(name[slash...].dropFirst()))
        var above = plant.devices[device].path[...]
        while true {
            let whole = above.isEmpty ? String(path) : "\(above)/\(path)"
            if let other = plant.index(of: whole), let tag = plant.tag(last, of: other) { return tag }
            guard !above.isEmpty else { return nil }
            above = above.lastIndex(of: "/").map { above[..<$0] } ?? ""
        }
    }

    /// Under the device's own place, else under the nearest place above it where any tag fits.
    private func matching(_ pattern: String) -> [NamedValue] {
        var above = plant.devices[device].path[...]
        while true {
            let whole = PathPattern(above.isEmpty ? pattern : "\(above)/\(pattern)")
            let fitting = plant.devices.flatMap { other in
                other.tags.filter { whole.matches("\(other.path)/\($0.name)") }
            }
            if !fitting.isEmpty || above.isEmpty { return fitting.map(Self.value) }
            above = above.lastIndex(of: "/").map { above[..<$0] } ?? ""
        }
    }

    private static func value(_ tag: PlantTag) -> NamedValue {
        NamedValue(.tag(tag.id), kind: tag.kind, unit: tag.unit, states: tag.states, hold: tag.hold)
    }

    /// Paths are looked for among so many tags: a plant has a hundred thousand, and the near ones stand together.
    private static let mostCandidates = 5000

    private func names(like word: String) -> [String] {
        let own = parameters.map(\.name) + plant.devices[device].tags.map(\.name)
        guard word.contains("/") else { return own }
        let place = "\(plant.devices[device].path)/"
        var paths: [String] = []
        for other in plant.devices where paths.count < Self.mostCandidates {
            paths += other.tags.map { tag in
                let whole = "\(other.path)/\(tag.name)"
                return whole.hasPrefix(place) ? String(whole.dropFirst(place.count)) : whole
            }
        }
        return paths
    }

    /// False when tags may be missing that were reported where they stand.
    var isComplete: Bool { plant.isComplete && plant.devices.allSatisfy(\.isComplete) }
}

extension Notation where Value == String {
    /// `stamping/line-2/power_total`: a place and the name of a tag.
    static var tagPath: Notation {
        .matching("a place and a tag, such as stamping/line-2/power_total") { text in
            guard let slash = text.lastIndex(of: "/") else { return false }
            return Notation<String>.devicePath.parse(String(text[..<slash])) != nil
                && Notation<String>.name.parse(String(text[slash...].dropFirst())) != nil
        }
    }
}
