// What a part of an expression is: a number of a unit, a flag, a text or a word.

internal import GatewayModel

/// The type of a part.
enum Meaning {
    case number(Measure)
    case flag
    /// A tag of text; the number is its place among the program's inputs.
    case text(input: Int)
    /// A name that is no tag, or a quotation: the name of a state, or a text to compare with.
    case word(String)
}

/// A number's unit, and what may be done with it.
struct Measure {
    var unit: EngineeringUnit
    /// A difference of temperatures is no temperature: 5 °C more are 5 K.
    var isDifference = false
    /// A number as written, without a unit: it takes that of what it is compared with.
    var isBare = false
    /// The unit is one that somebody wrote, and not the product of two.
    var isStated = true
    var states: [StateName] = []

    static let number = Measure(unit: .number)

    /// °C and °F count from a zero of their own: neither sums nor multiples of such numbers mean anything.
    var isOnScale: Bool { unit.hasOffset }
    var isPlain: Bool { unit.dimension.isNumber }

    /// `°C is temperature`.
    var described: String { isBare ? "a number without a unit" : "\(unit.symbol) is \(unit.dimension)" }

    /// The same without what only a tag knows.
    var calculated: Measure {
        var copy = self
        copy.states = []
        copy.isBare = false
        return copy
    }
}

/// A part that has been compiled: its instructions are the last ones so far.
struct Part {
    var meaning: Meaning
    var offset: Int
    /// Where its instructions begin.
    var start: Int
    /// Set when it is one constant: its instruction, which can be changed in place.
    var constant: Int?
    /// Set when it is a tag and nothing else.
    var input: Int?
    /// How the tag is called there: it may be meant as the name of a state.
    var name = ""
    /// Its unit as it was written, for durations, where m is minutes.
    var spelledUnit = ""

    var measure: Measure? { if case .number(let measure) = meaning { measure } else { nil } }
    var isFlag: Bool { if case .flag = meaning { true } else { false } }
}
