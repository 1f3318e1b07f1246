// Which power of ten the exponent registers of a simulated unit tell, so that every value beside them fits. Pure.

internal import Acquisition
package import ModbusDriver

/// A register of one table.
package struct RegisterPlace: Hashable, Sendable {
    package var table: RegisterTable
    package var address: Int
    package init(_ table: RegisterTable, _ address: Int) {
        self.table = table
        self.address = address
    }
}

/// The exponent registers of one unit (SunSpec's `_SF`), fixed for its life as they are in most devices.
package struct SimulatedExponents: Equatable, Sendable {
    /// What each register holds, as a signed number.
    package private(set) var registers: [RegisterPlace: Int] = [:]

    /// One decimal, until a value is too large for its type: then as many fewer as make it fit. A register that is a tag
    /// itself, with a constant signal, tells that.
    package init(tags: [SimulatedTag]) {
        var members: [RegisterPlace: [SimulatedTag]] = [:]
        for tag in tags {
            guard let exponent = tag.plan.exponent else { continue }
            members[RegisterPlace(tag.plan.at.table, Int(exponent.address)), default: []].append(tag)
        }
        for (place, sharing) in members {
            if let own = tags.first(where: { RegisterPlace($0.plan.at.table, Int($0.plan.at.address)) == place }),
                case .constant(let told) = own.signal
            {
                registers[place] = Int(min(max(own.plan.raw(of: told, exponent: 0).rounded(), -10), 10))
                continue
            }
            let isNegated = sharing.first?.plan.exponent?.isNegated ?? false
            let fitting = (-1...10).first { power in
                sharing.allSatisfy { Self.fits($0, register: isNegated ? -power : power) }
            }
            registers[place] = (fitting ?? 0) * (isNegated ? -1 : 1)
        }
    }

    /// The power of ten by which the value of `tag` is scaled.
    package func exponent(of tag: ModbusTagPlan) -> Int {
        guard let exponent = tag.exponent else { return 0 }
        let register = registers[RegisterPlace(tag.at.table, Int(exponent.address))] ?? 0
        return exponent.isNegated ? -register : register
    }

    private static func fits(_ tag: SimulatedTag, register: Int) -> Bool {
        let exponent = tag.plan.exponent?.isNegated == true ? -register : register
        return tag.signal.extremes.allSatisfy { value in
            tag.plan.type.numbers.contains(tag.plan.raw(of: value, exponent: exponent).rounded())
        }
    }
}

extension Signal {
    /// The smallest and the largest number that it gives.
    fileprivate var extremes: [Double] {
        switch self {
        case .constant(let value): [value]
        case .sine(let mean, let amplitude, _): [mean - amplitude, mean + amplitude]
        case .ramp(let from, let to, _): [from, to]
        case .square(let low, let high, _): [low, high]
        case .text, .reads: []
        }
    }
}

extension RegisterType {
    /// The numbers that its registers can spell.
    fileprivate var numbers: ClosedRange<Double> {
        switch self {
        case .bool: 0...1
        case .u8: 0...255
        case .i8: -128...127
        case .u16: 0...65535
        case .i16: -32768...32767
        case .u32: 0...4_294_967_295
        case .i32: -2_147_483_648...2_147_483_647
        case .bcd16: 0...9999
        case .bcd32: 0...99_999_999
        default: -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
        }
    }
}
