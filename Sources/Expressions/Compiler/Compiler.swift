// From a parsed expression to a program: names, units and types are settled here, once.

internal import GatewayModel

extension Program {
    /// Compiles `syntax` into a program that gives `goal`.
    ///
    /// - Throws: the first mistake, with its place.
    package init(
        _ syntax: Syntax, for goal: ExpressionGoal, in scope: ExpressionScope
    ) throws(ExpressionProblem) {
        var compiler = Compiler(scope: scope)
        self = try compiler.compile(syntax, for: goal)
    }
}

/// Goes through the parts in their order, which is that of a stack machine: operands first. Never calls itself.
struct Compiler {
    let scope: ExpressionScope
    var program = Program()
    /// Compiled parts whose operator has not come yet, the last one on top.
    private var parts: [Part] = []

    init(scope: ExpressionScope) { self.scope = scope }

    mutating func compile(
        _ syntax: Syntax, for goal: ExpressionGoal
    ) throws(ExpressionProblem) -> Program {
        for node in syntax.nodes {
            let operands = Array(parts.suffix(node.operands.count))
            parts.removeLast(operands.count)
            parts.append(try part(node, operands))
            program.depth = max(program.depth, parts.count)
        }
        guard let whole = parts.last else { throw ExpressionProblem(0, "an expression is missing") }
        try reach(goal, whole)
        return program
    }

    private mutating func part(_ node: Syntax.Node, _ operands: [Part]) throws(ExpressionProblem) -> Part {
        switch node.kind {
        case .number(let number, let unit): return constant(number, unit, at: node.offset)
        case .flag(let flag): return constant(flag ? 1 : 0, .flag, at: node.offset)
        case .text(let text): return constant(0, .word(text), at: node.offset)
        case .name(let name): return named(name, at: node.offset)
        case .negated: return try negated(operands[0], at: node.offset)
        case .not:
            guard operands[0].isFlag else { throw Self.noCondition(operands[0], "not") }
            return result(.not, .flag, operands, at: node.offset)
        case .binary(let sign): return try binary(sign, operands[0], operands[1], at: node.offset)
        case .call(let name): return try call(name, operands, at: node.offset)
        }
    }

    // MARK: Leaves

    private mutating func constant(_ number: Double, _ meaning: Meaning, at offset: Int) -> Part {
        program.code.append(Instruction(operation: .constant, number: number))
        let place = program.code.count - 1
        return Part(meaning: meaning, offset: offset, start: place, constant: place)
    }

    private mutating func constant(_ number: Double, _ symbol: String, at offset: Int) -> Part {
        var measure = Measure(unit: EngineeringUnit(symbol: symbol) ?? .number)
        measure.isBare = symbol.isEmpty
        var part = constant(number, .number(measure), at: offset)
        part.spelledUnit = symbol
        return part
    }

    private mutating func named(_ name: String, at offset: Int) -> Part {
        guard let value = scope.value(name) else {
            // It may still be the name of a state: what it is compared with decides.
            return constant(0, .word(name), at: offset)
        }
        return push(value, name, at: offset)
    }

    /// Puts a tag's or a parameter's value on the stack.
    private mutating func push(_ value: NamedValue, _ name: String, at offset: Int) -> Part {
        var measure = Measure(unit: EngineeringUnit(symbol: value.unit) ?? EngineeringUnit(unknown: value.unit))
        measure.states = value.states
        switch value.content {
        case .constant(let number):
            return constant(number, value.kind == .boolean ? .flag : .number(measure), at: offset)
        case .tag(let tag):
            let input = self.input(tag, hold: value.hold)
            program.code.append(Instruction(operation: .input, index: Int32(input)))
            let meaning: Meaning
            switch value.kind {
            case .boolean: meaning = .flag
            case .text: meaning = .text(input: input)
            case .integer, .real, .none: meaning = .number(measure)
            }
            return Part(meaning: meaning, offset: offset, start: program.code.count - 1, input: input, name: name)
        }
    }

    /// All tags that a pattern fits, each a part of its own, in place of the pattern.
    mutating func spread(_ pattern: Part, _ text: String) throws(ExpressionProblem) -> [Part] {
        let values = scope.matching(text)
        guard !values.isEmpty else { throw ExpressionProblem(pattern.offset, "no tag fits '\(text)'") }
        guard values.count <= ExpressionBounds.terms else {
            throw ExpressionProblem(
                pattern.offset, "\(values.count) tags fit '\(text)'; an expression takes \(ExpressionBounds.terms)")
        }
        takeBack(pattern)
        program.depth = max(program.depth, parts.count + values.count)
        return values.map { push($0, "", at: pattern.offset) }
    }

    private var holds: [Duration?] = []

    private mutating func input(_ tag: TagID, hold: Duration?) -> Int {
        if let known = program.inputs.firstIndex(of: tag) { return known }
        program.inputs.append(tag)
        holds.append(hold)
        return program.inputs.count - 1
    }

    /// The longest of what the inputs of a part may hold; nil when one of them holds for good.
    func hold(of inputs: [Int]) -> Duration? {
        var longest = Duration.zero
        for input in inputs {
            guard let hold = holds[input] else { return nil }
            longest = max(longest, hold)
        }
        return longest
    }

