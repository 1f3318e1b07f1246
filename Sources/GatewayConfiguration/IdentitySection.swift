// `identify:` of a profile: registers by which a model is told from others.

internal import GatewayModel
internal import ModbusDriver

/// Reads the entries of `identify:`.
struct IdentityReader {
    let registers: RegisterReader

    func read(_ entry: YAMLEntry) -> IdentityCheck? {
        let problems = registers.problems
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        guard let reader = MappingReader(entry.value, "an identifying register", at: entry.place, problems: problems)
        else { return nil }
        let errors = problems.errorCount
        reader.ignore("description")
        let register = registers.read(reader)
        guard let register else {
            reader.ignore("type", "length", "expect")
            reader.finish()
            return nil
        }
        var expected: [Value] = []
        if let node = reader.node("expect") {
            let nodes = if case .list(let elements) = node.content { elements } else { [node] }
            expected = nodes.compactMap { reader.read($0, .expected(of: register.type)) }
        }
        reader.finish()
        guard problems.errorCount == errors else { return nil }
        return IdentityCheck(
            name: entry.key, at: register.at, type: register.type, order: register.order, words: register.words,
            expected: expected)
    }
}

extension Notation where Value == GatewayModel.Value {
    /// What stands in a register, raw: hexadecimal numbers are allowed.
    fileprivate static func expected(of type: RegisterType) -> Notation {
        switch type.rawKind {
        case .text: Notation(expected: "a text") { .text($0) }
        case .boolean: Notation(expected: "true or false") { Notation<Bool>.flag.parse($0).map { .boolean($0) } }
        case .real: Notation(expected: "a number") { Spelling.number($0).map { .real($0) } }
        case .integer, .none:
            Notation(expected: "a whole number such as 15240 or 0x3B88") { text in
                let isHexadecimal = text.hasPrefix("0x")
                let digits = isHexadecimal ? text.dropFirst(2) : text[...]
                return Int64(digits, radix: isHexadecimal ? 16 : 10).map { .integer($0) }
            }
        }
    }
}
