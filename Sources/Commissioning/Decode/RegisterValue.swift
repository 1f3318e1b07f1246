// Words of a device to a value, by the very code that the driver decodes with.

package import Acquisition
internal import GatewayModel
package import ModbusDriver

/// Decodes registers that stand alone, outside of a plan.
package enum RegisterValue {
    /// The raw number; nil when the registers spell none, and for types that are text.
    package static func number(_ words: [UInt16], type: RegisterType, order: WordOrder) -> RawValue? {
        guard words.count >= type.words, !type.isText else { return nil }
        let bytes = bytes(of: words)
        return unsafe field(type, order, type.words).number(in: bytes.span.bytes, from: 0, bits: false)
    }

    /// The text of strings, bytes and times; nil when the registers spell none.
    package static func text(_ words: [UInt16], type: RegisterType, order: WordOrder) -> String? {
        guard type.isText, words.count >= type.words, !words.isEmpty else { return nil }
        let bytes = bytes(of: words)
        let count = type.hasLength ? words.count : type.words
        return unsafe field(type, order, count).text(in: bytes.span.bytes, from: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    private static func bytes(of words: [UInt16]) -> [UInt8] {
        words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    }

    private static func field(_ type: RegisterType, _ order: WordOrder, _ words: Int) -> ReadField {
        let tag = ModbusTagPlan(
            tag: TagID(0), at: RegisterAddress(.holdingRegister, 0), type: type, order: order, words: words,
            normalisation: NormalisationPlan())
        return ReadField(tag, position: 0)
    }
}

extension RawValue {
    /// As a number; a flag is 0 or 1.
    package var asNumber: Double {
        switch self {
        case .boolean(let flag): flag ? 1 : 0
        case .integer(let integer): Double(integer)
        case .unsigned(let unsigned): Double(unsigned)
        case .real(let real): real
        }
    }

    /// For people.
    package var spelled: String {
        switch self {
        case .boolean(let flag): flag ? "1" : "0"
        case .integer(let integer): String(integer)
        case .unsigned(let unsigned): String(unsigned)
        case .real(let real): Spelled.short(real)
        }
    }
}
