// SunSpec discovery: the marker, the chain of models, and what the common model tells of the device.

package import ModbusDriver

/// What a SunSpec device says of itself (SunSpec Device Information Model Specification 1.1, 6.1 to 6.3).
package struct SunSpecMap: Equatable, Sendable {
    package struct Model: Equatable, Sendable {
        package var id: UInt16
        /// Of the model's id register; its points begin two behind.
        package var address: UInt16
        package var length: UInt16
    }
    /// Where the marker `SunS` stands.
    package var base: UInt16
    package var models: [Model] = []
    package var manufacturer = ""
    package var model = ""
    package var version = ""
    package var serial = ""
    /// True when the chain ended as it should, with model 0xFFFF.
    package var isComplete = false

    /// The three places that the specification allows, the usual one first.
    static let bases: [UInt16] = [40000, 50000, 0]
    /// A device has a dozen. A chain that does not end must not hold us.
    static let mostModels = 64

    /// Looks for the map with reads of holding registers that `read` performs.
    /// - Returns: nil when no marker is found.
    package static func discover(
        _ read: (_ address: UInt16, _ count: UInt16) throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) -> SunSpecMap? {
        for base in bases {
            let marker = try unlessRefused { () throws(ModbusError) in try read(base, 2) }
            guard marker == [0x5375, 0x6E53] else { continue }
            var map = SunSpecMap(base: base)
            try map.follow(read)
            return map
        }
        return nil
    }

    private mutating func follow(
        _ read: (_ address: UInt16, _ count: UInt16) throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) {
        var position = Int(base) + 2
        while models.count < Self.mostModels, position + 2 <= 65536 {
            let start = UInt16(position)
            guard let header = try Self.unlessRefused({ () throws(ModbusError) in try read(start, 2) }) else { return }
            guard header[0] != 0xFFFF else {
                isComplete = true
                return
            }
            models.append(Model(id: header[0], address: start, length: header[1]))
            if header[0] == 1, header[1] >= 64, position + 66 <= 65536,
                let words = try Self.unlessRefused({ () throws(ModbusError) in try read(start + 2, 64) })
            {
                func text(_ from: Int, _ count: Int) -> String {
                    (RegisterValue.text(Array(words[from..<from + count]), type: .string, order: .abcd) ?? "").printable
                }
                (manufacturer, model) = (text(0, 16), text(16, 16))
                (version, serial) = (text(40, 8), text(48, 16))
            }
            position += 2 + Int(header[1])
        }
    }

    /// Nil for an exception: a device that has no such register says so.
    private static func unlessRefused(
        _ read: () throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) -> [UInt16]? {
        do throws(ModbusError) {
            return try read()
        } catch {
            guard case .exception = error else { throw error }
            return nil
        }
    }

    /// The models that one meets; the rest are numbers.
    package static func name(of model: UInt16) -> String {
        switch model {
        case 1: "common"
        case 101: "inverter, single phase"
        case 102: "inverter, split phase"
        case 103: "inverter, three phase"
        case 111...113: "inverter, floating point"
        case 120: "nameplate"
        case 121: "basic settings"
        case 122: "status"
        case 123: "immediate controls"
        case 124: "storage"
        case 160: "MPPT"
        case 201...204: "meter"
        case 211...214: "meter, floating point"
        case 701: "AC measurements"
        case 702: "capacity"
        case 713: "storage capacity"
        case 714: "DC measurements"
        case 802...804: "battery"
        case 64000...: "vendor's own"
        default: ""
        }
    }
}
