// How payloads of a subscription are spelled, and where in them a value stands.

/// A path into a JSON document: `$.motor.temp`, `$.values[0]`, and `$.samples[*]` for what stands there many times.
package struct JSONPath: Equatable, Sendable, CustomStringConvertible {
    package enum Step: Equatable, Sendable {
        case key(String)
        case index(Int)
        /// Every element of an array.
        case each
    }
    package var steps: [Step]

    package init(steps: [Step]) { self.steps = steps }

    package var description: String {
        "$"
            + steps.map { step in
                switch step {
                case .key(let key): ".\(key)"
                case .index(let index): "[\(index)]"
                case .each: "[*]"
                }
            }.joined()
    }
}

/// The spelling of a payload.
package enum PayloadPlan: Equatable, Sendable {
    /// JSON; with `each`, whatever stands at that path is a sample of its own, and the other paths begin there.
    case json(each: JSONPath?)
    /// One number in digits, or `true` and `false`.
    case number
    /// One text, all of the payload.
    case text
    /// Lines of fields; each line is a sample.
    case csv(separator: UInt8)
    /// Fields at fixed offsets.
    case binary
    /// An edge node of Sparkplug B with its devices.
    case sparkplug
    /// JSON whose values come with their names.
    case shape(PayloadShape)

    /// For people.
    package var name: String {
        switch self {
        case .json: "JSON"
        case .number: "number"
        case .text: "text"
        case .csv: "CSV"
        case .binary: "record of the planned length"
        case .sparkplug: "Sparkplug payload"
        case .shape: "JSON"
        }
    }
}

/// Where in a payload a value stands.
package enum FieldPlace: Equatable, Sendable, CustomStringConvertible {
    case path(JSONPath)
    /// All of it.
    case whole
    /// The field of a line, from 0.
    case column(Int)
    case bytes(BinaryField)
    /// `metric` of a Sparkplug node, or `device/metric`.
    case metric(String)
    case named(ShapeName)

    var metric: String { if case .metric(let name) = self { name } else { "" } }

    package var description: String {
        switch self {
        case .path(let path): path.description
        case .whole: "payload"
        case .column(let column): "column \(column)"
        case .bytes(let field): "byte \(field.offset)"
        case .metric(let name): name
        case .named(let name): name.name
        }
    }
}

/// A number in a binary payload.
package struct BinaryField: Equatable, Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case u8, i8, u16, i16, u32, i32, u64, i64, f32, f64

        package var bytes: Int {
            switch self {
            case .u8, .i8: 1
            case .u16, .i16: 2
            case .u32, .i32, .f32: 4
            case .u64, .i64, .f64: 8
            }
        }
    }
    /// How the bytes of a number stand, as for registers; ABCD is the most significant first.
    package enum Order: String, Sendable, CaseIterable { case ABCD, CDAB, BADC, DCBA }
    package var offset: Int
    package var kind: Kind
    package var order: Order

    package init(offset: Int, kind: Kind, order: Order = .ABCD) {
        self.offset = offset
        self.kind = kind
        self.order = order
    }
}
