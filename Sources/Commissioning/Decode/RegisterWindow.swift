// Reads the registers around an address, as many of them as the device gives away.

package import ModbusDriver

/// Collects what the detective looks at.
package struct RegisterWindow {
    package private(set) var windows: [DecodeDetective.Window] = []
    /// What the device refused on the way, for people.
    package private(set) var refusals: [String] = []

    package init() {}

    /// Reads from one register before `address` to the end of a 64-bit value that begins one behind. A device that
    /// refuses the whole is asked for parts.
    /// - Throws: what made asking on pointless; exceptions 2 to 4 are none of it.
    package mutating func read(
        around address: RegisterAddress, _ ask: (UInt16, UInt16) throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) {
        let center = Int(address.address)
        let first = max(0, center - 1)
        if try attempt(first, min(65536, center + 5) - first, ask) { return }
        for start in [center, center + 1, center - 1] where (0...65535).contains(start) {
            for count in [4, 2, 1] where start + count <= 65536 {
                if try attempt(start, count, ask) { break }
            }
        }
    }

    private mutating func attempt(
        _ start: Int, _ count: Int, _ ask: (UInt16, UInt16) throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) -> Bool {
        do throws(ModbusError) {
            windows.append(.init(first: start, words: try ask(UInt16(start), UInt16(count))))
            return true
        } catch {
            guard case .exception(let code) = error, (2...4).contains(code) else { throw error }
            refusals.append("\(count) from \(start): \(error)")
            return false
        }
    }
}

extension RegisterWindow {
    /// Reads `count` registers or bits from `address` on, fewer where the device refuses so many.
    package mutating func read(
        at address: RegisterAddress, count: Int, _ ask: (UInt16, UInt16) throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) {
        var count = min(count, 65536 - Int(address.address))
        while count > 0, try !attempt(Int(address.address), count, ask) { count /= 2 }
    }
}
