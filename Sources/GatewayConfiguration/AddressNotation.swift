// `hr 3000`, `hr 100.5`, `hr 100.high`, `40028`: addresses as the vendor's document writes them, to those on the wire.

internal import ModbusDriver

/// How a vendor counts registers. The same register is 3000 in one list and 2999 in another.
enum Addressing: String, CaseIterable {
    /// As on the wire, from 0.
    case protocol0 = "protocol-0"
    /// Register numbers, from 1.
    case register1 = "register-1"
    /// 40001: the table's digit and a number from 1, five digits in all.
    case modicon5 = "modicon-5"
    /// 400001: the same with six digits, so that all 65,536 registers have one.
    case modicon6 = "modicon-6"

    var example: String {
        switch self {
        case .protocol0: "hr 3000, ir 0x1B, co 0 or hr 100.5"
        case .register1: "hr 3000, ir 5, co 1 or hr 100.5"
        case .modicon5: "40028, 30001 or 40100.5"
        case .modicon6: "400028, 300001 or 400100.5"
        }
    }

    /// The number of the first register.
    private var first: Int { self == .protocol0 ? 0 : 1 }
    private var isModicon: Bool { self == .modicon5 || self == .modicon6 }

    /// Why the text, a valid address, is likely to mean another register than it says; nil when nothing speaks for it.
    func suspicion(about text: String) -> String? {
        guard first == 1, text.lowercased().contains(" 0x") else { return nil }
        return "hexadecimal addresses mostly count from 0, those of \(rawValue) from 1; check that '\(text)' is right"
    }

    struct Problem: Error { let message: String }

    /// The address that stands in `text`.
    func address(_ text: String) throws(Problem) -> RegisterAddress {
        var text = text[...]
        var bits: ClosedRange<Int>?
        if let dot = text.firstIndex(of: ".") {
            bits = try bitRange(text[dot...].dropFirst(), of: text)
            text = text[..<dot]
        }
        let (table, address) = try location(text)
        if bits != nil && table.isBits { throw Problem(message: "a \(table.name) is one bit: '\(text)' has no others") }
        return RegisterAddress(table, address, bits: bits)
    }

    /// A range such as `hr 3033-3034`, or a single address.
    func range(_ text: String) throws(Problem) -> ModbusUnitLimits.ForbiddenRange {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let (table, first) = try location(parts[0])
        guard parts.count == 2 else { return .init(table: table, addresses: Int(first)...Int(first)) }
        let prefix = parts[0].prefix { $0.isLetter || $0 == " " }
        let last = try location(prefix + parts[1]).address
        guard last >= first else { throw Problem(message: "the range '\(text)' ends before it begins") }
        return .init(table: table, addresses: Int(first)...Int(last))
    }

    private func location(_ text: Substring) throws(Problem) -> (table: RegisterTable, address: UInt16) {
        let expected = Problem(message: "expected an address such as \(example), found '\(text)'")
        let words = text.split(separator: " ")
        if words.count == 2, let table = RegisterTable.allCases.first(where: { $0.abbreviation == words[0] }) {
            let isHexadecimal = words[1].hasPrefix("0x") || words[1].hasPrefix("0X")
            let digits = isHexadecimal ? words[1].dropFirst(2) : words[1]
            guard digits.utf8.allSatisfy({ $0.isDigit || (isHexadecimal && $0.isLetter) }),
                let number = Int(digits, radix: isHexadecimal ? 16 : 10)
            else { throw expected }
            return (table, try onWire(number, of: text))
        }
        // The number of digits tells five from six: a leading zero is never left out.
        guard isModicon, text.utf8.count == 5 || text.utf8.count == 6, text.utf8.allSatisfy(\.isDigit),
            let table = RegisterTable.allCases.first(where: { text.hasPrefix(String($0.modiconDigit)) }),
            let number = Int(text.dropFirst())
        else { throw expected }
        return (table, try onWire(number, of: text))
    }

    private func onWire(_ number: Int, of text: Substring) throws(Problem) -> UInt16 {
        guard number >= first, let address = UInt16(exactly: number - first) else {
            throw Problem(message: "the address '\(text)' is outside \(first) to \(first + 65535)")
        }
        return address
    }

    private func bitRange(_ text: Substring, of whole: Substring) throws(Problem) -> ClosedRange<Int> {
        if text == "low" { return RegisterAddress.lowByte }
        if text == "high" { return RegisterAddress.highByte }
        let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map { part in
            part.count <= 2 && part.utf8.allSatisfy(\.isDigit) ? Int(part) : nil
        }
        guard (1...2).contains(numbers.count), let low = numbers[0], let high = numbers.last ?? nil,
            low <= high, high <= 15
        else { throw Problem(message: "expected bits from 0 to 15 such as .5, .0-3, .low or .high, found '.\(text)'") }
        return low...high
    }
}

extension RegisterTable {
    var name: String {
        switch self {
        case .coil: "coil"
        case .discreteInput: "discrete input"
        case .holdingRegister: "holding register"
        case .inputRegister: "input register"
        }
    }
}

extension RegisterAddress {
    static let lowByte = 0...7
    static let highByte = 8...15
}
