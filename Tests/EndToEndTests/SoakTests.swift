// A full load for as long as one likes: no overrun, no lost reading, flat memory. Short in CI; `scripts/soak` runs it long.

import Foundation
import Synchronization
import Testing

private let environment = ProcessInfo.processInfo.environment

/// Accounts for readings while they arrive, in memory that does not grow: every tag's value is the number of its poll.
private final class RunningAccount: Sendable {
    struct State {
        var readings = 0
        var nextSequence: UInt64?
        var jumps: [String] = []
        var bad = 0
        /// By a hash of device and tag: first and last value, and how many came.
        var tags: [UInt64: (first: UInt64, last: UInt64, count: UInt64)] = [:]
    }
    let state = Mutex(State())

    /// One line of the subscriber: `topic payload`.
    func take(_ line: ArraySlice<UInt8>) {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")) else { return }
        let payload = line[(space + 1)...]
        guard let sequence = Self.number(after: "\"seq\":", in: payload) else { return }
        state.withLock { state in
            if let expected = state.nextSequence, expected != sequence, state.jumps.count < 20 {
                state.jumps.append("\(expected) expected, \(sequence) came")
            }
            let count = Self.number(after: "\"count\":", in: payload) ?? 1
            state.nextSequence = sequence + count
            takeReadings(payload, topic: line[..<space], &state)
        }
    }

    private func takeReadings(_ payload: ArraySlice<UInt8>, topic: ArraySlice<UInt8>, _ state: inout State) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func mix(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in topic { mix(byte) }
        let device = hash
        var index = payload.startIndex
        let name = Array("\"n\":\"".utf8)
        while let start = Self.find(name, in: payload, from: index) {
            hash = device
            index = start
            while index < payload.endIndex, payload[index] != UInt8(ascii: "\"") {
                mix(payload[index])
                index += 1
            }
            state.readings += 1
            guard let value = Self.number(after: "\"v\":", in: payload[index...].prefix(64)) else {
                state.bad += 1
                continue
            }
            if let known = state.tags[hash] {
                state.tags[hash] = (known.first, value, known.count + 1)
            } else {
                state.tags[hash] = (value, value, 1)
            }
        }
    }

    private static func find(_ pattern: [UInt8], in bytes: ArraySlice<UInt8>, from: Int) -> Int? {
        var index = from
        while index + pattern.count <= bytes.endIndex {
            if bytes[index] == pattern[0], bytes[index + 2] == pattern[2],
                bytes[index..<index + pattern.count].elementsEqual(pattern)
            {
                return index + pattern.count
            }
            index += 1
        }
        return nil
    }

    private static func number(after key: String, in bytes: ArraySlice<UInt8>) -> UInt64? {
        guard var index = find(Array(key.utf8), in: bytes, from: bytes.startIndex) else { return nil }
        var value: UInt64?
        while index < bytes.endIndex, case let digit = bytes[index] &- 48, digit < 10 {
            value = (value ?? 0) * 10 + UInt64(digit)
            index += 1
        }
        return value
    }
}

/// mosquitto_sub with its output read on a thread as it comes.
private final class RunningSubscriber: Sendable {
    let account = RunningAccount()
    private let process: Mutex<Process>

    init(port: Int) throws {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/mosquitto_sub")
        process.arguments = ["-h", "127.0.0.1", "-p", String(port), "-q", "1", "-t", "lineside/#", "-F", "%t %p"]
        process.standardOutput = pipe
        try process.run()
        self.process = Mutex(process)
        let descriptor = dup(pipe.fileHandleForReading.fileDescriptor)
        Thread.detachNewThread { [account] in
            var rest: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 1 << 18)
            while case let got = unsafe read(descriptor, &buffer, buffer.count), got > 0 {
                rest += buffer[..<got]
                var start = 0
                while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                    account.take(rest[start..<end])
                    start = end + 1
                }
                rest.removeFirst(start)
            }
            close(descriptor)
        }
    }

    /// Not politely: Foundation starts children with signals blocked, and one that stayed would hold our own output.
    func stop() { process.withLock { _ = kill($0.processIdentifier, SIGKILL) } }
    deinit { stop() }
}

