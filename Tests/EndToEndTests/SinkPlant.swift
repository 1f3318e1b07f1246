// A plant whose counters make every poll tell itself apart, and a gateway that is killed in the middle: for every kind of sink.

import Foundation
import TestSupport
import Testing

/// Records by their number: what arrived, and whether what came twice was the same.
struct NumberedRecords {
    private(set) var content: [Int: String] = [:]
    private(set) var duplicates = 0
    private(set) var conflicts: [String] = []
    var gaps: [ClosedRange<Int>] = []

    mutating func take(_ number: Int, _ text: String) {
        if let known = content[number] {
            duplicates += 1
            if known != text { conflicts.append("\(number): '\(known)' and '\(text)'") }
        }
        content[number] = text
    }

    /// Numbers between the first and the last that neither came nor are told as gaps.
    var missing: [ClosedRange<Int>] {
        guard let last = content.keys.max() else { return [] }
        var (missing, expected) = ([ClosedRange<Int>](), content.keys.min() ?? 0)
        let accounted = content.keys.map { $0...$0 } + gaps
        for range in accounted.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound <= last {
            if range.lowerBound > expected { missing.append(expected...range.lowerBound - 1) }
            expected = max(expected, range.upperBound + 1)
        }
        return missing
    }
}

/// The plant of one test: a device with ten counters and a set point, one sink, and the processes around it.
final class SinkPlant {
    static let tags = 10
    static let device = "packing/line-1/counter"
    /// A commit window (200 ms), what is written every 200 ms, and the poll under way, at 50 ms.
    private static let mostLost = 10

    let plant: Plant
    private let devicePort = freePort()
    private var simulation: Child?
    private(set) var gateway: Child?

    init() throws { plant = try Plant() }

    /// - Parameter sink: the lines of the sink's mapping, as a user would write them.
    func configure(sink: String, rest: String = "") throws {
        let profile = countingProfile(tags: Self.tags, period: "50ms").replacing(
            "simulate:",
            with: """
                  set: { at: "hr 100", type: u16, unit: "1", group: fast, writable: { range: [0, 100] } }
                simulate:
                  set: { constant: 7 }
                """)
        try plant.write(profile, to: "profiles/counter.yaml")
        try plant.write(
            """
            kind: Site
            id: acme/lyon
            channels: { net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } } }
            devices: { \(Self.device): { profile: test-counter@1, channel: net-1, unit: 1 } }
            sinks:
              plant:
                \(sink.split(separator: "\n").joined(separator: "\n    "))
            store: { directory: \(plant.folder.path())/store, disk: 64MiB, keep_free: 0MiB, commit: 200ms }
            http: { listen: "127.0.0.1:\(plant.httpPort)" }
            \(rest)
            """, to: "site.yaml")
    }

    /// Values arrive, kill -9, values arrive, an orderly end, and the sink has sent everything.
    /// - Parameter heard: how many readings have arrived so far.
    func surviveKill(heard: () async throws -> Int) async throws {
        simulation = try await plant.startSimulation(ports: [devicePort])
        for ending in [SIGKILL, SIGTERM] {
            let gateway = try await plant.startGateway()
            self.gateway = gateway
            let before = try await heard()
            let isHeard = try await eventuallyAsync(within: 60) { try await heard() >= before + 300 }
            #expect(isHeard, "\(gateway.output.suffix(2000))")
            gateway.kill(ending)
            #expect(await gateway.exitCode(within: 20) == (ending == SIGKILL ? -SIGKILL : 0), "\(gateway.output)")
        }
    }

    /// Starts the gateway once more and leaves it running.
    func startAgain() async throws { gateway = try await plant.startGateway() }

    /// Each counter's values in the order of their times: every poll is there, but for what one kill -9 may take.
    func expectWhole(_ counters: [[Int]]) {
        #expect(counters.count == Self.tags)
        for values in counters {
            #expect(values.count > 30)
            let lost = zip(values, values.dropFirst()).map { $1 - $0 - 1 }.filter { $0 != 0 }
            #expect(lost.count <= 1 && lost.allSatisfy { $0 > 0 && $0 <= Self.mostLost }, "lost polls \(lost)")
        }
    }
}
