// Operators: what they take, and the unit of what they give.

internal import GatewayModel

extension Compiler {
    mutating func binary(
        _ sign: Syntax.Operator, _ left: Part, _ right: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        switch sign {
        case .plus, .minus: try sum(sign, left, right, at: offset)
        case .times, .over: try product(sign, left, right, at: offset)
        case .power: try power(left, right, at: offset)
        case .and, .or: try both(sign, left, right, at: offset)
        case .below, .atMost, .above, .atLeast, .equal, .different: try comparison(sign, left, right, at: offset)
        }
    }

    private mutating func both(
        _ sign: Syntax.Operator, _ left: Part, _ right: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        for part in [left, right] where !part.isFlag {
            if case .word(let word) = part.meaning { throw unknown(word, at: part.offset) }
            throw Self.noCondition(part, sign.rawValue)
        }
        return result(sign == .and ? .and : .or, .flag, [left, right], at: offset)
    }

    // MARK: + and -

    private mutating func sum(
        _ sign: Syntax.Operator, _ left: Part, _ right: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        let verb = sign == .plus ? "added" : "subtracted"
        let (a, b) = (try number(left, for: "'\(sign.rawValue)'"), try number(right, for: "'\(sign.rawValue)'"))
        for (bare, part, other) in [(a, left, b), (b, right, a)] where bare.isBare && !other.isBare && !other.isPlain {
            throw ExpressionProblem(
                part.offset,
                "the number has no unit, the other is in \(other.unit.symbol): write \(other.unit.ofDifferences.symbol) behind it"
            )
        }
        let operation: Instruction.Operation = sign == .plus ? .add : .subtract
        if a.isOnScale && b.isOnScale && sign == .minus {
            try convert(right, b, to: a.unit, verb, at: offset)
            var difference = a.calculated
            difference.unit = a.unit.ofDifferences
            difference.isDifference = true
            return result(operation, .number(difference), [left, right], at: offset)
        }
        if b.isOnScale {
            guard !a.isOnScale, sign == .plus else {
                throw ExpressionProblem(
                    offset,
                    sign == .plus
                        ? "temperatures in \(b.unit.symbol) can't be added: 20 °C and 20 °C are not 40 °C; "
                            + "use avg(a, b) for a mean, or K for a difference"
                        : "a temperature in \(b.unit.symbol) can't be taken from a difference")
            }
            try convert(right, b, to: a.unit, verb, at: offset)
            return result(operation, .number(a.calculated), [left, right], at: offset)
        }
        try convert(right, b, to: a.unit.ofDifferences, verb, at: offset)
        var sum = a.calculated
        sum.isDifference = a.isDifference && b.isDifference
        return result(operation, .number(sum), [left, right], at: offset)
    }

    /// Converts the topmost part into another's unit.
    mutating func convert(
        _ part: Part, _ measure: Measure, to unit: EngineeringUnit, _ verb: String, at offset: Int
    ) throws(ExpressionProblem) {
        guard let conversion = measure.unit.conversion(to: unit, .calculated) else {
            throw ExpressionProblem(
                offset,
                "\(unit.symbol) is \(unit.dimension), \(measure.unit.symbol) is \(measure.unit.dimension): they can't be \(verb)"
            )
        }
        convert(part, by: conversion)
    }

    // MARK: * / ^

    private mutating func product(
        _ sign: Syntax.Operator, _ left: Part, _ right: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        let (a, b) = (try number(left, for: "'\(sign.rawValue)'"), try number(right, for: "'\(sign.rawValue)'"))
        try requireAmount(a, left, for: "'\(sign.rawValue)'")
        try requireAmount(b, right, for: "'\(sign.rawValue)'")
        guard let unit = sign == .times ? a.unit.multiplied(by: b.unit) : a.unit.divided(by: b.unit) else {
            throw Self.tooHigh(offset)
        }
        var measure = Measure(unit: unit)
        measure.isDifference = a.isDifference && b.isPlain || b.isDifference && a.isPlain && sign == .times
        measure.isStated = unit == a.unit && a.isStated || unit == b.unit && b.isStated
        return result(sign == .times ? .multiply : .divide, .number(measure), [left, right], at: offset)
    }

    private static func tooHigh(_ offset: Int) -> ExpressionProblem {
        ExpressionProblem(offset, "a power of a unit that nothing is measured in")
    }

    private mutating func power(
        _ left: Part, _ right: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        let (base, exponent) = (try number(left, for: "'^'"), try number(right, for: "'^'"))
        try requireAmount(base, left, for: "'^'")
        guard exponent.isPlain else {
            throw ExpressionProblem(right.offset, "an exponent has no unit; \(exponent.described)")
        }
        try convert(right, exponent, to: .number, "raised", at: offset)
        if base.isPlain && base.unit.factor == .one {
            return result(.power, .number(.number), [left, right], at: offset)
        }
        guard let constant = self.number(of: right), let whole = Int(exactly: constant) else {
            throw ExpressionProblem(
                right.offset, "what has a unit can only be raised to a whole number; \(base.described)")
        }
        guard let unit = base.unit.raised(to: whole) else { throw Self.tooHigh(offset) }
        var measure = Measure(unit: unit)
        measure.isStated = false
        return result(.power, .number(measure), [left, right], at: offset)
    }

