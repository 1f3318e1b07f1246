// One tag of a profile: `{at, type, unit, …}` to an address, a type and what the value means.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver

/// Reads the tags of one profile.
struct ProfileTagReader {
    let registers: RegisterReader
    let groups: [ScanClass]
    let sentinels: CommonSentinels
    let problems: Problems

    /// The tag, and one for each bit that its `flags` name.
    func read(_ entry: YAMLEntry) -> [ProfileTag] {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return []
        }
        guard let reader = MappingReader(entry.value, "a tag", at: entry.place, problems: problems) else { return [] }
        let errors = problems.errorCount
        let register = registers.read(reader)
        let group = self.group(reader)
        let isAlone = reader.value("alone", .flag, default: false)
        guard let register else {
            // What can still be read is read for its problems; units have no meaning without a type.
            reader.ignore("unit", "to", "scale", "offset", "table", "range", "deadband", "invalid", "max_age")
            reader.ignore("kind", "description", "type", "length", "order", "exponent", "decimals", "encoding")
            reader.ignore("counter", "flags", "states", "writable")
            reader.finish()
            return []
        }
        let exponent = registers.exponent(reader, beside: register)
        let value = value(reader, register, hasExponent: reader.has("exponent") || reader.has("decimals"))
        let isWord = (register.type == .u16 || register.type == .u32) && register.at.bits == nil
        let codes = CodeSection(
            reader: reader, rawKind: register.type.rawKind,
            type: register.isBitField && register.type == .u16 ? "a bit field" : register.type.rawValue,
            source: "register")
        let states = codes.states(value)
        let writable = WritableSection(reader: reader, register: register, value: value).read()
        let flags = codes.flags(last: isWord ? register.words * 16 - 1 : nil, owner: "a u16 or u32")
        reader.refuseLater("write", "wear", "expr")
        reader.finish()
        guard let value, let group, problems.errorCount == errors else { return [] }
        var tag = ProfileTag(
            name: entry.key, place: entry.place, at: register.at, type: register.type, order: register.order,
            words: register.words, exponent: exponent, isAlone: isAlone, group: group, value: value, states: states,
            writable: writable)
        // What increments a counter gives is shown by the counter.
        if value.normalisation.counter?.givesIncrements != true { tag.signal = SignalNotation.standard(tag) }
        return [tag] + flags.map { flag($0, at: register.place(ofBit: $0.bit), of: tag) }
    }

    private func value(_ reader: MappingReader, _ register: ProfileRegister, hasExponent: Bool) -> CompiledValue? {
        var section = ValueSection(reader: reader, rawKind: register.type.rawKind)
        let type = register.type
        if let spelling = RawSpelling(type, bits: register.at.bits?.count) { section.spelling = spelling }
        section.isCode = register.isBitField
        section.hasExponent = hasExponent
        section.commonSentinels = register.isBitField ? [] : sentinels.sentinels(of: type)
        return section.read()
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

    private func flag(_ flag: NamedBit, at place: RegisterAddress, of word: ProfileTag) -> ProfileTag {
        var plan = NormalisationPlan(kind: .boolean, maxAge: word.value.normalisation.maxAge)
        // A word that is passed on when it changes has bits that are.
        if word.value.normalisation.deadband != nil { plan.deadband = 0 }
        var tag = ProfileTag(
            name: flag.name, place: flag.place, at: place, type: .bool, order: .abcd, words: 1,
            isAlone: word.isAlone, group: word.group,
            value: CompiledValue(kind: .boolean, unit: "", normalisation: plan), isFlagOfWord: true)
        if !word.value.normalisation.sentinels.isEmpty {
            // A word that says "no value" has all bits set (SunSpec's events): the whole word is to be looked at.
            plan.sentinels = word.value.normalisation.sentinels
            plan.bit = flag.bit
            tag.value.normalisation = plan
            tag.word = FlagWord(address: word.at.address, type: word.type, order: word.order)
        }
        return tag
    }
}
