// What registers' and topics' tags have in common: unit, scale or table, range, deadband, sentinels.

internal import Acquisition
internal import GatewayModel

/// What a tag's value is, compiled: the same keys for a register and for a field of a payload.
struct CompiledValue {
    var kind: ValueKind
    /// The unit in which the value leaves the gateway; empty for text and flags.
    var unit: String
    var normalisation: NormalisationPlan
}

/// Reads the keys that say what a value means.
struct ValueSection {
    let reader: MappingReader
    /// Of raw values, before scaling.
    let rawKind: ValueKind
    /// To read `0x8000` as the sentinel that a signed register spells.
    var spelling = RawSpelling.document
    /// A bit field is a code, not a quantity: it needs no unit.
    var isCode = false
    /// Another register scales the number.
    var hasExponent = false
    /// Raw numbers that mean "no value" for all tags of the profile.
    var commonSentinels: [Sentinel] = []
    /// Set for a source that has a rhythm of its own slower than the default.
    var maxAge = Duration.seconds(60)

    private var problems: Problems { reader.problems }

    func read() -> CompiledValue? {
        reader.ignore("description")
        let role = reader.value("kind", Notation<TagRole>.word)
        guard rawKind == .integer || rawKind == .real else { return plain() }
        let errors = problems.errorCount
        let scale = reader.value("scale", .number)
        let offset = reader.value("offset", .number)
        if scale == 0 { problems.error(reader.place(of: "scale"), "a scale of 0 makes every value 0") }
        let (unit, conversion) = units()
        let encoding = encoding()
        let isRaw =
            (scale ?? 1) == 1 && (offset ?? 0) == 0 && conversion == nil && encoding == .plain && !hasExponent
            && !reader.has("table")
        // Of two counts their difference may be wanted in parts, after a reset its least: a real number.
        let kind: ValueKind = rawKind == .integer && isRaw && role != .increments ? .integer : .real
        let line = (conversion ?? UnitConversion()).after(scale: scale ?? 1, offset: offset ?? 0)
        var plan = NormalisationPlan(
            kind: kind, scale: line.scale, offset: line.offset,
            encoding: encoding, counter: counter(role), maxAge: maxAge)
        plan.curve = curve(role) { number in conversion?(number) ?? number }
        // It has converted its values.
        if plan.curve != nil { (plan.scale, plan.offset) = (1, 0) }
        plan.range = Self.range(reader, in: unit ?? "")
        plan.deadband = deadband(in: unit ?? "", over: plan.range)
        plan.sentinels = sentinels()
        readMaxAge(into: &plan)
        if role == .increments { checkIncrements(plan, offset: offset) }
        guard problems.errorCount == errors, let unit else { return nil }
        return CompiledValue(kind: kind, unit: unit, normalisation: plan)
    }

    /// A flag or a text: no number, so nothing that scales or compares.
    private func plain() -> CompiledValue? {
        let noun = rawKind == .text ? "text" : "a flag"
        var keys = ["unit", "to", "scale", "offset", "table", "range", "invalid", "encoding", "counter"]
        if rawKind == .text { keys.append("deadband") }
        for key in keys where reader.node(key) != nil {
            problems.error(reader.place(of: key), "'\(key)' is for numbers; this tag is \(noun)")
        }
        var plan = NormalisationPlan(kind: rawKind, maxAge: maxAge)
        // A deadband of 0 passes a flag on only when it changes.
        if rawKind == .boolean { plan.deadband = deadband(in: "", over: nil) }
        readMaxAge(into: &plan)
        return CompiledValue(kind: rawKind, unit: "", normalisation: plan)
    }

    private func readMaxAge(into plan: inout NormalisationPlan) {
        if let age = reader.value("max_age", .duration(from: .milliseconds(100), to: .seconds(86400))) {
            plan.maxAge = age
        }
        guard reader.node("refresh") != nil else { return }
        problems.error(
            reader.place(of: "refresh"), "'refresh' is a sink's; how old a tag's reading may get is 'max_age'")
    }