    // MARK: Comparisons

    private mutating func comparison(
        _ sign: Syntax.Operator, _ left: Part, _ right: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        let (left, right) = (asState(left, of: right), asState(right, of: left))
        let operation = Self.operation(of: sign)
        let isEquality = sign == .equal || sign == .different
        switch (left.meaning, right.meaning) {
        case (.number(let a), .number(let b)):
            _ = try unify(left, a, right, b, "compared", at: offset)
        case (.number(let measure), .word(let word)), (.word(let word), .number(let measure)):
            let part = left.measure == nil ? left : right
            try setState(word, of: measure, part, isEquality, at: offset)
        case (.text(let input), .word(let word)), (.word(let word), .text(let input)):
            guard isEquality else {
                throw ExpressionProblem(offset, "a text is compared with '==' and '!='")
            }
            let part = left.constant == nil ? right : left
            if let constant = part.constant {
                program.code[constant] = Instruction(operation: .word, index: Int32(place(of: word, input)))
            }
        case (.flag, .flag) where isEquality:
            break
        case (.flag, .number(let number)) where isEquality && isFlag(number, right),
            (.number(let number), .flag) where isEquality && isFlag(number, left):
            break
        case (.word(let word), .word): throw unknown(word, at: left.offset)
        case (.flag, .word(let word)): throw unknown(word, at: right.offset)
        case (.word(let word), .flag): throw unknown(word, at: left.offset)
        case (.text, _), (_, .text):
            throw ExpressionProblem(offset, "a text is compared with a text in double quotes, by '==' or '!='")
        case (.flag, _), (_, .flag):
            throw ExpressionProblem(offset, "true or false is compared with 'true' and 'false', by '==' or '!='")
        }
        return result(operation, .flag, [left, right], at: offset)
    }

    /// Beside a tag with states the name of one of them means the state, even when a tag is called so, too.
    private mutating func asState(_ part: Part, of other: Part) -> Part {
        guard part.input != nil, let states = other.measure?.states, states.contains(where: { $0.name == part.name })
        else {
            return part
        }
        program.code[part.start] = Instruction(operation: .constant)
        return Part(meaning: .word(part.name), offset: part.offset, start: part.start, constant: part.start)
    }

    /// 0 and 1 are how a flag may be written, too.
    private func isFlag(_ measure: Measure, _ part: Part) -> Bool {
        measure.isBare && (number(of: part) == 0 || number(of: part) == 1)
    }

    private static func operation(of sign: Syntax.Operator) -> Instruction.Operation {
        switch sign {
        case .below: .below
        case .atMost: .atMost
        case .above: .above
        case .atLeast: .atLeast
        case .different: .different
        default: .equal
        }
    }

    /// The code of a state, put where its name stands.
    private mutating func setState(
        _ word: String, of measure: Measure, _ part: Part, _ isEquality: Bool, at offset: Int
    ) throws(ExpressionProblem) {
        guard let constant = part.constant, !measure.states.isEmpty else { throw unknown(word, at: part.offset) }
        guard let state = measure.states.first(where: { $0.name == word }) else {
            throw ExpressionProblem(
                part.offset, "there is no state '\(word)'", word: word, candidates: measure.states.map(\.name))
        }
        guard isEquality else { throw ExpressionProblem(offset, "a state is compared with '==' and '!='") }
        program.code[constant].number = Double(state.code)
    }

    /// The place of a text among the program's words.
    private mutating func place(of text: String, _ input: Int) -> Int {
        let word = Program.Word(input: input, bytes: Array(text.utf8))
        if let place = program.words.firstIndex(of: word) { return place }
        program.words.append(word)
        return program.words.count - 1
    }

    /// Brings two numbers to one unit: the right one is converted, or takes the left one's if it has none, or gives it.
    /// - Returns: what both are then.
    mutating func unify(
        _ left: Part, _ a: Measure, _ right: Part, _ b: Measure, _ verb: String, at offset: Int
    ) throws(ExpressionProblem) -> Measure {
        if a.isBare && b.isBare { return a }
        for (bare, part, other) in [(a, left, b), (b, right, a)] where bare.isBare {
            if other.isStated || other.isPlain && other.unit.factor == .one { return other.calculated }
            guard other.isPlain else {
                throw ExpressionProblem(
                    part.offset,
                    "the number has no unit; what it is \(verb) with is \(other.unit.dimension), in \(other.unit.symbol)"
                )
            }
        }
        if a.isDifference && b.isOnScale || b.isDifference && a.isOnScale {
            let unit = a.isOnScale ? a.unit : b.unit
            throw ExpressionProblem(
                offset,
                "a difference of temperatures is in \(unit.ofDifferences.symbol) and can't be \(verb) with a temperature in \(unit.symbol)"
            )
        }
        try convert(right, b, to: a.unit, verb, at: offset)
        var both = a.calculated
        both.isDifference = a.isDifference && b.isDifference
        return both
    }
}
