// `simulate:` of a channel: how lifelike `lineside simulate` plays it. The gateway itself never looks at it.

internal import GatewayModel
internal import ModbusDriver
internal import Simulation

/// What holds for all devices behind one simulated endpoint.
struct SimulatedHabits {
    private var isStrict = false
    private var isPaced = false
    private var turnaround = Duration.milliseconds(5)

    init() {}

    init(_ channel: MappingReader, endpoint: ModbusEndpoint?) {
        guard let reader = channel.mapping("simulate", "a simulated channel") else { return }
        isStrict = reader.value("strict", .flag, default: false)
        isPaced = reader.value("paced", .flag, default: false)
        turnaround = reader.value("turnaround", .duration(from: .zero, to: .seconds(1)), default: turnaround)
        reader.finish()
        if isPaced, let endpoint, !endpoint.isSerial {
            reader.problems.error(
                reader.place(of: "paced"), "'paced' gives a serial line its speed; TCP has none of its own")
            isPaced = false
        }
        if !isPaced, reader.has("turnaround") {
            reader.problems.error(
                reader.place(of: "turnaround"),
                "'turnaround' is how long a device of a paced line thinks; add 'paced: true'")
        }
    }

    func simulated(_ name: String, _ endpoint: ModbusEndpoint, _ units: [SimulatedUnit]) -> SimulatedChannel {
        let units = units.map { unit in
            var unit = unit
            unit.isStrict = isStrict
            return unit
        }
        return SimulatedChannel(name: name, endpoint: endpoint, units: units, isPaced: isPaced, turnaround: turnaround)
    }
}

extension ModbusEndpoint {
    fileprivate var isSerial: Bool { if case .serial = self { true } else { false } }
}
