// SunSpec discovery over registers that lie in a dictionary.

import Commissioning
import ModbusDriver
import Testing

/// A device as its registers; what is not there is exception 2.
struct Registers {
    var words: [UInt16: UInt16] = [:]

    mutating func put(_ values: [UInt16], at address: UInt16) {
        for (index, value) in values.enumerated() { words[address + UInt16(index)] = value }
    }

    func read(_ address: UInt16, _ count: UInt16) throws(ModbusError) -> [UInt16] {
        var found: [UInt16] = []
        for offset in 0..<count {
            guard let word = words[address &+ offset] else { throw .exception(2) }
            found.append(word)
        }
        return found
    }

    /// Marker, common model, the models given, end.
    static func sunSpec(at base: UInt16, models: [(id: UInt16, length: UInt16)], ends: Bool = true) -> Registers {
        var registers = Registers()
        registers.put([0x5375, 0x6E53, 1, 66], at: base)
        registers.put(Array(repeating: 0, count: 66), at: base + 4)
        registers.put(RegisterEncoding.registers(of: "Acme Solar", words: 16, order: .abcd), at: base + 4)
        registers.put(RegisterEncoding.registers(of: "SUN-60K", words: 16, order: .abcd), at: base + 20)
        registers.put(RegisterEncoding.registers(of: "1.2.3", words: 8, order: .abcd), at: base + 44)
        registers.put(RegisterEncoding.registers(of: "SN0042", words: 16, order: .abcd), at: base + 52)
        var position = base + 70
        for (id, length) in models {
            registers.put([id, length] + Array(repeating: 0, count: Int(length)), at: position)
            position += 2 + length
        }
        if ends { registers.put([0xFFFF, 0], at: position) }
        return registers
    }
}

@Suite("SunSpec discovery")
struct SunSpecMapTests {
    @Test(
        "The chain of models and the name plate are found at each of the three bases",
        arguments: [40000, 50000, 0] as [UInt16])
    func chain(base: UInt16) throws {
        let device = Registers.sunSpec(at: base, models: [(103, 50), (160, 48)])
        let map = try #require(try SunSpecMap.discover(device.read))
        #expect(map.base == base)
        #expect(map.models.map(\.id) == [1, 103, 160])
        #expect(map.models.map(\.address) == [base + 2, base + 70, base + 122])
        #expect(
            [map.manufacturer, map.model, map.version, map.serial] == ["Acme Solar", "SUN-60K", "1.2.3", "SN0042"])
        #expect(map.isComplete)
    }

    @Test("A chain that breaks off is shown as far as it goes")
    func broken() throws {
        let map = try #require(
            try SunSpecMap.discover(Registers.sunSpec(at: 40000, models: [(103, 50)], ends: false).read))
        #expect(map.models.count == 2)
        #expect(!map.isComplete)
    }

    @Test("A chain without an end is not followed for ever")
    func endless() throws {
        var requests = 0
        let map = try SunSpecMap.discover { (address, count) throws(ModbusError) in
            requests += 1
            return address == 40000 ? [0x5375, 0x6E53] : Array(repeating: 0, count: Int(count))
        }
        #expect(map?.isComplete == false)
        #expect(requests < 80)
    }

    @Test("A device without the marker has no map, and silence is passed on")
    func absent() throws {
        #expect(try SunSpecMap.discover(Registers().read) == nil)
        #expect(throws: ModbusError.timeout) {
            try SunSpecMap.discover { (_, _) throws(ModbusError) in throw .timeout }
        }
    }
}
