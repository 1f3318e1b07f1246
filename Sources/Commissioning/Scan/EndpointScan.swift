// Asks one endpoint's units, one request at a time and never faster than allowed. Reads only.

internal import GatewayModel
package import GatewayPlatform
package import ModbusDriver

/// The scan of one endpoint. One owner, one thread; blocks.
package struct EndpointScan {
    private let endpoint: ModbusEndpoint
    private let settings: ScanSettings
    private let stop: StopSignal
    private let clock = SystemClock()
    private var client: ModbusClient
    private var next = MonotonicTime(nanoseconds: 0)
    private var report: EndpointReport

    package init(_ endpoint: ModbusEndpoint, settings: ScanSettings, stop: StopSignal) {
        self.endpoint = endpoint
        self.settings = settings
        self.stop = stop
        client = ModbusClient(endpoint: endpoint)
        report = EndpointReport(endpoint: endpoint)
    }

    /// - Parameter progress: called before each unit is asked, and with each unit found.
    package mutating func run(progress: (_ unit: UInt8, _ found: FoundUnit?) -> Void) -> EndpointReport {
        defer { client.close() }
        do throws(ModbusError) {
            try client.open(timeout: settings.connectTimeout)
            for unit in settings.units where !stop.raised {
                progress(unit, nil)
                guard var found = try probe(unit) else { continue }
                // What answers the first question and then falls silent has been found all the same.
                do throws(ModbusError) { try identify(&found) } catch { note(error) }
                report.found.append(found)
                progress(unit, found)
            }
        } catch {
            report.ending = .failed(error)
        }
        if stop.raised { report.ending = .interrupted }
        if endpoint.framing == .tcp { report.found = Self.joined(report.found) }
        return report
    }

    /// The first question. Any answer with correct framing counts, an exception too, unless it is a gateway's word that
    /// the unit is not there.
    private mutating func probe(_ unit: UInt8) throws(ModbusError) -> FoundUnit? {
        for attempt in 0..<2 {
            do throws(ModbusError) {
                let words = try read(settings.probe.table, settings.probe.address, 1, unit)
                let answer = "\(settings.probe) = \(words.first ?? 0)"
                return FoundUnit(endpoint: endpoint, unit: unit, answer: answer, roundTrip: client.trace.roundTrip)
            } catch {
                note(error)
                switch error {
                case .exception where !error.meansSilence:
                    return FoundUnit(
                        endpoint: endpoint, unit: unit, answer: "\(error)", roundTrip: client.trace.roundTrip)
                case .exception, .timeout, .malformed, .otherDevice: return nil
                // Many devices close after each answer, or hold a slot for a while: once more.
                case .closed where attempt == 0: continue
                case .closed: return nil
                case .unreachable, .unknownHost, .outOfDescriptors: throw error
                }
            }
        }
        return nil
    }

    private mutating func identify(_ found: inout FoundUnit) throws(ModbusError) {
        let unit = found.unit
        found.identification = try identification(unit)
        found.sunSpec = try SunSpecMap.discover { (address, count) throws(ModbusError) in
            try read(.holdingRegister, address, count, unit)
        }
        found.profiles = try ProfileFingerprint.matching(settings.fingerprints) {
            (table, address, count) throws(ModbusError) in
            try read(table, address, count, unit)
        }
    }

    /// Function 43/14, paced. Many devices don't know it, and some say nothing at all to a function that they don't know.
    private mutating func identification(_ unit: UInt8) throws(ModbusError) -> [UInt8: String] {
        var objects: [UInt8: String] = [:]
        var object: UInt8 = 0
        // Three answers carry the seven regular objects with room to spare.
        for _ in 0..<8 {
            let pdu: [UInt8]
            do throws(ModbusError) {
                try pace()
                pdu = try client.perform(
                    .identify(category: 2, object: object), unit: unit,
                    timeout: settings.timeout(for: endpoint, answerBytes: 256))
            } catch {
                switch error {
                case .exception, .timeout, .malformed, .closed, .otherDevice:
                    note(error)
                    return objects
                case .unreachable, .unknownHost, .outOfDescriptors: throw error
                }
            }
            guard pdu.count >= 7 else { break }
            var position = 7
            for _ in 0..<pdu[6] where position + 2 <= pdu.count {
                let end = min(pdu.count, position + 2 + Int(pdu[position + 1]))
                let text = String(decoding: pdu[position + 2..<end], as: UTF8.self).printable
                if !text.isEmpty { objects[pdu[position]] = text }
                position = end
            }
            guard pdu[4] == 0xFF, pdu[5] > object else { break }
            object = pdu[5]
        }
        return objects
    }

    private mutating func read(
        _ table: RegisterTable, _ address: UInt16, _ count: UInt16, _ unit: UInt8
    ) throws(ModbusError) -> [UInt16] {
        try pace()
        return try client.read(
            table, address: address, count: count, unit: unit,
            timeout: settings.timeout(for: endpoint, answerBytes: 5 + 2 * Int(count)))
    }

    /// Waits for this request's turn. A stop ends what is under way as if the line had been closed.
    private mutating func pace() throws(ModbusError) {
        let now = clock.monotonic()
        let turn = max(now, next)
        if stop.raised || (turn > now && stop.wait(until: turn)) { throw .closed(code: 0) }
        let nanoseconds = 1e9 / max(settings.requestsPerSecond, 0.01)
        next = max(clock.monotonic(), turn).advanced(by: .nanoseconds(Int64(nanoseconds)))
        report.requests += 1
    }

    private mutating func note(_ error: ModbusError) {
        if case .malformed = error { report.garbled += 1 }
    }

    /// Many TCP devices answer whatever unit id they are asked with: what cannot be told apart is shown as one.
    static func joined(_ found: [FoundUnit]) -> [FoundUnit] {
        var joined: [FoundUnit] = []
        for unit in found {
            if let index = joined.firstIndex(where: { $0.isTwin(of: unit) }) {
                joined[index].alsoUnits.append(unit.unit)
            } else {
                joined.append(unit)
            }
        }
        // Two alike may well be two of one make; all alike are one.
        let isOne = joined.count == 1 && found.count >= 3
        return isOne ? joined : found
    }
}
