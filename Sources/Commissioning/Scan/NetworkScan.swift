// Many endpoints: TCP addresses side by side, the modes of one serial line one after the other.

internal import GatewayModel
package import GatewayPlatform
package import ModbusDriver
internal import Synchronization

/// Goes over endpoints and collects what each of them has.
package final class NetworkScan: Sendable {
    /// What happens meanwhile, for the progress line.
    package enum Event: Sendable {
        case asking(ModbusEndpoint, UInt8)
        case found(FoundUnit)
        case finished(EndpointReport, done: Int, of: Int)
    }

    /// Addresses asked at the same time; each of them sees one request at a time.
    package static let parallel = 16

    private let endpoints: [ModbusEndpoint]
    private let settings: ScanSettings
    private let stop: StopSignal
    private let progress: @Sendable (Event) -> Void
    private let state = Mutex((next: 0, reports: [EndpointReport]()))

    package init(
        _ endpoints: [ModbusEndpoint], settings: ScanSettings, stop: StopSignal,
        progress: @escaping @Sendable (Event) -> Void
    ) {
        self.endpoints = endpoints
        self.settings = settings
        self.stop = stop
        self.progress = progress
    }

    /// Blocks until all are done or `stop` is raised.
    /// - Returns: a report of each endpoint that was begun, in the order given.
    package func run() -> [EndpointReport] {
        let isShared = endpoints.contains { if case .serial = $0 { true } else { false } }
        // One serial line is one medium, in whatever mode.
        let count = isShared ? 1 : min(Self.parallel, endpoints.count)
        let threads = (0..<count).map { (number: Int) -> DedicatedThread in
            DedicatedThread(name: "scan-\(number)") { [self] in work(endsWithFirstFind: isShared) }
        }
        for thread in threads { thread.join() }
        return state.withLock { state in
            endpoints.compactMap { endpoint in state.reports.first { $0.endpoint == endpoint } }
        }
    }

    private func work(endsWithFirstFind: Bool) {
        while !stop.raised {
            let index = state.withLock { state -> Int? in
                guard state.next < endpoints.count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
            guard let index else { return }
            var scan = EndpointScan(endpoints[index], settings: settings, stop: stop)
            let report = scan.run { (unit, found) in
                progress(found.map { .found($0) } ?? .asking(endpoints[index], unit))
            }
            let done = state.withLock { state -> Int in
                state.reports.append(report)
                return state.reports.count
            }
            progress(.finished(report, done: done, of: endpoints.count))
            // All devices of a line speak in one mode: where one has answered, the others are.
            if endsWithFirstFind && !report.found.isEmpty { return }
        }
    }
}
