// One tag of a profile: `{at, type, unit, …}` to an address, a type and what the value means.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver

/// Reads the tags of one profile.
struct ProfileTagReader {
    let addressing: Addressing
    let order: WordOrder
    let limits: ModbusUnitLimits
    let groups: [(name: String, period: Duration)]
    let sentinels: [Sentinel]
    let problems: Problems

    func read(_ entry: YAMLEntry) -> ProfileTag? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        guard let reader = MappingReader(entry.value, "a tag", at: entry.place, problems: problems) else { return nil }
        let errors = problems.errorCount
        let address = self.address(reader)
        let type = address.flatMap { self.type(reader, at: $0) }
        let order = reader.value("order", Notation<WordOrder>.word)
        let words = type.map { self.words(reader, $0) }
        if let type, order != nil, (words ?? 1) == 1, type != .string {
            problems.error(reader.place(of: "order"), "a single register has no word order")
        }
        let group = self.group(reader)
        guard let address, let type, let words else {
            // What can still be read is read for its problems; units have no meaning without a type.
            reader.ignore("unit", "to", "scale", "offset", "range", "deadband", "invalid", "max_age")
            reader.ignore("kind", "description", "type", "length")
            reader.finish()
            return nil
        }
        var section = ValueSection(reader: reader, rawKind: type.rawKind)
        section.rawBits = address.bits.map(\.count) ?? type.words * 16
        section.isSigned = type.isSigned
        section.isCode = address.bits != nil
        section.commonSentinels = address.bits == nil ? sentinels : []
        let value = section.read()
        reader.refuseLater("write", "wear", "expr")
        reader.finish()
        guard let value, let group, problems.errorCount == errors else { return nil }
        return ProfileTag(
            name: entry.key, place: entry.place, spelledAddress: reader.node("at")?.text ?? "", at: address, type: type,
            order: order ?? self.order, words: words, group: group, value: value,
            signal: SignalNotation.standard(kind: value.kind, range: value.normalisation.range))
    }

    private func address(_ reader: MappingReader) -> RegisterAddress? {
        guard let text = reader.required("at", .matching("an address such as \(addressing.example)") { !$0.isEmpty })
        else { return nil }
        do {
            return try addressing.address(text)
        } catch {
            problems.error(reader.place(of: "at"), error.message)
            return nil
        }
    }

    /// The type as written; a coil, a single bit and a bit field say it themselves.
    private func type(_ reader: MappingReader, at address: RegisterAddress) -> RegisterType? {
        let implied: RegisterType? =
            address.table.isBits ? .bool : address.bits.map { $0.count == 1 ? .bool : .u16 }
        guard let implied else { return reader.required("type", Notation<RegisterType>.word) }
        guard let type = reader.value("type", Notation<RegisterType>.word) else {
            return reader.has("type") ? nil : implied
        }
        if address.table.isBits && type != .bool {
            problems.error(reader.place(of: "type"), "a \(address.table.name) is a bool, not \(type.rawValue)")
            return nil
        }
        if let bits = address.bits, type != .u16, !(type == .bool && bits.count == 1) {
            let fitting = bits.count == 1 ? "bool or u16" : "u16"
            problems.error(
                reader.place(of: "type"),
                "\(bits.count == 1 ? "a bit" : "a bit field") of a register is \(fitting), not \(type.rawValue)")
            return nil
        }
        return type
    }

    private func words(_ reader: MappingReader, _ type: RegisterType) -> Int {
        guard type == .string else {
            if reader.node("length") != nil {
                problems.error(
                    reader.place(of: "length"), "only a string has a length; \(type.rawValue) has \(type.words)")
            }
            return type.words
        }
        return reader.required("length", .integer(1...Limits.registersPerRequest)) ?? 1
    }

    private func group(_ reader: MappingReader) -> String? {
        guard reader.node("group") != nil else {
            if let normal = groups.first(where: { $0.name == "normal" }) { return normal.name }
            if groups.count == 1 { return groups[0].name }
            problems.error(
                reader.place,
                groups.isEmpty
                    ? "a tag without a scan class: 'groups' is empty"
                    : "a tag needs 'group': \(groups.map(\.name).listed)")
            return nil
        }
        guard let name = reader.value("group", .text) else { return nil }
        guard groups.contains(where: { $0.name == name }) else {
            let near = Suggestion.phrase(for: name, among: groups.map(\.name))
            problems.error(
                reader.place(of: "group"),
                "there is no group '\(name)'" + (near.isEmpty ? "; there are \(groups.map(\.name).listed)" : near))
            return nil
        }
        return name
    }
}

extension RegisterType {
    fileprivate var rawKind: ValueKind {
        if isText { return .text }
        if isReal { return .real }
        return self == .bool ? .boolean : .integer
    }
}
