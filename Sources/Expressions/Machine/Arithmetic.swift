// What each operation makes of its operands, quality included.

internal import GatewayModel
internal import Glibc

extension ExpressionBank {
    private static func truth(_ holds: Bool, _ quality: Quality) -> Operand { Operand(holds ? 1 : 0, quality) }

    static func ofOne(_ step: Instruction, _ operand: Operand) -> Operand {
        if step.operation == .quality {
            return Operand(operand.quality.isBad ? 2 : operand.quality.isGood ? 0 : 1, .good)
        }
        guard !operand.quality.isBad else { return operand }
        let (x, quality) = (operand.number, operand.quality)
        switch step.operation {
        case .negate: return Operand(-x, quality)
        case .magnitude: return Operand(x.magnitude, quality)
        case .roundDown: return Operand(x.rounded(.down), quality)
        case .roundUp: return Operand(x.rounded(.up), quality)
        case .squareRoot: return Operand(x.squareRoot(), quality)
        // Of 0 there is none either; infinity would call it an overflow.
        case .logarithm: return Operand(x > 0 ? log(x) : .nan, quality)
        case .logarithm10: return Operand(x > 0 ? log10(x) : .nan, quality)
        case .exponential: return Operand(exp(x), quality)
        case .not: return truth(x == 0, quality)
        case .round:
            var power = 1.0
            for _ in 0..<step.index { power *= 10 }
            let scaled = x * power
            // So large a number has no decimals.
            return Operand(scaled.magnitude < 0x1p52 ? scaled.rounded() / power : x, quality)
        default: preconditionFailure("BUG: not an operation of one operand")
        }
    }

    static func ofTwo(_ operation: Instruction.Operation, _ a: Operand, _ b: Operand) -> Operand {
        switch operation {
        // What one side decides the other can't change, however bad it is.
        case .and:
            if !a.quality.isBad && a.number == 0 { return a }
            if !b.quality.isBad && b.number == 0 { return b }
        case .or:
            if !a.quality.isBad && a.number != 0 { return a }
            if !b.quality.isBad && b.number != 0 { return b }
        default: break
        }
        let quality = Operand.worst(a.quality, b.quality)
        guard !quality.isBad else { return Operand(bad: quality) }
        let (x, y) = (a.number, b.number)
        switch operation {
        case .add: return Operand(x + y, quality)
        case .subtract: return Operand(x - y, quality)
        case .multiply: return Operand(x * y, quality)
        case .divide: return y == 0 ? Operand(bad: .badOutOfRange) : Operand(x / y, quality)
        case .power: return x == 0 && y < 0 ? Operand(bad: .badOutOfRange) : Operand(pow(x, y), quality)
        case .below: return truth(x < y, quality)
        case .atMost: return truth(x <= y, quality)
        case .above: return truth(x > y, quality)
        case .atLeast: return truth(x >= y, quality)
        case .equal: return truth(x == y, quality)
        case .different: return truth(x != y, quality)
        case .and: return truth(x != 0 && y != 0, quality)
        case .or: return truth(x != 0 || y != 0, quality)
        default: preconditionFailure("BUG: not an operation of two operands")
        }
    }

    static func ofThree(
        _ operation: Instruction.Operation, _ a: Operand, _ b: Operand, _ c: Operand
    ) -> Operand {
        if operation == .choose {
            guard !a.quality.isBad else { return Operand(bad: a.quality) }
            let chosen = a.number != 0 ? b : c
            return Operand(chosen.number, Operand.worst(chosen.quality, a.quality))
        }
        let quality = Operand.worst(Operand.worst(a.quality, b.quality), c.quality)
        guard !quality.isBad else { return Operand(bad: quality) }
        return Operand(max(b.number, min(c.number, a.number)), quality)
    }

    static func several(
        _ operation: Instruction.Operation, _ stack: [Operand], from start: Int, count: Int
    ) -> Operand {
        var quality = Quality.good
        var (least, greatest, sum) = (Double.infinity, -Double.infinity, 0.0)
        for index in start..<start + count {
            let operand = stack[index]
            quality = Operand.worst(quality, operand.quality)
            least = min(least, operand.number)
            greatest = max(greatest, operand.number)
            sum += operand.number
        }
        guard !quality.isBad else { return Operand(bad: quality) }
        switch operation {
        case .least: return Operand(least, quality)
        case .greatest: return Operand(greatest, quality)
        case .total: return Operand(sum, quality)
        default: return Operand(sum / Double(count), quality)
        }
    }
}
