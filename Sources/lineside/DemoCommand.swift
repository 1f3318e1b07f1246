// `lineside demo`: a broker, a simulated plant and the gateway on loopback, until ^C; nothing is left behind.

import ArgumentParser
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import Logging
import ServiceLifecycle
import Simulation
import UnixSignals

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Show it all on this machine: broker, simulated plant of three devices and five sensors, gateway.",
        discussion: "Needs mosquitto. Everything is on free loopback ports and in a temporary folder, and goes with ^C."
    )

    @Option(help: "The port of the page; another free one is taken when it is in use.")
    var port: UInt16 = 8080

    func run() async throws {
        ProcessLimits.capDescriptors()
        ProcessLimits.ignoreBrokenPipes()
        LoggingSystem.bootstrap { ConsoleLog(label: $0, level: .error, forJournal: false) }
        let logger = Logger(label: "lineside")
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let broker = try DemoBroker(folder: folder)
        defer { broker.stop() }

        let httpPort = LoopbackPort.isFree(port) ? port : try LoopbackPort.free()
        var environment = ProcessEnvironment.current
        environment["DEMO_MQTT_PORT"] = String(broker.port)
        environment["DEMO_HTTP_PORT"] = String(httpPort)
        environment["DEMO_STORE"] = "\(folder.path)/store"
        for number in 1...3 { environment["DEMO_MODBUS_PORT_\(number)"] = String(try LoopbackPort.free()) }
        for (name, bytes) in DemoFiles.all { try folder.write(bytes, to: name) }

        let loader = ConfigurationLoader(environment: environment, profileFolders: [])
        let siteFile = "\(folder.path)/site.yaml"
        let plan: GatewayPlan
        do throws(ConfigurationError) {
            plan = try loader.load(siteFile: siteFile).plan
        } catch {
            for problem in error.problems { Console.error("\(problem)") }
            throw ExitCode(78)
        }
        let plant = try SimulatedPlant(plan: plan.simulation)
        plant.start()
        defer { plant.stop() }

        let runtime = GatewayRuntime(plan: plan, version: Version.text, logger: logger)
        var services: [any Service] = runtime.services(
            load: { (previous) throws(ConfigurationError) in
                try loader.load(siteFile: siteFile, keepingIDsOf: previous).plan
            },
            notification: ServiceNotification(environment: [:]), logger: logger)
        services.append(DemoPrinter(runtime: runtime, httpPort: httpPort, brokerPort: broker.port))
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
        Console.out("\nstopped; nothing is left behind")
    }
}

/// Prints what happens, until shutdown: a line of live readings every two seconds, alarms as they come and go.
private struct DemoPrinter: Service {
    let runtime: GatewayRuntime
    let httpPort: UInt16
    let brokerPort: UInt16

    func run() async throws {
        let tags = runtime.plan.tags
        Console.out(
            """
            Lineside \(Version.text) demo: \(runtime.plan.channels.count) simulated Modbus TCP devices, \
            \(runtime.plan.simulation.sensors.count) MQTT sensors, \(tags.tags.count) tags

              Dashboard         http://127.0.0.1:\(httpPort)/
              What goes upstream   mosquitto_sub -h 127.0.0.1 -p \(brokerPort) -v -t 'lineside/#'

            ^C ends it.

            """)
        var seen: [String: AlarmTransition] = [:]
        var round = 0
        while !Task.isShuttingDownGracefully {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
            for transition in runtime.currentAlarms.reversed() where seen[transition.alarm] != transition {
                seen[transition.alarm] = transition
                let word = transition.state == .active ? "ALARM  " : "cleared"
                Console.out(
                    "\(clockTime(transition.timestamp))  \(word)  \(transition.priority.name): \(transition.message)")
            }
            round += 1
            if round % 2 == 0 { Console.out(line(of: tags)) }
        }
    }

    /// The first tag of each device, as one line.
    private func line(of tags: TagTable) -> String {
        var parts: [String] = []
        for device in tags.devices {
            guard let tag = tags.tags.first(where: { $0.device == device.id && $0.kind != .text }) else { continue }
            let name = device.path.split(separator: "/").suffix(2).joined(separator: "/")
            guard let last = runtime.lastValue(of: tag.id) else {
                parts.append("\(name) –")
                continue
            }
            parts.append(
                last.quality.isBad ? "\(name) \(last.quality.name)" : "\(name) \(short(last.value)) \(tag.unit)")
        }
        return "\(clockTime(SystemClock().wall()))  " + parts.joined(separator: "  ·  ")
    }

    private func short(_ value: Value) -> String {
        guard case .real(let number) = value, abs(number) < 1e12 else { return value.description }
        return Value.real((number * 100).rounded() / 100).description
    }

    private func clockTime(_ timestamp: Timestamp) -> String { String(timestamp.rfc3339.dropFirst(11).prefix(8)) }
}

/// The plant's files, as they stand in `DemoPlant/`.
private enum DemoFiles {
    static let all: [(name: String, bytes: [UInt8])] = [
        ("site.yaml", PackageResources.site_yaml),
        ("rules.yaml", PackageResources.rules_yaml),
        ("power-meter.profile.yaml", PackageResources.power_meter_profile_yaml),
        ("pump-drive.profile.yaml", PackageResources.pump_drive_profile_yaml),
        ("oven-controller.profile.yaml", PackageResources.oven_controller_profile_yaml),
    ]
}
