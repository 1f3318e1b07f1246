// What a tag can be: nothing, a boolean, an integer, a real number or text.

/// The type of a value. Fixed per tag by the configuration; a reading of bad quality has none.
package enum ValueKind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case none = 0
    case boolean = 1
    case integer = 2
    case real = 3
    case text = 4
}

/// A value outside the hot path: in rules' messages, in answers of the API, in tests.
package enum Value: Equatable, Sendable {
    case none
    case boolean(Bool)
    case integer(Int64)
    case real(Double)
    case text(String)

    package var kind: ValueKind {
        switch self {
        case .none: .none
        case .boolean: .boolean
        case .integer: .integer
        case .real: .real
        case .text: .text
        }
    }
}

extension Value: CustomStringConvertible {
    package var description: String {
        switch self {
        case .none: "-"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .real(let value): value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
        case .text(let value): value
        }
    }
}
