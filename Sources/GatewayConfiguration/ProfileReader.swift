// The file of a device profile to a compiled profile, with every rule that registers bring along.

internal import GatewayModel
internal import ModbusDriver
internal import Simulation

/// Reads one profile, with the overrides of a site already in its tree.
struct ProfileReader {
    let problems: Problems

    /// - Returns: the profile with every tag that could be read; nil when it has no usable frame.
    func read(_ root: YAMLNode) -> DeviceProfile? {
        guard let reader = MappingReader(root, "a device profile", at: Place(root.place.file), problems: problems)
        else {
            return nil
        }
        _ = reader.required("kind", .matching("DeviceProfile") { $0 == "DeviceProfile" })
        let id = reader.required("id", .profileID)
        let version = reader.required("version", .version)
        reader.ignore("vendor", "model", "source", "description")
        let evidence = reader.value("evidence", Notation<Evidence>.word)
        let derived = DerivedReader(problems: problems)
        let drafts = derived.drafts(reader.names("derived", "the derived tags"))
        let parameters = derived.parameters(reader.names("params", "the parameters"))
        let addressing = reader.required("addressing", Notation<Addressing>.word)
        let order = reader.value("byte_order", Notation<WordOrder>.word, default: .abcd)
        let limits = addressing.map { self.limits(reader.mapping("limits", "limits of a device"), $0) }
        let groups = groups(reader)
        let sentinels = CommonSentinels.read(reader.node("invalid"), reader)
        let identityEntries = reader.names("identify", "the registers that identify the model")
        let tagEntries = reader.mapping("tags", "the tags")?.entries
        let signals = reader.names("simulate", "the signals")
        reader.finish()
        if tagEntries == nil && !reader.has("tags") { problems.error(reader.place, "a device profile needs 'tags'") }
        guard let id, let version, let addressing, let limits, let tagEntries else { return nil }
        let registers = RegisterReader(addressing: addressing, order: order, problems: problems)
        let frame = ProfileTagReader(registers: registers, groups: groups, sentinels: sentinels, problems: problems)
        var tags = unique(tagEntries.flatMap { frame.read($0) }, declared: tagEntries)
        read(signals, into: &tags, declared: tagEntries.map(\.key))
        ProfileChecks(limits: limits, problems: problems).run(tags)
        return DeviceProfile(
            id: id, version: version, vendor: root["vendor"]?.text ?? "", model: root["model"]?.text ?? "",
            isDraft: evidence == .draft, limits: limits, groups: groups,
            identify: identityEntries.compactMap { IdentityReader(registers: registers).read($0) }, tags: tags,
            derived: drafts, parameters: parameters)
    }

    /// Leaves out flags whose name is taken by another tag, and reports them.
    private func unique(_ tags: [ProfileTag], declared: [YAMLEntry]) -> [ProfileTag] {
        var places = Dictionary(declared.map { ($0.key, $0.place) }, uniquingKeysWith: { first, _ in first })
        return tags.filter { tag in
            guard tag.isFlagOfWord else { return true }
            guard let first = places[tag.name] else {
                places[tag.name] = tag.place
                return true
            }
            problems.error(tag.place, "'\(tag.name)' is already a tag (\(first.seen(from: tag.place)))")
            return false
        }
    }

    /// How sure the numbers of a profile are.
    private enum Evidence: String, CaseIterable {
        case manual
        case twoSources = "two-sources"
        case simulator, hardware, draft
    }

    private func limits(_ reader: MappingReader?, _ addressing: Addressing) -> ModbusUnitLimits {
        var limits = ModbusUnitLimits()
        guard let reader else { return limits }
        limits.words = reader.value("words", .integer(1...Limits.registersPerRequest), default: limits.words)
        limits.pause = reader.value("pause", .duration(.zero...(.seconds(10))), default: limits.pause)
        limits.gap = reader.value("gap", .integer(0...Limits.registersPerRequest))
        limits.bits = reader.value("bits", .integer(1...Limits.bitsPerRequest), default: limits.bits)
        // 16 is what Messaging on TCP/IP V1.0b, 4.2.2 gives as the usual most; a device says what it bears.
        limits.inFlight = reader.value("in_flight", .integer(1...16), default: limits.inFlight)
        limits.alignment = reader.value("alignment", .integer(1...2), default: limits.alignment)
        if limits.alignment > limits.words {
            problems.error(
                reader.place(of: "alignment"),
                "pairs of registers can't be read where 'limits.words' is \(limits.words)")
        }
        // One connection per channel is all we ever open, which every limit allows.
        _ = reader.value("connections", .integer(1...64))
        for node in reader.list("forbidden", "the forbidden addresses") ?? [] {
            guard let text = reader.read(node, .text) else { continue }
            do {
                limits.forbidden.append(try addressing.range(text))
            } catch {
                problems.error(node.place, error.message)
            }
        }
        reader.finish()
        return limits
    }

    private func groups(_ reader: MappingReader) -> [ScanClass] {
        var groups: [ScanClass] = []
        for entry in reader.names("groups", "the scan classes") {
            guard Notation<String>.name.parse(entry.key) != nil else {
                problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
                continue
            }
            if entry.value.text == "on-connect" {
                groups.append(ScanClass(name: entry.key, period: ScanClass.onConnectPeriod, isOnConnect: true))
                continue
            }
            if entry.value.text == "continuous" {
                groups.append(ScanClass(name: entry.key, period: ScanClass.continuousPeriod, isContinuous: true))
                continue
            }
            // 10 ms is what a poll over Ethernet takes; a day is longer than any value is worth waiting for.
            let duration = Notation<Duration>.duration(from: .milliseconds(10), to: .seconds(86400))
            let period = Notation(expected: "\(duration.expected), continuous or on-connect", parse: duration.parse)
            // A period that can't be used keeps its name, so that its tags aren't reported as well.
            groups.append(ScanClass(name: entry.key, period: reader.read(entry.value, period) ?? .seconds(1)))
        }
        return groups.isEmpty && !reader.has("groups") ? [ScanClass(name: "normal", period: .seconds(1))] : groups
    }

    private func read(_ signals: [YAMLEntry], into tags: inout [ProfileTag], declared: [String]) {
        for entry in signals {
            guard let index = tags.firstIndex(where: { $0.name == entry.key }) else {
                if !declared.contains(entry.key) {
                    let near = Suggestion.phrase(for: entry.key, among: declared)
                    problems.error(entry.place, "there is no tag '\(entry.key)' to simulate\(near)")
                }
                continue
            }
            let kind = tags[index].value.kind
            guard let signal = SignalNotation.read(entry.value, kind: kind, problems: problems) else { continue }
            if case .text(let text) = signal, let problem = SignalNotation.problem(with: text, as: tags[index]) {
                problems.error(entry.value.place, problem)
            }
            tags[index].signal = signal
        }
    }
}
