// What was found as YAML to paste into a site, with everything that was seen as comments. Pure.

internal import ModbusDriver

package enum ScanReport {
    /// The lines for standard output.
    package static func lines(_ reports: [EndpointReport]) -> [String] {
        let found = reports.filter { !$0.found.isEmpty }
        guard !found.isEmpty else { return ["# nothing answered"] }
        var lines: [String] = []
        for report in found {
            for unit in report.found { lines += seen(unit) + [""] }
        }
        lines.append("# Paste into the site file; put each device where it stands (area/line/cell/device).")
        lines.append("channels:")
        for report in found { lines.append("  \(channelName(report.endpoint)): \(channel(report.endpoint))") }
        lines.append("devices:")
        var names: Set<String> = []
        for report in found {
            for unit in report.found {
                var name = unit.title.name(orElse: "device")
                if !names.insert(name).inserted {
                    name += "_\(names.count + 1)"
                    names.insert(name)
                }
                let profile = unit.profiles.first ?? "CHOOSE-A-PROFILE@1"
                lines.append(
                    "  area/line/cell/\(name): { profile: \(profile), channel: \(channelName(report.endpoint)), "
                        + "unit: \(unit.unit) }")
            }
        }
        return lines
    }

    /// What is known of one unit.
    static func seen(_ found: FoundUnit) -> [String] {
        let title = found.title.isEmpty ? "a device that doesn't say what it is" : found.title
        var lines = ["# \(found.endpoint), unit \(found.unit): \(title)"]
        lines.append("#   answered in \(Spelled.milliseconds(found.roundTrip)): \(found.answer)")
        if !found.alsoUnits.isEmpty {
            lines.append(
                "#   the same under unit ids \(found.alsoUnits.map(String.init).joined(separator: ", ")): "
                    + "it answers to any, take one")
        }
        for (object, text) in found.identification.sorted(by: { $0.key < $1.key }) {
            lines.append("#   \(objectName(object)): \(text.printable)")
        }
        if let map = found.sunSpec {
            lines.append(
                "#   SunSpec at hr \(map.base): \(map.manufacturer) \(map.model) \(map.version), serial \(map.serial)")
            for model in map.models {
                let name = SunSpecMap.name(of: model.id)
                lines.append(
                    "#     model \(model.id)\(name.isEmpty ? "" : " (\(name))") at hr \(model.address), "
                        + "length \(model.length)")
            }
            if !map.isComplete { lines.append("#     the chain of models does not end as it should") }
        }
        if found.profiles.isEmpty {
            lines.append("#   no profile recognises it; see 'lineside import' and 'lineside decode' for making one")
        } else {
            lines.append("#   recognised by \(found.profiles.joined(separator: ", "))")
        }
        return lines
    }

    private static func objectName(_ object: UInt8) -> String {
        switch object {
        case 0: "vendor"
        case 1: "product code"
        case 2: "revision"
        case 3: "vendor URL"
        case 4: "product name"
        case 5: "model name"
        case 6: "application"
        default: "object \(object)"
        }
    }

    static func channelName(_ endpoint: ModbusEndpoint) -> String {
        switch endpoint {
        case .tcp(let host, let port), .rtuOverTCP(let host, let port):
            "net-" + host.replacing(".", with: "-").replacing(":", with: "-").filter { $0 != "[" && $0 != "]" }
                + (port == 502 ? "" : "-\(port)")
        case .serial(let line): "line-" + String(line.port.split(separator: "/").last ?? "1").name(orElse: "1")
        }
    }

    static func channel(_ endpoint: ModbusEndpoint) -> String {
        switch endpoint {
        case .tcp(let host, let port): "{ tcp: { host: \(host.quoted), port: \(port) } }"
        case .rtuOverTCP(let host, let port): "{ tcp: { host: \(host.quoted), port: \(port), mode: rtu-over-tcp } }"
        case .serial(let line):
            "{ serial: { port: \(line.port.quoted), baud: \(line.baud), parity: \(line.parity.rawValue), "
                + "data: \(line.dataBits), stop: \(line.stopBits) } }"
        }
    }

    /// What to look at when nothing answered.
    package static func hints(_ reports: [EndpointReport]) -> [String] {
        var hints: [String] = []
        if reports.contains(where: { $0.garbled > 0 }) {
            hints.append(
                "something came back that is no Modbus frame: on a serial line check speed, parity and termination; on "
                    + "TCP it may be a serial server in raw mode (RTU over TCP)")
        }
        let silent = reports.filter { $0.ending == .complete }
        if !silent.isEmpty, let first = silent.first {
            hints.append(
                "\(first.endpoint)\(silent.count > 1 ? " and \(silent.count - 1) more" : "") can be reached, but no unit "
                    + "answers: check unit ids (--units 1-247), wiring (A and B swapped?) and --timeout")
        }
        return hints
    }
}
