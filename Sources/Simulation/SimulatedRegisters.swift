// The four tables of one simulated unit, filled from its signals when they are asked for.

internal import Acquisition
internal import CModbus
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver

/// Registers and coils in libmodbus' own mapping. One owner: the endpoint's thread.
///
/// What a client has written stays as it was written, unless the tag's profile says that it clears itself or shows
/// something else; signals no longer reach it.
@safe
final class SimulatedRegisters {
    let mapping: UnsafeMutablePointer<modbus_mapping_t>
    let unit: SimulatedUnit
    private let exponents: SimulatedExponents
    /// Whole registers before parts of them, so that bits and bytes are merged into their word and stay.
    private let order: [Int]
    private var reads: [Int]
    private var written: Set<RegisterPlace> = []
    /// The places that there are, where not all are.
    private let existing: Set<RegisterPlace>?
    private let clock = SystemClock()
    private let start: MonotonicTime

    init?(unit: SimulatedUnit) {
        func size(_ table: RegisterTable) -> Int32 {
            let tags = unit.tags.filter { $0.plan.at.table == table }.map(\.plan.addresses.upperBound)
            let ends = tags + unit.identity.filter { $0.at.table == table }.map { Int($0.at.address) + $0.words }
            // A little more than the last tag, so that reads with a gap at the end still answer.
            return Int32(min(65536, (ends.max() ?? 0) + 125))
        }
        guard
            let made = unsafe modbus_mapping_new(
                size(.coil), size(.discreteInput), size(.holdingRegister), size(.inputRegister))
        else { return nil }
        unsafe mapping = made
        self.unit = unit
        exponents = SimulatedExponents(tags: unit.tags)
        func isPart(_ index: Int) -> Bool {
            let plan = unit.tags[index].plan
            return plan.at.bits != nil || plan.type == .u8 || plan.type == .i8
        }
        order = unit.tags.indices.filter { !isPart($0) } + unit.tags.indices.filter(isPart)
        reads = unit.tags.map { _ in 0 }
        start = clock.monotonic()
        var places = Set(exponents.registers.keys)
        for tag in unit.tags {
            for offset in 0..<tag.plan.words {
                places.insert(RegisterPlace(tag.plan.at.table, Int(tag.plan.at.address) + offset))
            }
        }
        for check in unit.identity {
            for offset in 0..<check.words { places.insert(RegisterPlace(check.at.table, Int(check.at.address) + offset)) }
        }
        existing = unit.isStrict ? places : nil
        // First, so that tags that lie there too show their signals.
        for check in unit.identity {
            let plan = ModbusTagPlan(
                tag: TagID(0), at: check.at, type: check.type, order: check.order, words: check.words,
                normalisation: NormalisationPlan())
            guard let value = check.expected.first, let image = plan.image(of: value, now: clock.wall()) else { continue }
            store(image, check.at.table, Int(check.at.address))
        }
        for (place, exponent) in exponents.registers {
            store(RegisterImage(registers: [UInt16(bitPattern: Int16(exponent))]), place.table, place.address)
        }
    }

    deinit { unsafe modbus_mapping_free(mapping) }

    /// Whether all of the places exist. Beyond the end of a table libmodbus says so itself.
    func exist(_ table: RegisterTable, _ first: Int, _ count: Int) -> Bool {
        guard let existing else { return true }
        return (first..<first + count).allSatisfy { existing.contains(RegisterPlace(table, $0)) }
    }

    /// Brings the tags that lie whole in a read request up to date; each counts one read.
    func update(_ table: RegisterTable, _ first: Int, _ count: Int) {
        let elapsed = clock.monotonic().duration(since: start)
        for index in order where unit.tags[index].plan.at.table == table {
            let tag = unit.tags[index]
            let address = Int(tag.plan.at.address)
            guard address >= first, address + tag.plan.words <= first + count else { continue }
            // Inside a block the address is a part of its neighbours.
            guard !tag.plan.isAlone || tag.plan.words == count else { continue }
            reads[index] += 1
            guard !isFixed(table, address..<address + tag.plan.words) else { continue }
            let value = tag.signal.value(at: elapsed, reads: reads[index])
            let exponent = exponents.exponent(of: tag.plan)
            guard let image = tag.plan.image(of: value, exponent: exponent, now: clock.wall()) else { continue }
            store(image, table, address)
        }
    }

    /// A client has written these: they are no longer the signals'.
    func noteWritten(_ table: RegisterTable, _ first: Int, _ count: Int) {
        for address in first..<first + count { written.insert(RegisterPlace(table, address)) }
        for tag in unit.tags where tag.plan.at.table == table && tag.readsBack != .same {
            let address = Int(tag.plan.at.address)
            guard address < first + count, first < address + tag.plan.words else { continue }
            for place in address..<address + tag.plan.words {
                if tag.readsBack == .no { written.remove(RegisterPlace(table, place)) }
            }
            guard tag.readsBack == .cleared, let image = tag.plan.image(of: .real(0), now: clock.wall()) else {
                continue
            }
            let zeros = [UInt16](repeating: 0, count: tag.plan.words)
            store(RegisterImage(registers: zeros, mask: image.mask), table, address)
        }
    }

    private func isFixed(_ table: RegisterTable, _ addresses: Range<Int>) -> Bool {
        if written.isEmpty && exponents.registers.isEmpty { return false }
        return addresses.contains {
            let place = RegisterPlace(table, $0)
            return written.contains(place) || exponents.registers[place] != nil
        }
    }

    private func store(_ image: RegisterImage, _ table: RegisterTable, _ address: Int) {
        for (index, register) in image.registers.enumerated() {
            let place = address + index
            switch table {
            case .coil: unsafe mapping.pointee.tab_bits[place] = register == 0 ? 0 : 1
            case .discreteInput: unsafe mapping.pointee.tab_input_bits[place] = register == 0 ? 0 : 1
            case .holdingRegister:
                let old = unsafe mapping.pointee.tab_registers[place]
                unsafe mapping.pointee.tab_registers[place] = old & ~image.mask | register & image.mask
            case .inputRegister:
                let old = unsafe mapping.pointee.tab_input_registers[place]
                unsafe mapping.pointee.tab_input_registers[place] = old & ~image.mask | register & image.mask
            }
        }
    }
}
