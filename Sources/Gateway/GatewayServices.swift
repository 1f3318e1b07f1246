// The services of one gateway process: the runtime, the page, the watchdog, the reload on SIGHUP.

internal import Dashboard
package import GatewayConfiguration
package import GatewayModel
package import GatewayPlatform
package import Logging
package import ServiceLifecycle
internal import UnixSignals

/// Keeps the runtime going between start and graceful shutdown, away from the cooperative pool.
struct RuntimeService: Service {
    let runtime: GatewayRuntime

    func run() async throws {
        await performBlocking("start") { runtime.start() }
        try? await gracefulShutdown()
        await performBlocking("stop") { runtime.stop() }
    }
}

/// Keeps the page up. A port that is taken must not stop the reading of machines: it is said and tried again.
struct DashboardKeeper: Service {
    let dashboard: DashboardService
    let logger: Logger

    func run() async throws {
        while !Task.isShuttingDownGracefully {
            do {
                try await dashboard.run()
            } catch {
                logger.error("the page is not to be had: \(error)")
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(10)) }
        }
    }
}

/// SIGHUP: reads the files again and changes to the new configuration, whole or not at all.
struct ReloadService: Service {
    let runtime: GatewayRuntime
    let load: @Sendable (_ previous: TagTable) throws(ConfigurationError) -> GatewayPlan
    let notification: ServiceNotification
    let logger: Logger

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        for await _ in signals.cancelOnGracefulShutdown() {
            notification.reloading()
            await performBlocking("reload") { reload() }
            notification.ready()
        }
    }

    private func reload() {
        defer { ProcessLimits.returnMemory() }
        do throws(ConfigurationError) {
            runtime.reload(try load(runtime.plan.tags))
        } catch {
            for problem in error.problems { logger.error("\(problem)") }
            logger.error("the configuration has errors; the old one stays")
            runtime.reloadFailed()
        }
    }
}

/// Topics that fit an opening get devices a moment after they were seen: those that begin together come in together.
struct DiscoveryService: Service {
    let runtime: GatewayRuntime

    func run() async throws {
        for await _ in runtime.discovered.cancelOnGracefulShutdown() {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
            await performBlocking("discover") { runtime.adoptDiscoveries() }
        }
    }
}

extension GatewayRuntime {
    /// Everything that runs in the daemon.
    ///
    /// - Parameter load: reads the configuration again, keeping the ids of the given table.
    package func services(
        load: @escaping @Sendable (_ previous: TagTable) throws(ConfigurationError) -> GatewayPlan,
        notification: ServiceNotification, logger: Logger
    ) -> [any Service] {
        var services: [any Service] = [RuntimeService(runtime: self)]
        if let http = plan.http { services.append(dashboard(http, logger: logger)) }
        services.append(ReloadService(runtime: self, load: load, notification: notification, logger: logger))
        services.append(DiscoveryService(runtime: self))
        services.append(WatchdogService(runtime: self, notification: notification, logger: logger))
        return services
    }
}