    /// Instead of scale and offset.
    private func curve(_ role: TagRole?, convert: @escaping (Double) -> Double) -> PiecewiseLine? {
        let unit = reader.entries.first { $0.key == "unit" }?.value.text ?? ""
        let curve = CurveSection(reader: reader, unit: unit, convert: convert).read()
        guard reader.has("table") else { return nil }
        for key in ["scale", "offset", "encoding"] where reader.has(key) {
            problems.error(reader.place(of: key), "a 'table' says all that '\(key)' could: keep one of them")
        }
        if role == .counter || role == .increments {
            problems.error(reader.place(of: "table"), "a count has no 'table'")
        }
        return curve
    }

    /// The outgoing unit, and how values get there when it isn't the one in which they are written.
    private func units() -> (unit: String?, conversion: UnitConversion?) {
        let symbol = Notation<String>.unit
        let target = reader.value("to", symbol)
        guard reader.node("unit") != nil else {
            if isCode { return (reader.has("to") ? nil : "1", nil) }
            problems.error(
                reader.place, "\(reader.what) needs 'unit': a unit such as kW or °C, \"1\" for a pure number")
            return (nil, nil)
        }
        guard let unit = reader.value("unit", symbol) else { return (nil, nil) }
        let known = EngineeringUnit(symbol: unit)
        if known == nil { warnOfMisspelling(unit) }
        guard let target, target != unit else { return (unit, nil) }
        guard let from = known, let to = EngineeringUnit(symbol: target) else {
            let stranger = known == nil ? unit : target
            let near = EngineeringUnit.knownSymbols.first { $0.lowercased() == stranger.lowercased() }
            problems.error(
                reader.place(of: known == nil ? "unit" : "to"),
                "the unit '\(stranger)' isn't known, so it can't be converted"
                    + (near.map { "; did you mean '\($0)'?" } ?? ""))
            return (nil, nil)
        }
        guard let conversion = from.conversion(to: to) else {
            problems.error(
                reader.place(of: "to"),
                "'\(unit)' is \(from.dimension.description.withArticle) and can't become '\(target)', "
                    + to.dimension.description.withArticle)
            return (nil, nil)
        }
        return (target, conversion)
    }

    /// An unknown unit is allowed: there are more than we know. One that differs only in case is a slip.
    private func warnOfMisspelling(_ unit: String) {
        guard let near = EngineeringUnit.knownSymbols.first(where: { $0.lowercased() == unit.lowercased() }) else {
            return
        }
        problems.warning(reader.place(of: "unit"), "the unit '\(unit)' isn't known; did you mean '\(near)'?")
    }

    /// Reads `range` of any mapping.
    static func range(_ reader: MappingReader, in unit: String) -> ClosedRange<Double>? {
        guard let elements = reader.list("range", "a range such as [0, 500]") else { return nil }
        guard elements.count == 2 else {
            reader.problems.error(
                reader.place(of: "range"), "expected a range such as [0, 500], found \(elements.count) numbers")
            return nil
        }
        let limits = elements.map { reader.read($0, .quantity(in: unit)) }
        guard let low = limits[0], let high = limits[1] else { return nil }
        guard low < high else {
            reader.problems.error(
                reader.place(of: "range"),
                "the range is empty: \(Spelling.plain(low)) is not below \(Spelling.plain(high))")
            return nil
        }
        return low...high
    }

    private func deadband(in unit: String, over range: ClosedRange<Double>?) -> Double? {
        if let part = partOfRange(unit) {
            guard let range else {
                problems.error(
                    reader.place(of: "deadband"), "a deadband in % is a part of 'range', which this tag doesn't have")
                return nil
            }
            return (range.upperBound - range.lowerBound) * part
        }
        guard let deadband = reader.value("deadband", .quantity(in: unit, isDifference: true)) else { return nil }
        guard deadband >= 0 else {
            problems.error(
                reader.place(of: "deadband"), "expected a deadband of 0 or more, found \(Spelling.plain(deadband))")
            return nil
        }
        return deadband
    }

