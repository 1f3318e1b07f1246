// How vendors count registers, for the tools: what a person types, and what stands in a vendor's list.

package import ModbusDriver

/// The raw values are those of `addressing:` in a profile.
package enum AddressConvention: String, CaseIterable, Sendable {
    case protocol0 = "protocol-0"
    case register1 = "register-1"
    case modicon5 = "modicon-5"
    case modicon6 = "modicon-6"

    /// For people.
    package var explained: String {
        switch self {
        case .protocol0: "addresses as on the wire, from 0 (protocol-0)"
        case .register1: "register numbers, from 1 (register-1)"
        case .modicon5: "Modicon numbers of five digits, 40001 is the first (modicon-5)"
        case .modicon6: "Modicon numbers of six digits, 400001 is the first (modicon-6)"
        }
    }

    /// The place of the number `number` in a list that counts like this.
    /// - Parameter table: from another column; a Modicon number says its own.
    /// - Returns: nil when there is no such place.
    package func address(_ number: Int, table: RegisterTable) -> RegisterAddress? {
        switch self {
        case .protocol0: return UInt16(exactly: number).map { RegisterAddress(table, $0) }
        case .register1: return UInt16(exactly: number - 1).map { RegisterAddress(table, $0) }
        case .modicon5, .modicon6:
            let unit = self == .modicon5 ? 10_000 : 100_000
            guard number > 0, number / unit <= 4, let table = Self.table(modiconDigit: number / unit) else {
                return nil
            }
            return UInt16(exactly: number % unit - 1).map { RegisterAddress(table, $0) }
        }
    }

    static func table(modiconDigit digit: Int) -> RegisterTable? {
        RegisterTable.allCases.first { $0.modiconDigit == digit }
    }

    /// An address that a person typed: `hr 3027` and `hr 0x1B` count from 0, `43028` and `403028` are Modicon's.
    package static func typed(_ text: String) throws(NotationError) -> RegisterAddress {
        let expected = NotationError(
            "expected a table and an address such as \"hr 3027\", \"ir 0x1B\" or 43028, found '\(text.printable)'")
        let words = text.lowercased().split(separator: " ")
        if words.count == 1, words[0].utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(words[0]) {
            let convention: AddressConvention? =
                switch words[0].count {
                case 5: .modicon5
                case 6: .modicon6
                default: nil
                }
            guard let address = convention?.address(number, table: .holdingRegister) else { throw expected }
            return address
        }
        guard words.count == 2, let table = RegisterTable.allCases.first(where: { $0.abbreviation == words[0] }),
            let number = Spelled.integer(words[1])
        else { throw expected }
        guard let address = UInt16(exactly: number) else {
            throw NotationError("the address \(number) is outside 0 to 65535")
        }
        return RegisterAddress(table, address)
    }
}

extension RegisterTable {
    /// For people, in the number that fits.
    package func noun(_ count: Int) -> String {
        let name =
            switch self {
            case .coil: "coil"
            case .discreteInput: "discrete input"
            case .holdingRegister: "holding register"
            case .inputRegister: "input register"
            }
        return count == 1 ? "1 \(name)" : "\(count) \(name)s"
    }
}