extension EndToEnd {
    @Suite("Soak", .serialized)
    struct SoakTests {
        @Test("Full load: no overrun, no lost reading, flat memory under 64 MB", .timeLimit(.minutes(180)))
        func soak() async throws {
            let seconds = Double(environment["LINESIDE_SOAK_SECONDS"] ?? "") ?? 10
            let isFull = environment["LINESIDE_SOAK_SECONDS"] != nil
            // Short and light in CI, where the executable is a debug build.
            let (bigTags, devices, tagsEach) = isFull ? (1000, 50, 100) : (200, 5, 50)
            let plant = try Plant()
            let ports = (0...devices).map { _ in freePort() }
            func profile(_ name: String, tags: Int, period: String) -> String {
                """
                kind: DeviceProfile
                id: \(name)
                version: 1.0.0
                addressing: protocol-0
                groups: { all: \(period) }
                tags:
                \((0..<tags).map { "  t\($0): { at: \"hr \($0)\", type: u16, unit: \"1\", group: all }" }.joined(separator: "\n"))
                simulate:
                \((0..<tags).map { "  t\($0): { reads: true }" }.joined(separator: "\n"))
                """
            }
            try plant.write(profile("big", tags: bigTags, period: "100ms"), to: "profiles/big.yaml")
            try plant.write(profile("small", tags: tagsEach, period: "1s"), to: "profiles/small.yaml")
            try plant.write(
                """
                kind: Site
                id: acme/soak
                channels:
                \(ports.enumerated().map { "  net-\($0): { tcp: { host: 127.0.0.1, port: \($1) } }" }.joined(separator: "\n"))
                devices:
                  hall/line/big: { profile: big@1, channel: net-0, unit: 1 }
                \((1...devices).map { "  hall/line/small-\($0): { profile: small@1, channel: net-\($0), unit: 1 }" }.joined(separator: "\n"))
                sinks:
                  plant: { mqtt: { url: "mqtt://127.0.0.1:\(plant.brokerPort)" } }
                store: { directory: \(plant.folder.path())/store, disk: 128MiB, keep_free: 0MiB }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                """, to: "site.yaml")

            let broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: ports)
            let subscriber = try RunningSubscriber(port: plant.brokerPort)
            // The subscriber must be there before the first reading: the account has no beginning otherwise.
            let ready = try await plant.startSubscriber(to: "test/other", name: "ready")
            ready.kill(SIGTERM)
            let gateway = try await plant.startGateway()
            var memory: [Double] = []
            let start = Date()
            while Date().timeIntervalSince(start) < seconds {
                await eventuallyAsync(within: 1) { false }
                if let bytes = await plant.metric("process_resident_memory_bytes") { memory.append(bytes / 1e6) }
            }
            let metrics = await plant.get("/metrics")
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 10) == 0)
            let cpu = metrics.split(separator: "\n").first { $0.hasPrefix("process_cpu_seconds_total ") }.flatMap {
                Double($0.split(separator: " ")[1])
            }
            let overruns = metrics.split(separator: "\n").filter { $0.hasPrefix("lineside_channel_overruns_total") }
                .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
            // Everything that was read has been sent when the gateway has ended; it may still be on its way to us.
            var last = -1
            await eventuallyAsync(within: 20) {
                let now = subscriber.account.state.withLock { $0.readings }
                defer { last = now }
                try? await Task.sleep(for: .milliseconds(500))
                return now == last
            }
            subscriber.stop()
            subscriber.account.state.withLock { state in
                let polled = state.tags.values.reduce(0) { $0 + ($1.last - $1.first + 1) }
                let arrived = state.tags.values.reduce(0) { $0 + $1.count }
                let settled = memory.dropFirst(min(30, memory.count / 3))
                FileHandle.standardOutput.write(
                    Data(
                        """
                        soak \(Int(seconds)) s: \(state.tags.count) tags, \(state.readings) readings arrived, \(polled) polled, \
                        lost \(Int64(polled) - Int64(arrived)), bad \(state.bad), sequence jumps \(state.jumps.count), \
                        overruns \(Int(overruns.reduce(0, +))), memory MB min \(settled.min() ?? 0) max \(memory.max() ?? 0), \
                        cpu \(cpu ?? 0) s (\((cpu ?? 0) / seconds * 100) %)\n
                        """.utf8))
                #expect(state.tags.count == bigTags + devices * tagsEach)
                #expect(state.tags.values.allSatisfy { $0.first == 1 })
                #expect(polled == arrived && state.bad == 0 && state.jumps.isEmpty, "\(state.jumps)")
                #expect(memory.max() ?? 0 < 64)
                // A debug build on a busy CI machine may miss a grid point; the long run must not.
                if isFull { #expect(!overruns.isEmpty && overruns.allSatisfy { $0 == 0 }) }
            }
            _ = (broker, simulation)
        }
    }
}
