// The dashboard's server: listens, answers, and stops when the gateway does.

internal import GatewayModel
internal import Glibc
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// Why nobody can look in.
package enum DashboardError: Error, Equatable, CustomStringConvertible {
    case cannotListen(host: String, port: Int, reason: String)

    package var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host), port \(port): \(reason)"
        }
    }
}

/// Serves the page, the API, the live events and the metrics over HTTP, until graceful shutdown.
///
/// Owned by the service group. It never changes anything in the gateway and never holds it up: a slow or hostile client
/// costs a connection, of which there are `Limits.httpConnections`.
package struct DashboardService: Service {
    /// A connection without a request; longer than a Prometheus' usual scrape interval of 15 to 60 s isn't needed.
    static let idleTimeout = TimeAmount.seconds(75)
    /// A client that doesn't read what it asked for.
    static let writePatience = TimeAmount.seconds(30)
    /// Bytes of one header and of all of them. Our own page sends less than 1 KB.
    static let headerBytes = (one: 8 << 10, all: 16 << 10)

    private let source: DashboardSource
    private let plan: DashboardPlan
    private let logger: Logger
    private let onListening: @Sendable (Int) -> Void

    /// - Parameter onListening: told the port, once, as soon as connections are accepted.
    package init(
        source: DashboardSource, plan: DashboardPlan, logger: Logger = Logger(label: "dashboard"),
        onListening: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        self.source = source
        self.plan = plan
        self.logger = logger
        self.onListening = onListening
    }

    /// - Throws: `DashboardError` when the address can't be listened on.
    package func run() async throws {
        let feed = LiveFeed(source: source)
        let hasListened = Atomic(false)
        var quiet = logger
        // Hummingbird tells about every connection; what an operator needs to know is said here.
        quiet.logLevel = max(logger.logLevel, .error)
        let responder = DashboardResponder(source: source, feed: feed, hosts: HostCheck(plan))
        // Not Hummingbird's `Application`: it spells the date once a second, asked or not, and the wake-ups for that were a
        // tenth of all that a gateway with one device needs (measured).
        let server = try HTTPServerBuilder.http1(
            configuration: HTTP1Channel.Configuration(
                additionalChannelHandlers: [StalledWriteHandler(patience: Self.writePatience)],
                idleTimeout: Self.idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.headerBytes.one, maxHeaderListSize: Self.headerBytes.all,
                    maxHeaderFieldCount: 64))
        ).buildServer(
            configuration: ServerConfiguration(
                address: .hostname(plan.host, port: plan.port),
                availableConnectionsDelegate: MaximumAvailableConnections(Limits.httpConnections, logger: quiet)),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet
        ) { [quiet, source] request, writer, channel in
            let context = DashboardContext(source: ApplicationRequestContextSource(channel: channel, logger: quiet))
            var response = await responder.respond(to: request, context: context)
            response.headers[.date] = HTTPDate.text(source.now())
            try await writer.write(response: response.head, body: response.body)
        } onServerRunning: { [logger, plan, onListening] channel in
            let port = channel.localAddress?.port ?? plan.port
            hasListened.store(true, ordering: .relaxed)
            logger.info("dashboard listens", metadata: ["host": "\(plan.host)", "port": "\(port)"])
            onListening(port)
        }
        do {
            try await ServiceGroup(configuration: .init(services: [feed, server], logger: quiet)).run()
        } catch  where !hasListened.load(ordering: .relaxed) {
            throw DashboardError.cannotListen(host: plan.host, port: plan.port, reason: Self.reason(error))
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: "another program listens there already"
        case EADDRNOTAVAIL: "this machine has no such address"
        case EACCES: "not allowed; ports below 1024 need CAP_NET_BIND_SERVICE"
        default: "\(error)"
        }
    }
}
