// One round over all scan classes of one device, with every byte shown: the real planner, exchange and normaliser.

internal import Acquisition
package import GatewayModel
package import GatewayPlatform
package import ModbusDriver

/// Reads a device once, for a person. Blocks.
package struct PollRound {
    package struct Summary: Equatable, Sendable {
        package var requests = 0
        package var failed = 0
        /// Tags with a value, whatever its quality.
        package var values = 0
        package var tags = 0
    }

    private let unit: ModbusUnitPlan
    private let endpoint: ModbusEndpoint
    private let knowledge: UnitKnowledge
    private let table: TagTable
    private let clock = SystemClock()
    private var client: ModbusClient
    private var summary = Summary()

    /// - Parameter knowledge: what the device has taught the gateway.
    package init(
        channel: ModbusChannelPlan, unit: ModbusUnitPlan, tags table: TagTable,
        knowledge: UnitKnowledge = UnitKnowledge()
    ) {
        self.knowledge = knowledge
        self.unit = unit
        self.table = table
        endpoint = channel.endpoint
        client = ModbusClient(endpoint: channel.endpoint)
    }

    /// - Parameter line: takes each line of the report as it comes.
    package mutating func run(stop: StopSignal, line: (String) -> Void) -> Summary {
        line("\(unit.name): \(endpoint), unit \(unit.unitID)")
        defer { client.close() }
        for scan in unit.scans where !stop.raised {
            let plan = ReadPlan(
                tags: scan.tags, limits: unit.limits, cost: endpoint.cost(for: unit.limits), knowledge: knowledge)
            if !plan.refused.isEmpty {
                let names = plan.refused.flatMap { $0.fields.map { table[plan.fields[$0].tag].name } }
                line("")
                line("\(scan.name): left out, the device has refused them: \(names.joined(separator: ", "))")
            }
            for (index, request) in plan.requests.enumerated() where !stop.raised {
                let rhythm = scan.isOnConnect ? "on connect" : scan.isContinuous ? "continuously" : "every \(Self.spelled(scan.period))"
                line("")
                line("\(scan.name) (\(rhythm)), request \(index + 1) of \(plan.requests.count): \(Self.words(request))")
                let error = perform(request, plan, scan, line)
                // One bad address spoils the block: the values alone say which it is.
                if case .exception(2)? = error, request.fields.count > 1 { alone(request, plan, scan, stop, line) }
                if case .exception(3)? = error, request.fields.count > 1 { alone(request, plan, scan, stop, line) }
                // Without a connection the next request has nothing new to say.
                switch error {
                case .unreachable, .unknownHost, .outOfDescriptors: return finished()
                default: break
                }
            }
        }
        return finished()
    }

    private mutating func finished() -> Summary {
        summary.tags = unit.scans.reduce(0) { $0 + $1.tags.count }
        return summary
    }

    private mutating func alone(
        _ request: ReadRequest, _ plan: ReadPlan, _ scan: ModbusScanPlan, _ stop: StopSignal, _ line: (String) -> Void
    ) {
        line("  the block is refused; each value alone:")
        for index in request.fields where !stop.raised {
            let addresses = scan.tags[Int(plan.fields[index].position)].addresses
            let single = ReadRequest(
                table: request.table, address: UInt16(addresses.lowerBound), count: UInt16(addresses.count),
                fields: index..<index + 1)
            line("  \(Self.words(single))")
            _ = perform(single, plan, scan, line)
        }
    }

    private mutating func perform(
        _ request: ReadRequest, _ plan: ReadPlan, _ scan: ModbusScanPlan, _ line: (String) -> Void
    ) -> ModbusError? {
        if unit.limits.pause > .zero, summary.requests > 0 {
            let end = clock.monotonic().advanced(by: unit.limits.pause)
            _ = StopSignal().wait(until: end)
        }
        summary.requests += 1
        do throws(ModbusError) {
            try client.open(timeout: max(unit.timeout, .seconds(1)))
        } catch {
            summary.failed += 1
            line("  \(error)")
            return error
        }
        let outcome = Result { () throws(ModbusError) in
            try client.perform(request.operation, unit: unit.unitID, timeout: unit.timeout)
        }
        line("  sent      \(Spelled.hexadecimal(client.trace.sent))")
        let received = client.trace.received
        line("  received  \(received.isEmpty ? "nothing" : Spelled.hexadecimal(received))")
        switch outcome {
        case .failure(let error):
            summary.failed += 1
            line("  \(Spelled.milliseconds(client.trace.roundTrip)): \(error)")
            line("  → \(error.quality.name): " + names(request, plan))
            return error
        case .success(let pdu):
            line("  in \(Spelled.milliseconds(client.trace.roundTrip))")
            let data = Array(pdu.dropFirst(2))
            let rows = request.fields.map { row(plan.fields[$0], scan, request, data) }
            for text in Spelled.columns(rows, indent: "    ") { line(text) }
            return nil
        }
    }

    /// name, address, words, type and order, raw value, value with unit, quality.
    private mutating func row(
        _ field: ReadField, _ scan: ModbusScanPlan, _ request: ReadRequest, _ data: [UInt8]
    ) -> [String] {
        let tag = scan.tags[Int(field.position)]
        let descriptor = table[tag.tag]
        let base = Int(request.address)
        var batch = ReadingBatch(device: unit.device)
        var normaliser = Normaliser(tag.normalisation)
        let now = clock.wall()
        let raw: String
        if field.type.isText {
            if let text = unsafe field.text(in: data.span.bytes, from: base) {
                raw = "\"\(String(decoding: text, as: UTF8.self).printable)\""
                normaliser.text(text[...], tag: tag.tag, at: now, into: &batch)
            } else {
                raw = "-"
                batch.readings += [normaliser.unreadable(.badDecodingError, tag: tag.tag, at: now)].compactMap { $0 }
            }
        } else {
            (raw, batch.readings) = number(field, &normaliser, request, data, now)
        }
        let reading = batch.readings.first
        let value = reading.map { batch.value(of: $0) } ?? .none
        if value != .none { summary.values += 1 }
        let unitText = value == .none || descriptor.unit == "1" || descriptor.unit.isEmpty ? "" : " \(descriptor.unit)"
        let state = descriptor.stateName(of: value).map { " \($0.printable)" } ?? ""
        let order = tag.words > 1 && !tag.type.isText ? " \(tag.order.rawValue)" : ""
        let exponent = tag.exponent.map { " × 10^\($0.isNegated ? "-" : "")hr\($0.address)" } ?? ""
        return [
            descriptor.name, "\(tag.at)", Self.words(of: tag, in: data, base: base),
            "\(tag.type.rawValue)\(order)\(exponent)", "raw \(raw)", "\(Self.spelled(value))\(unitText)\(state)",
            reading?.quality.name ?? "-",
        ]
    }

    private func number(
        _ field: ReadField, _ normaliser: inout Normaliser, _ request: ReadRequest, _ data: [UInt8], _ now: Timestamp
    ) -> (String, [Reading]) {
        let base = Int(request.address)
        guard let raw = unsafe field.number(in: data.span.bytes, from: base, bits: request.table.isBits) else {
            return ("-", [normaliser.unreadable(.badDecodingError, tag: field.tag, at: now)].compactMap { $0 })
        }
        guard field.exponentAddress >= 0 else {
            return (raw.spelled, [normaliser.reading(raw, tag: field.tag, at: now)].compactMap { $0 })
        }
        guard let exponent = unsafe field.exponent(in: data.span.bytes, from: base) else {
            return (raw.spelled, [normaliser.unreadable(.badSensorFailure, tag: field.tag, at: now)].compactMap { $0 })
        }
        let reading = normaliser.reading(raw, exponent: exponent, tag: field.tag, at: now)
        return ("\(raw.spelled) × 10^\(exponent)", [reading].compactMap { $0 })
    }

    private func names(_ request: ReadRequest, _ plan: ReadPlan) -> String {
        let names = request.fields.map { table[plan.fields[$0].tag].name }
        let shown = names.prefix(8).joined(separator: ", ")
        return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
    }

    private static func words(_ request: ReadRequest) -> String {
        "read \(request.table.noun(Int(request.count))) from "
            + RegisterAddress(request.table, request.address).notations
    }

    private static func words(of tag: ModbusTagPlan, in data: [UInt8], base: Int) -> String {
        let place = Int(tag.at.address) - base
        if tag.at.table.isBits { return String(data[place / 8] >> UInt8(place % 8) & 1) }
        let count = min(tag.words, 4)
        let words = (place..<place + count).map { (index: Int) -> String in
            Spelled.hexadecimal(UInt16(data[2 * index]) << 8 | UInt16(data[2 * index + 1]))
        }
        return words.joined(separator: " ") + (tag.words > count ? " …" : "")
    }

    private static func spelled(_ value: Value) -> String {
        switch value {
        case .real(let number): Spelled.short(number)
        case .text(let text): "\"\(text.printable)\""
        case .none: "no value"
        case .boolean, .integer: "\(value)"
        }
    }

    private static func spelled(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}
