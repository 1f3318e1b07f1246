// `states:` and `flags:` of a tag: whole numbers that are codes, and bits that have names. The same for every source.

internal import GatewayModel

/// A bit that has a name, and so is a tag of its own.
struct NamedBit {
    var name: String
    var place: Place
    /// 0 is the least significant.
    var bit: Int
}

/// Reads what the codes of a tag are called.
struct CodeSection {
    let reader: MappingReader
    /// Of raw values, before scaling.
    let rawKind: ValueKind
    /// The type as the file calls it.
    let type: String
    /// Where the number stands: `register`, `payload`.
    let source: String

    /// A text of a payload is compared with each of them.
    private static let most = 1000
    private var problems: Problems { reader.problems }

    /// Names of codes, such as `{0: stopped, 1: running}`.
    func states(_ value: CompiledValue?) -> [StateName] {
        let entries = reader.names("states", "the states, such as {0: stopped, 1: running}")
        guard !entries.isEmpty else { return [] }
        let place = reader.place(of: "states")
        guard rawKind == .integer || rawKind == .boolean else {
            problems.error(place, "'states' names whole numbers; this tag is \(type)")
            return []
        }
        if let value, value.kind == .real {
            problems.error(
                place,
                "'states' names whole numbers as they stand in the \(source); this tag has a scale, an offset, a table "
                    + "or another unit")
            return []
        }
        guard entries.count <= Self.most else {
            problems.error(place, "\(entries.count) states; a tag has \(Self.most) at most")
            return []
        }
        return entries.compactMap { entry in
            let name = reader.read(entry.value, .matching("a name of the state") { !$0.isEmpty && $0.count <= 128 })
            guard let code = Int64(entry.key) else {
                problems.error(entry.place, "expected the number of a state, found '\(entry.key)'")
                return nil
            }
            if rawKind == .boolean, code != 0, code != 1 {
                problems.error(entry.place, "a flag has the states 0 and 1, found '\(entry.key)'")
                return nil
            }
            return name.map { StateName(code: code, name: $0) }
        }
    }

    /// Named bits, such as `{0: ready, 3: tripped}`.
    /// - Parameters:
    ///   - last: the highest bit that there is; nil when the tag has none to name.
    ///   - owner: what has such bits, with its article, for the message.
    func flags(last: Int?, owner: String) -> [NamedBit] {
        let entries = reader.names("flags", "the flags, such as {0: ready, 3: tripped}")
        guard !entries.isEmpty else { return [] }
        guard let last else {
            problems.error(reader.place(of: "flags"), "'flags' names the bits of \(owner); this tag is \(type)")
            return []
        }
        return entries.compactMap { entry in
            let name = reader.read(entry.value, .name)
            guard entry.key.utf8.allSatisfy(\.isDigit), let bit = Int(entry.key), bit <= last else {
                problems.error(entry.place, "expected a bit from 0 to \(last), found '\(entry.key)'")
                return nil
            }
            return name.map { NamedBit(name: $0, place: entry.place, bit: bit) }
        }
    }
}
