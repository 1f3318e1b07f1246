// What a channel reads, line by line: for fault tools with an oracle of their own.

internal import GatewayModel
internal import Glibc
internal import ModbusDriver

/// `HOST:PORT`, or the path of a serial device, or `rtu:HOST:PORT`.
private func endpoint(_ text: String) -> ModbusEndpoint {
    if text.hasPrefix("/") { return .serial(SerialLine(port: text, baud: 115_200, parity: .none, stopBits: 1)) }
    let parts = text.split(separator: ":").map(String.init)
    let port = UInt16(parts.last ?? "") ?? 502
    let host = parts.count > 1 ? parts[parts.count - 2] : "127.0.0.1"
    return text.hasPrefix("rtu:") ? .rtuOverTCP(host: host, port: port) : .tcp(host: host, port: port)
}

/// Prints `nanoseconds address kind value quality` for every reading of registers 0 to 9 of unit 1.
func watch(_ text: String, seconds: Int, periodMilliseconds: Int) {
    let plan = BenchPlan.channel(
        endpoint(text), addresses: Array(0..<10), period: .milliseconds(periodMilliseconds),
        timeout: .milliseconds(400))
    let channel = ModbusChannel(plan: plan, logger: BenchPlan.quiet) { batches in
        while let batch = batches.popLast() {
            for reading in batch.readings {
                let value = reading.number.map { "\(Int(($0 * 10).rounded()))" } ?? "-"
                print(reading.timestamp.nanoseconds, reading.tag.index, value, reading.quality.name)
            }
        }
        return true
    }
    channel.start()
    rest(seconds: Double(seconds))
    channel.requestStop()
    channel.join()
    let unit = channel.statistics.units[0]
    print(
        "# requests \(unit.requests) timeouts \(unit.timeouts) exceptions \(unit.exceptions) malformed \(unit.malformed)"
            + " closed \(unit.closed) connect failures \(unit.connectFailures) late \(channel.statistics.exchange.lateAnswers)"
            + " foreign bytes \(channel.statistics.exchange.foreignBytes) connections \(channel.statistics.connections)"
    )
}
