// What a source spelled before it means anything: one value, and one of many on their way to becoming a batch.

package import GatewayModel

/// A number or flag as the source spelled it, before it means anything.
package enum RawValue: Equatable, Sendable, BitwiseCopyable {
    case boolean(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case real(Double)
}

/// One value of an answer, as flat as a reading: drivers write a row of them, and one call turns the row into readings.
///
/// A call for each value would cost more than the work that it does: functions of another module are not inlined
/// (Swift 6.3.1, measured).
package struct RawSample: Sendable, BitwiseCopyable {
    /// How `bits` spell the value. The order matters: what a tag takes the short way is a kind up to one of the first four.
    package enum Kind: UInt8, Sendable, BitwiseCopyable {
        /// 0 or 1.
        case boolean
        /// Two's complement.
        case integer
        case unsigned
        /// IEEE 754 binary64.
        case real
        /// Two's complement, and the value is bits × 10^`exponent`.
        case scaled
        /// No value: `quality` says why.
        case unreadable
    }

    package var bits: UInt64
    package var tag: TagID
    /// The normaliser's position among those of the scan.
    package var position: Int32
    package var kind: Kind
    package var exponent: Int8
    package var quality: Quality

    package init(
        _ kind: Kind, bits: UInt64, tag: TagID, position: Int32, exponent: Int8 = 0, quality: Quality = .good
    ) {
        self.bits = bits
        self.tag = tag
        self.position = position
        self.kind = kind
        self.exponent = exponent
        self.quality = quality
    }

    var value: RawValue {
        switch kind {
        case .boolean: .boolean(bits != 0)
        case .integer, .scaled, .unreadable: .integer(Int64(bitPattern: bits))
        case .unsigned: .unsigned(bits)
        case .real: .real(Double(bitPattern: bits))
        }
    }
}

extension RawValue {
    var number: Double {
        switch self {
        case .boolean(let flag): flag ? 1 : 0
        case .integer(let integer): Double(integer)
        case .unsigned(let unsigned): Double(unsigned)
        case .real(let real): real
        }
    }

    /// A flag, or the numbers 0 and 1; nil for any other number.
    var flag: Bool? {
        switch self {
        case .boolean(let flag): flag
        default: number == 0 ? false : number == 1 ? true : nil
        }
    }

    /// A bit of a whole number; nil when it is none.
    func isSet(bit: Int) -> Bool? {
        switch self {
        case .integer(let integer): integer >> Int64(bit) & 1 == 1
        case .unsigned(let unsigned): unsigned >> UInt64(bit) & 1 == 1
        // JSON and CSV have one kind of number: 5.0 is whole.
        case .real(let real): Int64(exactly: real).map { $0 >> Int64(bit) & 1 == 1 }
        case .boolean: nil
        }
    }
}
