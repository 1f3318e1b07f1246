// `tcp:` and `serial:` of a channel: where it leads.

internal import Glibc
internal import ModbusDriver

/// Reads the endpoint of one channel.
struct EndpointSection {
    let problems: Problems

    /// Nil, and reported, when there is none that could be used.
    func read(_ reader: MappingReader) -> ModbusEndpoint? {
        let tcp = reader.mapping("tcp", "a TCP endpoint").flatMap(tcp)
        let serial = reader.mapping("serial", "a serial line").flatMap(serial)
        if reader.has("tcp") && reader.has("serial") {
            problems.error(reader.place, "a channel has either 'tcp' or 'serial'")
            return nil
        }
        if !reader.has("tcp") && !reader.has("serial") {
            problems.error(
                reader.place, "a channel needs 'tcp': {host: 10.0.4.21, port: 502}, or 'serial': {port: /dev/ttyUSB0}")
        }
        return tcp ?? serial
    }

    private enum Mode: String, CaseIterable {
        case tcp
        case rtuOverTCP = "rtu-over-tcp"
    }

    private func tcp(_ reader: MappingReader) -> ModbusEndpoint? {
        let host = reader.required("host", .host)
        let port = reader.value("port", .integer(1...65535), default: 502)
        let mode = reader.value("mode", Notation<Mode>.word, default: .tcp)
        reader.finish()
        guard let host, let port = UInt16(exactly: port) else { return nil }
        return mode == .tcp ? .tcp(host: host, port: port) : .rtuOverTCP(host: host, port: port)
    }

    /// Rates that devices and converters have.
    private static let usualRates = [
        300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 76800, 115_200, 128_000, 187_500, 230_400,
        250_000, 256_000, 460_800, 500_000, 921_600, 1_000_000,
    ]

    private func serial(_ reader: MappingReader) -> ModbusEndpoint? {
        let port = reader.required(
            "port",
            .matching("the path of a serial port such as /dev/ttyUSB0 or /dev/serial/by-id/…") { text in
                text.hasPrefix("/") && text.utf8.count <= 512 && !text.hasSuffix("/")
            })
        let baud = reader.value("baud", .integer(300...1_000_000), default: 19200)
        if !Self.usualRates.contains(baud) {
            problems.warning(reader.place(of: "baud"), "\(baud) baud is unusual; check that it isn't a slip")
        }
        let parity = reader.value("parity", Notation<SerialLine.Parity>.word, default: .even)
        if let data = reader.value("data", .integer(7...8)), data != 8 {
            problems.error(reader.place(of: "data"), "Modbus RTU has 8 data bits; with 7 a line speaks Modbus ASCII")
        }
        let stop = reader.value("stop", .integer(1...2))
        reader.finish()
        return port.map { .serial(SerialLine(port: $0, baud: baud, parity: parity, stopBits: stop)) }
    }
}

extension ModbusEndpoint {
    /// The device file behind the names that udev gives it, where it is plugged in: `/dev/serial/by-id/…` and
    /// `/dev/ttyUSB0` are one port. What is not there yet is refused when it is opened twice.
    private static func device(of port: String) -> String {
        guard let path = unsafe realpath(port, nil) else { return port }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    /// What only one channel can hold: `10.0.0.1:502` or `/dev/ttyUSB0`.
    var medium: String {
        switch self {
        case .tcp(let host, let port), .rtuOverTCP(let host, let port):
            host.contains(":") ? "[\(host.lowercased())]:\(port)" : "\(host.lowercased()):\(port)"
        case .serial(let line): Self.device(of: line.port)
        }
    }
}
