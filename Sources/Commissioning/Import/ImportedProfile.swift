// A register map of somebody else as a draft of a device profile, with everything that was guessed said. Pure.

internal import ModbusDriver

/// One tag of the draft. Addresses are those on the wire.
struct ImportedTag: Equatable {
    var name: String
    var at: RegisterAddress
    var type: RegisterType
    var order: WordOrder?
    var length: Int?
    var scale = 1.0
    var offset = 0.0
    var unit = ""
    /// SunSpec's scale factor.
    var exponent: RegisterAddress?
    var invalid = ""
    var states: [(value: Int, name: String)] = []
    var flags: [(value: Int, name: String)] = []
    var description = ""
    /// What was guessed of this one.
    var notes: [String] = []

    static func == (left: Self, right: Self) -> Bool { left.line == right.line }

    /// The tag's line in the profile.
    var line: String {
        var keys = ["at: \"\(at)\""]
        if !at.table.isBits { keys.append("type: \(type.rawValue)") }
        if let length, type.hasLength { keys.append("length: \(length)") }
        if let order, type.words > 1 { keys.append("order: \(order.rawValue)") }
        let isNumber = !at.table.isBits && type != .bool && !type.isText
        if isNumber {
            keys.append("unit: \(Self.unit(unit))")
            if let exponent { keys.append("exponent: \"\(exponent)\"") }
            if scale != 1 { keys.append("scale: \(Self.number(scale))") }
            if offset != 0 { keys.append("offset: \(Self.number(offset))") }
            if !invalid.isEmpty { keys.append("invalid: \(invalid)") }
            if !states.isEmpty { keys.append("states: { \(Self.names(states)) }") }
            if !flags.isEmpty { keys.append("flags: { \(Self.names(flags)) }") }
        }
        let text = description.printable
        if !text.isEmpty { keys.append("description: \(text.quoted)") }
        return "{ \(keys.joined(separator: ", ")) }"
    }

    private static func names(_ pairs: [(value: Int, name: String)]) -> String {
        pairs.map { "\($0.value): \($0.name)" }.joined(separator: ", ")
    }

    /// As much as a Double holds; never an exponent where a plain number does.
    private static func number(_ number: Double) -> String {
        number == number.rounded() && number.magnitude < 1e15 ? String(Int64(number)) : "\(number)"
    }

    /// A unit as a profile may have it: no blanks, at most 32 bytes; `1` for none.
    private static func unit(_ text: String) -> String {
        let unit = text.printable.filter { $0 != " " }
        return unit.isEmpty || unit.utf8.count > 32 ? "\"1\"" : String(unit).quoted
    }
}

/// The draft of a profile.
package struct ImportedProfile: Sendable {
    /// Where a file ends that is no register map: the largest real ones have 2,000 rows.
    package static let mostTags = 10_000

    var id: String
    var vendor = ""
    var model = ""
    var source: String
    /// What was guessed of the whole.
    package var guesses: [String] = []
    /// What could not be used, with its line.
    package var leftOut: [String] = []
    var tags: [ImportedTag] = []
    private var names: Set<String> = []

    init(id: String, source: String) {
        self.id = id.name(orElse: "imported").replacing("_", with: "-")
        self.source = source
    }

    package var tagCount: Int { tags.count }

    /// Adds a tag; a name that is there already gets a number.
    mutating func add(_ tag: ImportedTag, line: Int) throws(ImportError) {
        guard tags.count < Self.mostTags else {
            throw ImportError(line: line, "more than \(Self.mostTags) tags; this is no register map of one device")
        }
        var tag = tag
        let name = tag.name
        var number = 2
        while !names.insert(tag.name).inserted {
            tag.name = "\(name)_\(number)"
            number += 1
        }
        let words = tag.type.hasLength ? tag.length ?? 1 : tag.type.words
        guard tag.at.table.isBits || Int(tag.at.address) + words <= 65536 else {
            return leftOut.append("line \(line): '\(name)' ends behind the last register")
        }
        tags.append(tag)
    }

    mutating func leave(out what: String, line: Int) {
        guard leftOut.count < 200 else { return }
        leftOut.append("line \(line): \(what.printable)")
    }

    /// The file.
    package var yaml: String {
        var lines = [
            "# A draft made by 'lineside import' from \(source.printable). Check it against the manual and the device"
        ]
        lines.append("# ('lineside poll', 'lineside decode --expect'); then set 'evidence'. What was guessed:")
        lines += guesses.flatMap { $0.wrapped("#   - ", "#     ") }
        if !leftOut.isEmpty { lines += ["# Left out:"] + leftOut.flatMap { $0.wrapped("#   - ", "#     ") } }
        lines += ["kind: DeviceProfile", "id: \(id)", "version: 1.0.0"]
        if !vendor.isEmpty { lines.append("vendor: \(vendor.quoted)") }
        if !model.isEmpty { lines.append("model: \(model.quoted)") }
        lines += ["source: \(source.quoted)", "evidence: draft", "addressing: protocol-0", "groups: { normal: 5s }"]
        guard !tags.isEmpty else { return (lines + ["tags: {}", ""]).joined(separator: "\n") }
        lines.append("tags:")
        let width = min(32, tags.map(\.name.utf8.count).max() ?? 0)
        for tag in tags {
            if !tag.notes.isEmpty { lines += tag.notes.joined(separator: "; ").wrapped("  # ", "  # ") }
            let space = String(repeating: " ", count: max(1, width + 1 - tag.name.utf8.count))
            lines.append("  \(tag.name):\(space)\(tag.line)")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
