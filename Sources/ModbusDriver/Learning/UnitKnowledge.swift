// What a device has taught us about itself, worth keeping over a restart.

/// What one unit refuses and what it can bear, as far as it has shown.
package struct UnitKnowledge: Equatable, Sendable {
    /// Addresses that the device refused (exception 2 or 3) when they were asked for alone: a value each.
    package var refused: Set<ModbusUnitLimits.ForbiddenRange> = []
    /// Addresses between two values that must not be read along, though the values on both sides can be read.
    package var barriers: Set<ModbusUnitLimits.ForbiddenRange> = []
    /// Places that no request may go across, though the registers on both sides can be read.
    package var seams: Set<Seam> = []
    /// The longest request that the device takes, in registers; nil while nothing was too long.
    package var words: Int?
    /// The same for coils and discrete inputs, in bits.
    package var bits: Int?
    /// Who the device is, by the names of its profile's `identify:`.
    package var identity: [String: String] = [:]

    /// A place between two addresses.
    package struct Seam: Hashable, Sendable {
        package var table: RegisterTable
        /// The address after the seam.
        package var address: Int
        package init(table: RegisterTable, address: Int) {
            self.table = table
            self.address = address
        }
    }

    package init() {}

    package var isEmpty: Bool {
        refused.isEmpty && barriers.isEmpty && seams.isEmpty && words == nil && bits == nil && identity.isEmpty
    }

    func length(isBits: Bool) -> Int? { isBits ? bits : words }
}
