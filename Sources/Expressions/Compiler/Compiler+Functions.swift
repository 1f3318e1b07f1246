// Functions: of numbers, of windows of time, and of readings themselves.

internal import GatewayModel

extension Compiler {
    private static let plain: [String: Instruction.Operation] = [
        "abs": .magnitude, "floor": .roundDown, "ceil": .roundUp, "sqrt": .squareRoot, "ln": .logarithm,
        "log10": .logarithm10, "exp": .exponential,
    ]
    private static let windows: [String: WindowPlan.Figure] = [
        "avg": .mean, "min": .least, "max": .greatest, "sum": .sum, "count": .count, "delta": .delta, "rate": .rate,
    ]
    private static let names =
        Array(plain.keys) + Array(windows.keys) + ["if", "round", "clamp", "quality", "age", "and", "or", "not"]

    mutating func call(
        _ name: String, _ arguments: [Part], at offset: Int
    ) throws(ExpressionProblem) -> Part {
        if let operation = Self.plain[name] {
            try require(1...1, arguments, of: name, at: offset)
            return try plain(operation, name, arguments[0], at: offset)
        }
        if let figure = Self.windows[name] {
            if arguments.count == 1, case .word(let text) = arguments[0].meaning, text.contains("*") {
                return try several(figure, name, try spread(arguments[0], text), at: offset)
            }
            return try windowed(figure, name, arguments, at: offset)
        }
        switch name {
        case "if":
            try require(3...3, arguments, of: "if(condition, then, else)", at: offset)
            return try choice(arguments, at: offset)
        case "round":
            try require(1...2, arguments, of: name, at: offset)
            return try round(arguments, at: offset)
        case "clamp":
            try require(3...3, arguments, of: "clamp(x, low, high)", at: offset)
            let measure = try common(arguments, name, at: offset)
            return result(.clamp, .number(measure), arguments, at: offset)
        case "quality":
            try require(1...1, arguments, of: name, at: offset)
            if case .word(let word) = arguments[0].meaning { throw unknown(word, at: arguments[0].offset) }
            return result(.quality, .number(Self.qualities), arguments, at: offset)
        case "age":
            try require(1...1, arguments, of: name, at: offset)
            return try age(arguments[0], at: offset)
        default:
            throw ExpressionProblem(
                offset, "there is no function '\(name)'", word: name, candidates: Self.names.sorted())
        }
    }