    /// `1 %` as 0.01. A pure number, and one in per cent, take it as the quantity that it is.
    private func partOfRange(_ unit: String) -> Double? {
        guard let text = reader.node("deadband")?.text, let (number, symbol) = Spelling.quantity(text), symbol == "%",
            (0...100).contains(number), unit != "%", unit != "1", !unit.isEmpty
        else { return nil }
        return number / 100
    }

    private func encoding() -> NumberEncoding {
        let encoding = reader.value("encoding", Notation<NumberEncoding>.word, default: .plain)
        guard encoding != .plain else { return .plain }
        let place = reader.place(of: "encoding")
        if rawKind == .integer && !hasExponent {
            problems.error(place, "'\(encoding.rawValue)' is an encoding of real numbers; this tag is a whole number")
        }
        if reader.has("scale") || reader.has("offset") {
            problems.error(place, "a number that is '\(encoding.rawValue)' has neither 'scale' nor 'offset'")
        }
        return encoding
    }

    private func counter(_ role: TagRole?) -> CounterPlan? {
        let inner = reader.mapping("counter", "what is known of a counter")
        guard role == .counter || role == .increments else {
            if reader.has("counter") {
                problems.error(reader.place(of: "counter"), "'counter' needs 'kind: counter' or 'kind: increments'")
            }
            return nil
        }
        var plan = CounterPlan(wrapsAt: spelling.wrapsAt, givesIncrements: role == .increments)
        guard let inner else { return plan }
        if let count = inner.value("wraps_at", .number) {
            if count <= 0 {
                problems.error(inner.place(of: "wraps_at"), "expected a number above 0, found \(Spelling.plain(count))")
            } else if count > spelling.counts {
                problems.error(
                    inner.place(of: "wraps_at"),
                    "the tag's type counts to \(Spelling.plain(spelling.counts - 1)); it can't wrap at "
                        + Spelling.plain(count))
            }
            plan.wrapsAt = count
        }
        inner.finish()
        return plan
    }

    /// What was counted has no zero to move, and leaving out a small count would lose it.
    private func checkIncrements(_ plan: NormalisationPlan, offset: Double?) {
        if (offset ?? 0) != 0 {
            problems.error(reader.place(of: "offset"), "increments have no 'offset': the difference of two counts has none")
        }
        if plan.deadband != nil {
            problems.error(reader.place(of: "deadband"), "increments have no 'deadband': what is left out would be lost")
        }
        if plan.encoding != .plain {
            problems.error(reader.place(of: "encoding"), "increments have no 'encoding'")
        }
    }

    private func sentinels() -> [Double] {
        let own = reader.node("invalid").map { Sentinel.read($0, reader) }
        return (own ?? commonSentinels).compactMap { sentinel in
            switch sentinel.meaning(as: spelling) {
            case .number(let number): return number
            case .nothing: return nil
            case .unfitting:
                // What a whole profile says is meant for the types that it fits.
                if own != nil { problems.error(sentinel.place, "'\(sentinel.text)' doesn't fit into the tag's type") }
                return nil
            }
        }
    }
}

/// What a number is over time.
enum TagRole: String, CaseIterable {
    case gauge, counter, state
    /// What a counter has counted since the reading before.
    case increments
}

extension String {
    fileprivate var withArticle: String {
        "\(first.map { "aeiou".contains($0) } == true ? "an" : "a") \(self)"
    }
}

extension Notation where Value == Double {
    /// A number, or a number with a unit that is converted to `unit`. A difference (a deadband) has no zero to shift.
    static func quantity(in unit: String, isDifference: Bool = false) -> Notation {
        Notation(expected: unit.isEmpty || unit == "1" ? "a number" : "a number, or a quantity in a unit like \(unit)")
        { text in
            guard let (number, symbol) = Spelling.quantity(text) else { return nil }
            if symbol.isEmpty || symbol == unit { return number }
            guard let from = EngineeringUnit(symbol: symbol), let to = EngineeringUnit(symbol: unit),
                let line = from.conversion(to: to)
            else { return nil }
            let converted = isDifference ? UnitConversion(scale: line.scale)(number) : line(number)
            return converted.isFinite ? converted : nil
        }
    }
}