    // MARK: Steps

    /// The part that an instruction makes of `operands`, which lie on the stack in this order.
    mutating func result(
        _ operation: Instruction.Operation, _ meaning: Meaning, _ operands: [Part], index: Int = 0, at offset: Int
    ) -> Part {
        let start = operands.first?.start ?? program.code.count
        program.code.append(Instruction(operation: operation, index: Int32(index)))
        return Part(meaning: meaning, offset: offset, start: start)
    }

    /// Takes a constant's instruction away again. It must be the last one.
    mutating func takeBack(_ part: Part) { program.code.removeSubrange(part.start...) }

    func number(of part: Part) -> Double? { part.constant.map { program.code[$0].number } }

    private mutating func negated(_ operand: Part, at offset: Int) throws(ExpressionProblem) -> Part {
        let measure = try number(operand, for: "'-'")
        if let constant = operand.constant {
            program.code[constant].number.negate()
            var part = operand
            part.offset = offset
            return part
        }
        try requireAmount(measure, operand, for: "a minus sign")
        return result(.negate, .number(measure.calculated), [operand], at: offset)
    }

    /// Converts the topmost part's numbers, by exact fractions where there are some.
    mutating func convert(_ part: Part, by conversion: UnitConversion) {
        guard !conversion.isIdentity else { return }
        if let constant = part.constant {
            program.code[constant].number = conversion(program.code[constant].number)
            return
        }
        if let (scale, divisor) = conversion.scale.smallFraction,
            let moved = (conversion.offset * ExactNumber(Int(divisor))).smallFraction, moved.denominator == 1
        {
            append(scale, moved.numerator, divisor)
        } else {
            append(conversion.scale.double, conversion.offset.double, 1)
        }
    }

    private mutating func append(_ scale: Double, _ offset: Double, _ divisor: Double) {
        program.code.append(Instruction(operation: .convert, number: scale))
        program.code.append(Instruction(operation: .further, number: offset))
        program.code.append(Instruction(operation: .further, number: divisor))
    }

    // MARK: Types

    /// The measure of a part that must be a number.
    func number(_ part: Part, for use: String) throws(ExpressionProblem) -> Measure {
        switch part.meaning {
        case .number(let measure): return measure
        case .flag: throw ExpressionProblem(part.offset, "\(use) needs a number; this is true or false")
        case .text: throw ExpressionProblem(part.offset, "\(use) needs a number; this is a text")
        case .word(let word): throw unknown(word, at: part.offset)
        }
    }

    func requireAmount(_ measure: Measure, _ part: Part, for use: String) throws(ExpressionProblem) {
        guard measure.isOnScale else { return }
        throw ExpressionProblem(
            part.offset,
            "\(measure.unit.symbol) counts from a zero of its own, so \(use) means nothing here; "
                + "use avg(a, b) for a mean, and K for what is calculated")
    }

    static func noCondition(_ part: Part, _ use: String) -> ExpressionProblem {
        ExpressionProblem(part.offset, "'\(use)' needs a condition, such as speed > 80 %")
    }

    func unknown(_ word: String, at offset: Int) -> ExpressionProblem {
        let first = word.prefix { $0 != "/" && $0 != "-" }
        if first.count < word.count, scope.value(String(first)) != nil {
            let sign = word[first.endIndex...].prefix(1)
            return ExpressionProblem(
                offset,
                "there is no tag '\(word)'; for \(sign == "/" ? "a quotient" : "a difference") put blanks around '\(sign)'"
            )
        }
        return ExpressionProblem(offset, "there is no tag '\(word)'", word: word, candidates: scope.names(word))
    }

    // MARK: The whole

    private mutating func reach(_ goal: ExpressionGoal, _ whole: Part) throws(ExpressionProblem) {
        switch (goal, whole.meaning) {
        case (_, .word(let word)): throw unknown(word, at: whole.offset)
        case (_, .text):
            throw ExpressionProblem(whole.offset, "this gives a text; an expression gives a number or a condition")
        case (.condition, .flag): return
        case (.condition, .number(let measure)):
            throw ExpressionProblem(
                whole.offset, "this gives a number (\(measure.described)), where a condition is asked for")
        case (.number, .flag):
            throw ExpressionProblem(whole.offset, "this gives true or false, which has no unit")
        case (.number(let symbol), .number(let measure)):
            if measure.isBare { return }
            let target = EngineeringUnit(symbol: symbol) ?? EngineeringUnit(unknown: symbol)
            if target.hasOffset && measure.isDifference {
                throw ExpressionProblem(
                    whole.offset,
                    "this gives a difference of temperatures, in \(target.ofDifferences.symbol) and not in \(symbol)")
            }
            guard let conversion = measure.unit.conversion(to: target, .declared) else {
                throw ExpressionProblem(
                    whole.offset,
                    "this gives \(measure.unit.dimension) (\(measure.unit.symbol)), but \(symbol) is \(target.dimension)"
                )
            }
            convert(whole, by: conversion)
        }
    }
}