    private func require(
        _ count: ClosedRange<Int>, _ arguments: [Part], of name: String, at offset: Int
    ) throws(ExpressionProblem) {
        guard !count.contains(arguments.count) else { return }
        let most = count.upperBound == .max ? "or more" : count.count == 1 ? "" : "to \(count.upperBound)"
        let number = [String(count.lowerBound), most].filter { !$0.isEmpty }.joined(separator: " ")
        throw ExpressionProblem(
            offset,
            "\(name.contains("(") ? name : name + "()") takes \(number) value\(number == "1" ? "" : "s"), not \(arguments.count)"
        )
    }

    // MARK: Of numbers

    private mutating func plain(
        _ operation: Instruction.Operation, _ name: String, _ argument: Part, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        var measure = try number(argument, for: "\(name)()").calculated
        switch operation {
        case .logarithm, .logarithm10, .exponential:
            guard measure.isPlain else {
                throw ExpressionProblem(
                    argument.offset, "\(name)() takes a number without a unit; \(measure.described)")
            }
            try convert(argument, measure, to: .number, "used", at: offset)
            measure = .number
        case .squareRoot:
            try requireAmount(measure, argument, for: "sqrt()")
            guard let root = measure.unit.dimension.squareRoot else {
                throw ExpressionProblem(argument.offset, "the square root of \(measure.unit.dimension) has no unit")
            }
            // In base units, because the root of a thousand is no factor of a unit.
            let base = EngineeringUnit(symbol: "\(measure.unit.dimension)", dimension: measure.unit.dimension)
            try convert(argument, measure, to: base, "used", at: offset)
            measure = root.isNumber ? .number : Measure(unit: EngineeringUnit(symbol: "\(root)", dimension: root))
            measure.isStated = root.isNumber
        case .magnitude: try requireAmount(measure, argument, for: "abs()")
        default: break
        }
        return result(operation, .number(measure), [argument], at: offset)
    }

    private mutating func round(_ arguments: [Part], at offset: Int) throws(ExpressionProblem) -> Part {
        let measure = try number(arguments[0], for: "round()").calculated
        var decimals = 0
        if arguments.count == 2 {
            guard arguments[1].measure?.isBare == true,
                let count = number(of: arguments[1]).flatMap(Int.init(exactly:)),
                (0...12).contains(count)
            else { throw ExpressionProblem(arguments[1].offset, "round(x, n) takes a number of decimals from 0 to 12") }
            decimals = count
            takeBack(arguments[1])
        }
        return result(.round, .number(measure), [arguments[0]], index: decimals, at: offset)
    }

    private mutating func choice(_ arguments: [Part], at offset: Int) throws(ExpressionProblem) -> Part {
        guard arguments[0].isFlag else {
            if case .word(let word) = arguments[0].meaning { throw unknown(word, at: arguments[0].offset) }
            throw Self.noCondition(arguments[0], "if")
        }
        if arguments[1].isFlag && arguments[2].isFlag { return result(.choose, .flag, arguments, at: offset) }
        let (then, otherwise) = (arguments[1], arguments[2])
        let (a, b) = (try number(then, for: "if()"), try number(otherwise, for: "if()"))
        let measure = try unify(then, a, otherwise, b, "given", at: offset)
        return result(.choose, .number(measure), arguments, at: offset)
    }

    /// Brings all arguments to the unit of the first one that has any.
    private mutating func common(
        _ arguments: [Part], _ name: String, at offset: Int
    ) throws(ExpressionProblem) -> Measure {
        let measures = try arguments.map { (part) throws(ExpressionProblem) in try number(part, for: "\(name)()") }
        let first = measures.firstIndex { !$0.isBare } ?? 0
        // Only the topmost part can be converted by an instruction, and constants anywhere: each right behind its own.
        var measure = measures[first]
        var moved = 0
        for index in arguments.indices where index != first {
            var part = arguments[index]
            part.start += moved
            part.constant = part.constant.map { $0 + moved }
            let before = program.code.count
            let end = index + 1 < arguments.count ? arguments[index + 1].start + moved : before
            let behind = Array(program.code[end...])
            program.code.removeSubrange(end...)
            measure = try unify(arguments[first], measure, part, measures[index], "compared", at: part.offset)
            program.code += behind
            moved += program.code.count - before
        }
        return measure.calculated
    }

    /// One figure of all tags that a pattern fits.
    private mutating func several(
        _ figure: WindowPlan.Figure, _ name: String, _ tags: [Part], at offset: Int
    ) throws(ExpressionProblem) -> Part {
        let operation: Instruction.Operation
        switch figure {
        case .mean: operation = .mean
        case .least: operation = .least
        case .greatest: operation = .greatest
        case .sum: operation = .total
        case .count, .rises:
            // How many of them are true.
            for tag in tags where !tag.isFlag { throw Self.noCondition(tag, name) }
            return result(.total, .number(.number), tags, index: tags.count, at: offset)
        case .delta, .rate: throw ExpressionProblem(offset, "\(name)() takes one tag")
        }
        let measure = try common(tags, name, at: offset)
        if figure == .sum { try requireAmount(measure, tags[0], for: "sum()") }
        return result(operation, .number(measure), tags, index: tags.count, at: offset)
    }

    // MARK: Of readings

    private static let qualities: Measure = {
        var measure = Measure.number
        measure.states = [("good", 0), ("uncertain", 1), ("bad", 2)].map { StateName(code: $0.1, name: $0.0) }
        return measure
    }()

    private mutating func age(_ argument: Part, at offset: Int) throws(ExpressionProblem) -> Part {
        guard let input = argument.input else {
            if case .word(let word) = argument.meaning { throw unknown(word, at: argument.offset) }
            throw ExpressionProblem(argument.offset, "age() takes a tag: how long ago it was read")
        }
        takeBack(argument)
        return result(
            .age, .number(Measure(unit: EngineeringUnit(symbol: "s", dimension: Self.second))), [], index: input,
            at: offset)
    }

    private static let second = EngineeringUnit(symbol: "s")?.dimension ?? .number

    // MARK: Of windows

    /// The length of a window, where the last argument is one: there `5m` are five minutes.
    private func duration(_ part: Part) -> Duration? {
        guard part.spelledUnit == "m" || part.measure?.unit.dimension == Self.second,
            let number = number(of: part), number >= 0, number < 1e9
        else { return nil }
        let seconds = part.spelledUnit == "m" ? number * 60 : number * (part.measure?.unit.factor.double ?? 1)
        return .nanoseconds(Int64((min(seconds, 1e9) * 1e9).rounded()))
    }

    private mutating func windowed(
        _ figure: WindowPlan.Figure, _ name: String, _ arguments: [Part], at offset: Int
    ) throws(ExpressionProblem) -> Part {
        let isTime = arguments.first?.measure.map { !$0.isBare && $0.unit.dimension == Self.second } ?? false
        let ofTwo = arguments.count == 2 && !(isTime && [.least, .greatest, .mean].contains(figure))
        if let last = arguments.last, ofTwo, let length = duration(last) {
            guard ExpressionBounds.windowLength.contains(length) else {
                throw ExpressionProblem(last.offset, "a window has 1s to 31d")
            }
            takeBack(last)
            return try window(figure, name, arguments[0], length, at: offset)
        }
        switch figure {
        case .delta, .rate:
            if arguments.count == 1 { return try window(figure, name, arguments[0], nil, at: offset) }
            try require(1...1, arguments.count == 2 ? Array(arguments.prefix(1)) : arguments, of: name, at: offset)
            throw ExpressionProblem(arguments[1].offset, "\(name)(x, d) takes a length of time, such as 5m")
        case .least, .greatest, .mean:
            try require(2...Int.max, arguments, of: "\(name)(x, 5m) or \(name)(a, b)", at: offset)
            let measure = try common(arguments, name, at: offset)
            let operation: Instruction.Operation =
                figure == .least ? .least : figure == .greatest ? .greatest : .mean
            return result(operation, .number(measure), arguments, index: arguments.count, at: offset)
        case .sum, .count, .rises:
            try require(2...2, arguments, of: "\(name)(x, 5m)", at: offset)
            throw ExpressionProblem(arguments[1].offset, "\(name)(x, d) takes a length of time, such as 5m")
        }
    }

    private mutating func window(
        _ figure: WindowPlan.Figure, _ name: String, _ argument: Part, _ length: Duration?, at offset: Int
    ) throws(ExpressionProblem) -> Part {
        guard program.windows.count < ExpressionBounds.windows else {
            throw ExpressionProblem(offset, "an expression of more than \(ExpressionBounds.windows) windows")
        }
        var measure = Measure.number
        var figure = figure
        if argument.isFlag {
            switch figure {
            // The share of the time in which it was true, and how often it became true.
            case .mean: break
            case .count: figure = .rises
            default: throw ExpressionProblem(argument.offset, "\(name)() needs a number; this is true or false")
            }
        } else {
            let inner = try number(argument, for: "\(name)()").calculated
            switch figure {
            case .mean, .least, .greatest: measure = inner
            case .sum:
                try requireAmount(inner, argument, for: "sum()")
                measure = inner
            case .count, .rises: break
            case .delta, .rate:
                measure = inner
                measure.unit = inner.unit.ofDifferences
                measure.isDifference = inner.isOnScale || inner.isDifference
                if figure == .rate, let second = EngineeringUnit(symbol: "s") {
                    guard let rate = measure.unit.divided(by: second) else {
                        throw ExpressionProblem(offset, "a power of a unit that nothing is measured in")
                    }
                    measure.unit = rate
                    measure.isDifference = false
                    measure.isStated = false
                }
            }
        }
        let inputs = inputs(of: argument)
        guard !inputs.isEmpty else {
            throw ExpressionProblem(argument.offset, "\(name)() looks at readings; there is no tag in this")
        }
        program.windows.append(
            WindowPlan(figure: figure, length: length, inputs: inputs, hold: hold(of: inputs)))
        return result(.window, .number(measure), [argument], index: program.windows.count - 1, at: offset)
    }

    /// Whose readings the last part is made of.
    private func inputs(of part: Part) -> [Int] {
        var inputs: Set<Int> = []
        for step in program.code[part.start...] {
            switch step.operation {
            case .input, .age: inputs.insert(Int(step.index))
            case .window: inputs.formUnion(program.windows[Int(step.index)].inputs)
            default: break
            }
        }
        return inputs.sorted()
    }
}
