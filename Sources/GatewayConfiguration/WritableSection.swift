// `writable:` of a tag: what a profile lets be written, so that no value can leave what the device bears.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver

/// Reads what may be written to one tag.
struct WritableSection {
    let reader: MappingReader
    let register: ProfileRegister
    /// Nil when it couldn't be read; then only what needs no unit is checked.
    let value: CompiledValue?

    private var problems: Problems { reader.problems }

    /// Nil when nothing may be written, or when what stands there can't be used.
    func read() -> WriteLimits? {
        guard let inner = reader.mapping("writable", "a writable tag") else { return nil }
        let errors = problems.errorCount
        if let obstacle {
            problems.error(inner.place, obstacle)
            inner.ignore("range", "step", "every", "per_day", "max_change", "reads_back")
            inner.finish()
            return nil
        }
        var limits = WriteLimits()
        let isNumber = register.type != .bool
        if isNumber {
            numbers(inner, into: &limits)
        } else {
            for key in ["range", "step", "max_change"] where inner.node(key) != nil {
                problems.error(inner.place(of: key), "'\(key)' is for numbers; this tag is a flag")
            }
        }
        limits.every = inner.value("every", .duration(from: .milliseconds(10), to: .seconds(86400)))
        limits.perDay = inner.value("per_day", .integer(1...100_000))
        limits.readsBack = inner.value("reads_back", Notation<ReadBack>.word, default: .same)
        if limits.readsBack != .same, inner.has("max_change") {
            problems.error(
                inner.place(of: "max_change"),
                "a register that does not keep what was written has no present value to change from")
        }
        inner.finish()
        return problems.errorCount == errors ? limits : nil
    }

    /// Why the tag can't be written at all.
    private var obstacle: String? {
        if register.at.table == .inputRegister || register.at.table == .discreteInput {
            return "\(register.at.table == .inputRegister ? "an" : "a") \(register.at.table.name) can't be written"
        }
        if register.type.isText {
            return "only numbers and flags can be written; this tag is \(register.type.rawValue)"
        }
        if reader.has("exponent") || reader.has("decimals") {
            return "a number whose scale the device chooses can't be written"
        }
        if reader.has("table") { return "a number with a table can't be written" }
        if reader.has("encoding") { return "a number with an encoding can't be written" }
        return nil
    }

    private func numbers(_ inner: MappingReader, into limits: inout WriteLimits) {
        let unit = value?.unit ?? ""
        limits.range = ValueSection.range(inner, in: unit)
        if !inner.has("range") {
            problems.error(inner.place, "\(inner.what) needs 'range': what may be written, such as [0, 200]")
        }
        limits.step = difference(inner, "step", unit)
        limits.maxChange = difference(inner, "max_change", unit)
        guard let range = limits.range, let value, let raw = rawRange else { return }
        let plan = value.normalisation
        let ends = [range.lowerBound, range.upperBound].map { ($0 - plan.offset) / plan.scale }
        // Half a count: a range that ends at the last digit of the register is fine.
        guard ends.contains(where: { $0 < raw.lowerBound - 0.5 || $0 > raw.upperBound + 0.5 }) else { return }
        let held = [raw.lowerBound, raw.upperBound].map { $0 * plan.scale + plan.offset }.sorted()
        problems.error(
            inner.place(of: "range"),
            "the register holds \(Spelling.plain(held[0])) to \(Spelling.plain(held[1])) \(unit); "
                + "a range beyond would write another number")
    }

    private func difference(_ inner: MappingReader, _ key: String, _ unit: String) -> Double? {
        guard let number = inner.value(key, .quantity(in: unit, isDifference: true)) else { return nil }
        guard number > 0 else {
            problems.error(inner.place(of: key), "expected a number above 0, found \(Spelling.plain(number))")
            return nil
        }
        return number
    }

    /// The raw numbers that fit into the register.
    private var rawRange: ClosedRange<Double>? {
        switch RawSpelling(register.type, bits: register.at.bits?.count) {
        case .integer(let bits, isSigned: false)?: 0...Double(sign: .plus, exponent: bits, significand: 1) - 1
        case .integer(let bits, isSigned: true)?:
            -Double(sign: .plus, exponent: bits - 1, significand: 1)...Double(
                sign: .plus, exponent: bits - 1, significand: 1) - 1
        case .decimal(let digits)?: 0...(digits == 4 ? 9999 : 99_999_999)
        case .real(bits: 16)?: -65504...65504
        case .real(bits: 32)?: -Double(Float.greatestFiniteMagnitude)...Double(Float.greatestFiniteMagnitude)
        case .real?, .document?, nil: nil
        }
    }
}
