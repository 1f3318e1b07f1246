// `lineside run`: the daemon.

import ArgumentParser
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import Logging
import ServiceLifecycle
import UnixSignals

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the gateway until SIGTERM or ^C; SIGHUP reads the configuration again.")

    @OptionGroup var site: SiteOptions

    @Option(help: "Log level: trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("'\(logLevel)' is not a log level")
        }
    }

    func run() async throws {
        ProcessLimits.returnMemory()
        ProcessLimits.limitArenas()
        ProcessLimits.capDescriptors()
        ProcessLimits.ignoreBrokenPipes()
        let level = Logger.Level(rawValue: logLevel) ?? .info
        let forJournal = ProcessEnvironment.current["JOURNAL_STREAM"] != nil
        LoggingSystem.bootstrap { ConsoleLog(label: $0, level: level, forJournal: forJournal) }
        let logger = Logger(label: "lineside")

        let loaded = try site.load()
        ProcessLimits.returnMemory()
        let runtime = GatewayRuntime(plan: loaded.plan, version: Version.text, logger: logger)
        logger.notice(
            "lineside \(Version.text) starts",
            metadata: ["site": "\(loaded.plan.tags.site)", "tags": "\(loaded.plan.tags.tags.count)"])
        let (loader, file) = (site.loader, site.config)
        let services = runtime.services(
            load: { (previous) throws(ConfigurationError) in
                try loader.load(siteFile: file, keepingIDsOf: previous).plan
            },
            notification: ServiceNotification(environment: ProcessEnvironment.current), logger: logger)
        ProcessLimits.returnMemory()
        // A service that ends by itself has failed: the whole process ends, and the service manager starts it anew.
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}
