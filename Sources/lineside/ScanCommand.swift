// `lineside scan`: what is out there on a network or a serial line.

import ArgumentParser
import Commissioning
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import ModbusDriver

internal import Synchronization

struct ScanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "Find Modbus devices on a network or a serial line, and print a site block to paste.",
        discussion: """
            Only reads, one request at a time at each endpoint, and at most 20 a second. A unit counts as found when it \
            answers anything with correct framing, an exception too. Each one is asked for its identification (function \
            43/14), for a SunSpec map, and for what the profiles expect in their 'identify:'.

              lineside scan --tcp 10.0.4.0/24
              lineside scan --tcp 10.0.4.20-40:502 --units 1-247
              lineside scan --serial /dev/ttyUSB0 --bauds 9600,19200 --parity even,none

            On a serial line the scan goes over all speeds and parities and stops at the first in which anything answers. \
            Run it while nobody else speaks on that line: stop the gateway first. Progress goes to standard error, the \
            result to standard output. ^C ends it with what was found so far.
            """)

    @Option(
        help: ArgumentHelp(
            "Addresses: 10.0.4.0/28, 10.0.4.20-40, 10.0.4.21:1502 or a host name. May be given several times.",
            valueName: "addresses"))
    var tcp: [String] = []

    @Option(
        help: ArgumentHelp("A serial port, best one under /dev/serial/by-id.", valueName: "port"), completion: .file())
    var serial: String?

    @Option(help: "Speeds of the serial line.")
    var bauds = "9600,19200"

    @Option(help: "Parities of the serial line: even, none, odd.")
    var parity = "even,none,odd"

    @Option(help: "Stop bits, 1 or 2. Left out: 1, and 2 without parity, as the standard says; either finds the other.")
    var stopBits: Int?

    @Option(help: "Unit ids, such as 1-247 or 1-10,255. Left out: 1-10 and 255 on TCP, 1-32 on a serial line.")
    var units: String?

    @Option(help: "The first question to each unit.")
    var probe = "hr 0"

    @Option(help: "Requests a second at each endpoint, at most.")
    var rate = 20.0

    @Option(help: "How long an answer may take, in milliseconds. Left out: 1000 on TCP, by the speed on a serial line.")
    var timeout: Int?

    @Option(
        name: .customLong("profiles"),
        help: "A folder of device profiles that may recognise what is found, beside the installed ones.",
        completion: .directory)
    var profiles: [String] = []

    func validate() throws {
        if tcp.isEmpty == (serial == nil) { throw ValidationError("give either --tcp or --serial") }
        if let stopBits, !(1...2).contains(stopBits) { throw ValidationError("--stop-bits is 1 or 2") }
        if !(rate > 0 && rate <= 1000) { throw ValidationError("--rate is above 0, at most 1000") }
        if let timeout, !(10...30_000).contains(timeout) { throw ValidationError("--timeout is 10 to 30000") }
    }

    func run() async throws {
        ProcessLimits.capDescriptors()
        ProcessLimits.ignoreBrokenPipes()
        let (endpoints, settings) = try plan()
        let isSerial = serial != nil
        Console.error(
            "scanning \(endpoints.count) \(isSerial ? "serial modes" : "addresses") × \(settings.units.count) unit ids, "
                + "at most \(Spelled.short(rate)) requests a second at each; ^C ends it")
        let progress = Mutex(ScanProgress(isSerial: isSerial))
        let reports = await BlockingWork.run("scan") { stop in
            NetworkScan(endpoints, settings: settings, stop: stop) { event in progress.withLock { $0.note(event) } }
                .run()
        }
        for line in ScanReport.lines(reports) { Console.out(line) }
        let requests = reports.reduce(0) { $0 + $1.requests }
        let found = reports.reduce(0) { $0 + $1.found.count }
        let interrupted = reports.contains { $0.ending == .interrupted } || reports.count < endpoints.count && !isSerial
        Console.error(
            "\(found) found at \(reports.count) of \(endpoints.count) endpoints with \(requests) requests"
                + (interrupted ? "; ended before the end" : ""))
        if found == 0 {
            for hint in ScanReport.hints(reports) { Console.error(hint) }
            throw ExitCode.failure
        }
    }

    private func plan() throws -> ([ModbusEndpoint], ScanSettings) {
        do {
            var endpoints: [ModbusEndpoint] = []
            for text in tcp {
                for endpoint in try ScanTargets.tcp(text) where tcp.count == 1 || !endpoints.contains(endpoint) {
                    endpoints.append(endpoint)
                }
            }
            guard endpoints.count <= ScanTargets.mostAddresses else {
                throw NotationError("\(endpoints.count) addresses; a scan takes at most \(ScanTargets.mostAddresses)")
            }
            if let serial {
                endpoints = try ScanTargets.serial(port: serial, bauds: bauds, parities: parity, stopBits: stopBits)
            }
            let usual = serial == nil ? ScanSettings.tcpUnits : ScanSettings.serialUnits
            var settings = ScanSettings(units: try units.map(ScanTargets.units) ?? usual)
            settings.probe = try AddressConvention.typed(probe)
            settings.requestsPerSecond = rate
            settings.timeout = timeout.map { .milliseconds($0) }
            settings.fingerprints = fingerprints()
            return (endpoints, settings)
        } catch let error as NotationError {
            throw ValidationError("\(error)")
        }
    }

    private func fingerprints() -> [ProfileFingerprint] {
        let folders = profiles + ["/usr/share/lineside/profiles"]
        return ProfileCatalogue(folders: folders, environment: ProcessEnvironment.current).profiles.compactMap { profile in
            ProfileFingerprint(profile: profile.name, checks: profile.identify)
        }
    }
}

/// What is said while a scan runs: every find, and now and then how far it is.
private struct ScanProgress {
    let isSerial: Bool
    private var lastSaid = MonotonicTime(nanoseconds: 0)

    init(isSerial: Bool) { self.isSerial = isSerial }

    mutating func note(_ event: NetworkScan.Event) {
        switch event {
        case .found(let unit): Console.error("found  \(unit.endpoint), unit \(unit.unit)  \(unit.title)")
        case .asking(let endpoint, let unit):
            if isSerial { say("asking \(endpoint), unit \(unit)") }
        case .finished(let report, let done, let count):
            if case .failed(let error) = report.ending, isSerial || count <= 4 {
                Console.error("\(report.endpoint): \(error)")
            } else {
                say("\(done) of \(count) done")
            }
        }
    }

    /// At most once a second: a scan may go into a log.
    private mutating func say(_ line: String) {
        let now = SystemClock().monotonic()
        guard now.duration(since: lastSaid) >= .seconds(1) else { return }
        lastSaid = now
        Console.error(line)
    }
}
