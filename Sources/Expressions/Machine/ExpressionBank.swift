// Many programs over one table of inputs: takes readings in, works programs out.

package import GatewayModel

/// Compiled programs, the newest reading of each tag that they look at, and their windows. A pure value: it never reads
/// a clock, and working a program out allocates nothing and hashes nothing.
///
/// Owned by whoever evaluates: the pipeline for derived tags.
package struct ExpressionBank: Sendable {
    struct Input: Sendable, BitwiseCopyable {
        /// NaN while there is none. A text's place among the words that it is compared with.
        var number = Double.nan
        var time = Int64.min
        var quality = Quality.badWaitingForInitialData
    }

    /// Where a program's parts lie: without a reference, so that looking at one counts nothing.
    private struct Linked: Sendable {
        var code: Range<Int>
        var inputs: Range<Int>
        var windows: Range<Int>
    }

    /// For each tag its input, -1 for the many that nothing looks at.
    private let inputOfTag: [Int32]
    private(set) var inputs: [Input]
    /// Texts that the programs know of each input.
    private var words: [[[UInt8]]]
    private var code: [Instruction] = []
    private var programs: [Linked] = []
    /// The inputs of all programs, one after the other.
    private var programInputs: [Int32] = []
    private(set) var windows: [Window] = []
    private var stack: [Operand]
    /// Programs that look at input i: `users[starts[i]..<starts[i + 1]]`.
    private var users: [Int32] = []
    private var starts: [Int32] = []
    /// Readings older than the newest one of their tag.
    package private(set) var late = 0

    /// - Parameter tagCount: the size of the tag table.
    package init(_ programs: [Program], tagCount: Int) {
        var inputOfTag = [Int32](repeating: -1, count: tagCount)
        var words: [[[UInt8]]] = []
        for tag in programs.flatMap(\.inputs) {
            precondition(inputOfTag.indices.contains(Int(tag.index)), "BUG: an expression of an unknown tag")
            guard inputOfTag[Int(tag.index)] < 0 else { continue }
            inputOfTag[Int(tag.index)] = Int32(words.count)
            words.append([])
        }
        self.inputOfTag = inputOfTag
        inputs = Array(repeating: Input(), count: words.count)
        self.words = words
        stack = Array(repeating: Operand(bad: .badWaitingForInitialData), count: (programs.map(\.depth).max() ?? 0) + 1)
        for program in programs { link(program) }
        var usersOf: [[Int32]] = Array(repeating: [], count: inputs.count)
        for (index, program) in self.programs.enumerated() {
            for input in programInputs[program.inputs] { usersOf[Int(input)].append(Int32(index)) }
        }
        starts = [0]
        for some in usersOf {
            users += some
            starts.append(Int32(users.count))
        }
    }

    /// Puts a program's instructions behind the others, with inputs, words and windows of the whole bank.
    private mutating func link(_ program: Program) {
        let own = program.inputs.map { inputOfTag[Int($0.index)] }
        let places = program.words.map { word in
            let input = Int(own[word.input])
            if !words[input].contains(word.bytes) { words[input].append(word.bytes) }
            return Double(words[input].firstIndex(of: word.bytes) ?? 0)
        }
        let (codeStart, windowStart) = (code.count, windows.count)
        for instruction in program.code {
            var step = instruction
            switch step.operation {
            case .input, .age: step.index = own[Int(step.index)]
            case .window: step.index += Int32(windowStart)
            case .word: step = Instruction(operation: .constant, number: places[Int(step.index)])
            default: break
            }
            code.append(step)
        }
        for plan in program.windows {
            var plan = plan
            plan.inputs = plan.inputs.map { Int(own[$0]) }
            windows.append(Window(plan))
        }
        let inputStart = programInputs.count
        programInputs += own
        programs.append(
            Linked(
                code: codeStart..<code.count, inputs: inputStart..<programInputs.count,
                windows: windowStart..<windows.count))
    }

    /// Goes on with what another bank knows: the newest readings, and the windows of programs that are the same.
    /// - Parameter kept: for each program of this bank the one of `other` that is equal to it; nil for a new one.
    package mutating func goOn(from other: ExpressionBank, kept: [Int?]) {
        for tag in inputOfTag.indices where inputOfTag[tag] >= 0 && tag < other.inputOfTag.count {
            let (input, old) = (Int(inputOfTag[tag]), Int(other.inputOfTag[tag]))
            // A text's number is its place among words, which may be others now.
            if old >= 0, words[input] == other.words[old] { inputs[input] = other.inputs[old] }
        }
        for (index, old) in kept.enumerated() {
            guard let old else { continue }
            for (mine, its) in zip(programs[index].windows, other.programs[old].windows) {
                windows[mine] = windows[mine].goingOn(from: other.windows[its])
            }
        }
    }

    // MARK: Readings

    /// Whether any program looks at a tag.
    @inline(__always)
    package func looks(at tag: TagID) -> Bool { inputOfTag[Int(tag.index)] >= 0 }

    /// When the tag was read that is known by now; the smallest time before the first reading.
    package func time(of tag: TagID) -> Int64 {
        let input = inputOfTag[Int(tag.index)]
        return input < 0 ? .min : inputs[Int(input)].time
    }

    /// Takes a reading in.
    /// - Parameter now: the gateway's clock: a reading from the future counts as now, and one older than the newest is
    ///   left out, unless the clock was set back.
    /// - Returns: the places of the programs that look at it, for `program(at:)`; none for one that was left out.
    package mutating func take(_ reading: Reading, text: ArraySlice<UInt8>, now: Timestamp) -> Range<Int> {
        let input = Int(inputOfTag[Int(reading.tag.index)])
        guard input >= 0 else { return 0..<0 }
        let time = min(reading.timestamp, now).nanoseconds
        if time < inputs[input].time && inputs[input].time <= now.nanoseconds {
            late += 1
            return 0..<0
        }
        inputs[input].time = time
        inputs[input].quality = reading.quality
        inputs[input].number = number(of: reading, text, input)
        if !reading.quality.isBad && !inputs[input].number.isFinite {
            inputs[input].quality = reading.kind == .none ? .badTypeMismatch : .badOutOfRange
        }
        return Int(starts[input])..<Int(starts[input + 1])
    }

    @inline(__always)
    package func program(at place: Int) -> Int { Int(users[place]) }

    private func number(of reading: Reading, _ text: ArraySlice<UInt8>, _ input: Int) -> Double {
        switch reading.kind {
        case .real: return Double(bitPattern: reading.bits)
        case .integer: return Double(Int64(bitPattern: reading.bits))
        case .boolean: return reading.bits == 0 ? 0 : 1
        case .none: return .nan
        case .text:
            for index in words[input].indices where text.elementsEqual(words[input][index]) { return Double(index) }
            return -1
        }
    }

    // MARK: Working out

    /// The newest time of what a program looks at.
    package func newestTime(of program: Int) -> Int64 {
        var newest = Int64.min
        for place in programs[program].inputs { newest = max(newest, inputs[Int(programInputs[place])].time) }
        return newest
    }

    /// Works a program out.
    /// - Parameter time: the moment for which: ends its windows, and ages are counted from there.
    package mutating func value(of program: Int, at time: Int64, now: Timestamp) -> Operand {
        // A constant of another module is a call each time.
        let good = Quality(rawValue: 0)
        var top = -1
        var index = programs[program].code.lowerBound
        let end = programs[program].code.upperBound
        while index < end {
            let step = code[index]
            switch step.operation {
            case .constant:
                top += 1
                stack[top] = Operand(step.number, good)
            case .input:
                top += 1
                let input = inputs[Int(step.index)]
                stack[top] = Operand(input.quality.isBad ? .nan : input.number, input.quality)
            case .age:
                top += 1
                let read = inputs[Int(step.index)].time
                stack[top] =
                    read == .min
                    ? Operand(bad: .badWaitingForInitialData) : Operand(max(0, Double(time - read) / 1e9), good)
            case .convert:
                let line = stack[top].number * step.number + code[index + 1].number
                stack[top] = Operand(line / code[index + 2].number, stack[top].quality)
                index += 2
            case .window:
                stack[top] = windowed(Int(step.index), stack[top], at: time, now: now)
            case .least, .greatest, .mean, .total:
                top -= Int(step.index) - 1
                stack[top] = Self.several(step.operation, stack, from: top, count: Int(step.index))
            case .choose, .clamp:
                top -= 2
                stack[top] = Self.ofThree(step.operation, stack[top], stack[top + 1], stack[top + 2])
            case .negate, .magnitude, .roundDown, .roundUp, .squareRoot, .logarithm, .logarithm10, .exponential, .round,
                .not, .quality:
                stack[top] = Self.ofOne(step, stack[top])
            case .add, .subtract, .multiply, .divide, .power, .below, .atMost, .above, .atLeast, .equal, .different,
                .and, .or:
                top -= 1
                stack[top] = Self.ofTwo(step.operation, stack[top], stack[top + 1])
            case .word, .further: preconditionFailure("BUG: an instruction that stands for nothing by itself")
            }
            index += 1
        }
        return stack[top]
    }

    /// Gives a window what is new of its inputs, and takes its figure.
    private mutating func windowed(_ window: Int, _ operand: Operand, at time: Int64, now: Timestamp) -> Operand {
        var newest = Int64.min
        for input in windows[window].plan.inputs { newest = max(newest, inputs[input].time) }
        windows[window].take(operand.number, operand.quality, at: newest, now: now.nanoseconds)
        return windows[window].figure(at: time)
    }
}
