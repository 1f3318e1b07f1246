// The file of a device profile to a compiled profile, with every rule that registers bring along.

internal import GatewayModel
internal import ModbusDriver

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
        _ = reader.value("evidence", Notation<Evidence>.word)
        reader.skipLater("identify", "derived", "params")
        let addressing = reader.required("addressing", Notation<Addressing>.word)
        let order = reader.value("byte_order", Notation<WordOrder>.word, default: .abcd)
        let limits = addressing.map { self.limits(reader.mapping("limits", "limits of a device"), $0) }
        let groups = groups(reader)
        let sentinels = reader.node("invalid").map { Sentinel.read($0, reader) } ?? []
        let tagEntries = reader.mapping("tags", "the tags")?.entries
        let signals = reader.names("simulate", "the signals")
        reader.finish()
        if tagEntries == nil && !reader.has("tags") { problems.error(reader.place, "a device profile needs 'tags'") }
        guard let id, let version, let addressing, let limits, let tagEntries else { return nil }
        let frame = ProfileTagReader(
            addressing: addressing, order: order, limits: limits, groups: groups, sentinels: sentinels,
            problems: problems)
        var tags = tagEntries.compactMap { frame.read($0) }
        read(signals, into: &tags, declared: tagEntries.map(\.key))
        ProfileChecks(limits: limits, problems: problems).run(tags)
        return DeviceProfile(id: id, version: version, limits: limits, groups: groups, tags: tags)
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

    private func groups(_ reader: MappingReader) -> [(name: String, period: Duration)] {
        var groups: [(name: String, period: Duration)] = []
        for entry in reader.names("groups", "the scan classes") {
            guard Notation<String>.name.parse(entry.key) != nil else {
                problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
                continue
            }
            // A period that can't be used keeps its name, so that its tags aren't reported as well.
            if entry.value.text == "on-connect" {
                problems.error(entry.value.place, "'on-connect' is not supported by this version")
                groups.append((entry.key, .seconds(1)))
                continue
            }
            // 10 ms is what a poll over Ethernet takes; a day is longer than any value is worth waiting for.
            let period = Notation<Duration>.duration(from: .milliseconds(10), to: .seconds(86400))
            groups.append((entry.key, reader.read(entry.value, period) ?? .seconds(1)))
        }
        return groups.isEmpty && !reader.has("groups") ? [("normal", .seconds(1))] : groups
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
            if let signal = SignalNotation.read(entry.value, kind: kind, problems: problems) {
                tags[index].signal = signal
            }
        }
    }
}
