// commission-disk: what is measured, what follows from it, and what is left behind.

@testable import Commissioning
import GatewayModel
import GatewayPlatform
import Simulation
import Synchronization
import Testing

/// A clock that goes on by a step with every look at it.
private final class SteppingClock: GatewayClock {
    private let time = Mutex<Int64>(0)
    private let step: Duration
    init(_ step: Duration) { self.step = step }
    func wall() -> Timestamp { Timestamp(nanoseconds: monotonic().nanoseconds) }
    func monotonic() -> MonotonicTime {
        time.withLock { time in
            time += step.nanoseconds
            return MonotonicTime(nanoseconds: time)
        }
    }
}

private func probe(
    _ disk: SimulatedDisk, step: Duration = .milliseconds(1), duration: Duration = .seconds(1),
    stop: StopSignal = StopSignal(), deviceBytes: @escaping () -> Int64? = { nil }
) -> DiskProbe {
    DiskProbe(
        disk: disk, clock: SteppingClock(step), settings: .init(duration: duration, fileBytes: 1 << 20), stop: stop,
        deviceBytes: deviceBytes)
}

@Suite("Disk probe") struct DiskProbeTests {
    @Test("Every commit is a whole page and a sync, over a written file and at the end of a growing one")
    func measures() throws {
        let disk = SimulatedDisk()
        var probe = probe(disk)
        let measured = try probe.measure()
        // A millisecond between the two looks at the clock around each commit, one more before the next.
        #expect(measured.recycled.timings.count == 300 && measured.growing.timings.count == 150)
        #expect(measured.recycled.timings.median == .milliseconds(1) && measured.recycled.bytesPerCommit == 4096)
        // Once to write it, once to time that, then one for each commit.
        #expect(disk.calls(of: .sync) == 2 + 300 + 150)
        #expect(measured.bytesWritten == 2 << 20 + (300 + 150) * 4096)
        #expect(measured.sequentialBytesPerSecond == Double(1 << 20) * 1000)
        #expect(measured.recycled.deviceBytesPerCommit == nil)
        #expect(try disk.list() == [])
    }

    @Test("A disk faster than any clock still ends, and the growing file never becomes a recycled one")
    func bounded() throws {
        var probe = probe(SimulatedDisk(), step: .nanoseconds(1))
        let measured = try probe.measure()
        #expect(measured.recycled.timings.count == DiskProbe.mostCommits)
        #expect(measured.growing.timings.count == (1 << 20) / 4096)
    }

    @Test("What the device was given to write for a commit is not confused by others, who write now and then")
    func deviceBytes() throws {
        // A slice of 16 commits writes 80,000 bytes; every third time somebody else writes much more.
        let seen = Mutex<(calls: Int64, bytes: Int64)>((0, 0))
        var probe = probe(SimulatedDisk()) {
            seen.withLock { seen in
                seen.calls += 1
                seen.bytes += seen.calls % 3 == 0 ? 9_000_000 : 80_000
                return seen.bytes
            }
        }
        let measured = try probe.measure()
        #expect(measured.recycled.deviceBytesPerCommit == 5000 && measured.growing.deviceBytesPerCommit == 5000)
        var nothing = DeviceShare(5)
        for _ in 0..<8 { nothing.note(5) }
        #expect(nothing.bytesPerCommit == nil)
    }

    @Test("Whatever call fails, the error says which, and nothing is left behind", arguments: 0..<12)
    func failures(call: Int) throws {
        for operation in [SimulatedDisk.Operation.open, .write, .sync, .syncDirectory] {
            let disk = SimulatedDisk()
            disk.fail(.init(operation, call: call, code: 28))
            var probe = probe(disk)
            let result = Result { () throws(DiskProbe.Failure) in try probe.measure() }
            disk.fail(nil)
            #expect(try disk.list() == [], "\(operation), call \(call)")
            // Removing what a killed run left may fail without harm: that is the first sync of the folder.
            let isReached = call < (operation == .open ? 2 : operation == .syncDirectory ? 2 : .max)
            let isHarmless = operation == .syncDirectory && call == 0
            if case .failure(.disk(let error)) = result {
                #expect(isReached && !isHarmless && error.code == 28)
            } else {
                #expect(!isReached || isHarmless, "\(operation), call \(call)")
            }
        }
    }

    @Test("Files of others are never touched, those of a run that was killed go")
    func others() throws {
        let disk = SimulatedDisk()
        for name in ["0000.segment", "lineside-commissioning-1.tmp"] {
            let file = try disk.open(name, create: true)
            try file.write(unsafe [UInt8](repeating: 7, count: 2 << 20).span.bytes, at: 0)
        }
        var probe = probe(disk)
        _ = try probe.measure()
        #expect(try disk.list() == ["0000.segment"])
        #expect(disk.content(of: "0000.segment") == [UInt8](repeating: 7, count: 2 << 20))
    }

    @Test("Ended early, it says so and leaves nothing behind")
    func interrupted() throws {
        let (disk, stop) = (SimulatedDisk(), StopSignal())
        stop.raise()
        var probe = probe(disk, stop: stop)
        #expect(throws: DiskProbe.Failure.self) { try probe.measure() }
        #expect(try disk.list() == [])
    }

    @Test("Percentiles are times that were measured")
    func percentiles() throws {
        let timings = try #require(CommitTimings((1...200).reversed().map { .microseconds($0) }))
        #expect(timings.median == .microseconds(100) && timings.p99 == .microseconds(198))
        #expect(timings.longest == .microseconds(200) && timings.total == .microseconds(20100))
        let one = try #require(CommitTimings([.seconds(1)]))
        #expect(one.median == .seconds(1) && one.p99 == .seconds(1) && one.count == 1)
        #expect(CommitTimings([]) == nil)
    }
}

private func facts(
    p99: Duration = .milliseconds(1), longest: Duration? = nil, median: Duration = .microseconds(100),
    rate: Double? = 1000, tags: Int = 100, endurance: FlashEndurance? = nil, ring: Int64 = 4 << 30,
    free: Int64 = 64 << 30, kind: String = "ext4", options: Set<String> = [], medium: StorageMedium = .ssd,
    deviceBytes: Double? = nil
) -> DiskFacts {
    let timings = CommitTimings(
        count: 1000, median: median, p99: p99, longest: longest ?? p99 * 2, total: .seconds(1))
    let commit = CommitMeasurement(bytesPerCommit: 4096, timings: timings, deviceBytesPerCommit: deviceBytes)
    return DiskFacts(
        place: StoragePlace(
            mount: Mount(folder: "/var", kind: kind, source: "/dev/x", options: options),
            device: BlockDevice(name: "x", medium: medium, byteCount: 32_000_000_000)),
        freeBytes: free,
        measured: DiskMeasurements(recycled: commit, growing: commit, sequentialBytesPerSecond: 1e8, bytesWritten: 1),
        load: WriteLoad(readingsPerSecond: rate, tags: tags), endurance: endurance, ringBytes: ring,
        keepFreeBytes: 1 << 30, pendingBytes: 8 << 20, earlyCommitBytes: 64 << 10, years: 5)
}

@Suite("Disk advice") struct DiskAdviceTests {
    @Test(
        "The window is the usual one unless the disk is too slow for it or would wear out",
        arguments: [
            // 99 of 100 commits, terabytes, the window.
            (Duration.milliseconds(1), nil, Duration.seconds(1)),
            (.milliseconds(100), nil, .seconds(1)),
            (.microseconds(100_001), nil, .seconds(2)),
            (.milliseconds(350), nil, .seconds(5)),
            (.seconds(3), nil, .seconds(10)),
            (.milliseconds(1), 100, .seconds(1)),
            // 1.3 TB in five years at 1s, 0.9 TB at 2s.
            (.milliseconds(1), 1.0, .seconds(2)),
            (.milliseconds(1), 0.1, .seconds(10)),
            (.milliseconds(150), 1.0, .seconds(2)),
        ] as [(Duration, Double?, Duration)])
    func window(p99: Duration, terabytes: Double?, window: Duration) {
        let advice = DiskAdvice(facts(p99: p99, endurance: terabytes.map(FlashEndurance.init(terabytesWritten:))))
        #expect(advice.window == window, "\(advice.windowReasons)")
        #expect(!advice.windowReasons.isEmpty)
    }

    @Test("A fast disk is also told how short a window it bears")
    func shorter() {
        #expect(DiskAdvice(facts(p99: .milliseconds(5))).windowReasons.contains { $0.hasSuffix("bears 50ms") })
        #expect(!DiskAdvice(facts(p99: .milliseconds(60))).windowReasons.contains { $0.contains("also bears") })
    }

    @Test(
        "The segment is the usual one unless the ring is small, the dictionary long or the plant fast",
        arguments: [
            (Double?.none, 100, 4 << 30, 8), (1000, 100, 4 << 30, 8), (1000, 1000, 4 << 30, 8),
            (1000, 5000, 4 << 30, 32), (100_000, 100, 4 << 30, 16), (1e6, 100, 4 << 30, 64),
            (1000, 100, 16 << 20, 2), (1000, 100, 4 << 20, 1), (100_000, 100, 64 << 20, 8),
        ] as [(Double?, Int, Int64, Int64)])
    func segment(rate: Double?, tags: Int, ring: Int64, megabytes: Int64) {
        let advice = DiskAdvice(facts(rate: rate, tags: tags, ring: ring))
        #expect(advice.segmentBytes == megabytes << 20, "\(advice.segmentReasons)")
    }

    @Test(
        "What a commit writes to the device is what was measured on a loop device, within 4 %",
        arguments: [(100.0, 4430.0), (1000, 6360), (10_000, 26_300)])
    func model(perCommit: Double, measured: Double) {
        var load = WriteLoad(readingsPerSecond: perCommit)
        load.rowBytes = 2.13
        let wear = WearModel(load: load, measured: nil, earlyCommitBytes: 64 << 10)
        let bytes = wear.deviceBytesPerCommit(window: .seconds(1))
        #expect(abs(bytes / measured - 1) < 0.04, "\(bytes)")
    }

    @Test("What the file system adds is measured where Linux counts it, and never negative")
    func overhead() {
        func overhead(_ bytes: Double?) -> Double { facts(deviceBytes: bytes).wear.overhead }
        #expect(overhead(nil) == WearModel.usualOverhead && overhead(4396) == 300 && overhead(17_175) == 13_079)
        #expect(overhead(100) == 0)
    }

    @Test("A quiet plant commits with its readings, a fast one before its window is over")
    func commits() {
        func perSecond(_ rate: Double?, _ window: Duration = .seconds(1)) -> Double {
            facts(rate: rate).wear.commitsPerSecond(window: window)
        }
        #expect(perSecond(nil) == 1 && perSecond(1000) == 1 && perSecond(0.01) == 0.02)
        #expect(perSecond(nil, .milliseconds(50)) == 20)
        #expect(abs(perSecond(100_000, .seconds(10)) - 220_000 / 65_536) < 1e-9)
    }

    @Test("Tags make the rate by their periods; those without one, and those that are gone, don't")
    func rate() {
        let device = DeviceDescriptor(id: DeviceID(0), path: "a", channel: "c", link: "l")
        let periods: [Duration?] = [.seconds(1), .milliseconds(100), .seconds(10), nil, .seconds(1)]
        let tags = periods.enumerated().map { index, period in
            TagDescriptor(
                id: TagID(index), device: DeviceID(0), name: "t\(index)", kind: .real, unit: "", period: period,
                isLive: index != 4)
        }
        let load = WriteLoad(TagTable(site: "s", devices: [device], tags: tags))
        #expect(load.tags == 4 && load.tagsWithoutPeriod == 1)
        #expect(abs((load.readingsPerSecond ?? 0) - 11.1) < 1e-9)
        #expect(WriteLoad(TagTable(site: "s", devices: [device], tags: [])).readingsPerSecond == nil)
    }

    @Test("A store that has run says what a reading takes; one that has only begun doesn't")
    func learning() {
        var load = WriteLoad(readingsPerSecond: 100)
        load.learn(sealedBytes: 8 << 20, records: 9999, columnBytes: 0, columnReadings: 0)
        #expect(load == WriteLoad(readingsPerSecond: 100))
        load.learn(sealedBytes: 30_000, records: 10_000, columnBytes: 8000, columnReadings: 10_000)
        #expect(load.rowBytes == 3 && load.columnBytes == 0.8 && load.isFromStore)
        load.learn(sealedBytes: 30_000, records: 10_000, columnBytes: 0, columnReadings: 0)
        #expect(load.columnBytes == 0)
    }

    @Test("Life follows from the medium's size, or from what its maker promises, and says on what it rests")
    func endurance() throws {
        let card = try #require(FlashEndurance(.sdCard, capacity: 32_000_000_000))
        #expect(card.bytes == 2.4e12 && card.basis.contains("SD card of 32 GB") && card.basis.contains("assumed"))
        #expect(FlashEndurance(terabytesWritten: 30).days(bytesPerDay: 1e9) == 30_000)
        #expect(FlashEndurance(terabytesWritten: 30).basis.contains("as given"))
        #expect(FlashEndurance(.hardDisk, capacity: 1 << 40) == nil && FlashEndurance(.virtual, capacity: 1) == nil)
        let ssd = try #require(FlashEndurance(.ssd, capacity: 1_000_000_000_000))
        let eMMC = try #require(FlashEndurance(.eMMC, capacity: 1_000_000_000_000))
        #expect(ssd.bytes == 300e12 && eMMC.bytes > 333e12)
    }

    @Test(
        "Whoever commissions the box hears what is wrong with the place",
        arguments: [
            (facts(kind: "tmpfs", medium: .unknown), "lives in RAM"), (facts(kind: "nfs4"), "over the network"),
            (facts(kind: "overlay"), "in a container"), (facts(options: ["nobarrier"]), "without barriers"),
            (facts(kind: "btrfs"), "chattr +C"), (facts(kind: "vfat"), "no journal of its own"),
            (facts(median: .nanoseconds(1500)), "faster than any disk"),
            (facts(longest: .seconds(2)), "this medium stalls"), (facts(medium: .sdCard), "industrial"),
            (facts(free: 2 << 30), "stay smaller"),
            (facts(longest: .milliseconds(900), rate: 3e6), "RAM bridges 1.27 s"),
        ])
    func warnings(facts: DiskFacts, part: String) {
        let warnings = DiskAdvice(facts).warnings
        #expect(warnings.count == 1 && warnings.first?.contains(part) == true, "\(warnings)")
    }

    @Test("A good place is not warned of")
    func quiet() {
        #expect(DiskAdvice(facts()).warnings == [])
    }

    @Test("The report names the figures, the proposal with its reasons, and every warning")
    func report() {
        let facts = facts(endurance: FlashEndurance(.sdCard, capacity: 32_000_000_000), medium: .sdCard)
        let text = DiskReport.lines(
            folder: "/var/lib/lineside", measuredIn: "/var/lib", facts: facts, advice: DiskAdvice(facts)
        ).joined(separator: "\n")
        for part in [
            "not there yet; measured in /var/lib", "ext4 on /var", "SD card", "p99 µs", "growing file",
            "1000 readings/s",
            "commit: 1s", "segment: 8MiB", "assumed for an SD card", "warning: an SD card",
        ] {
            #expect(text.contains(part), "\(part) in\n\(text)")
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }
}
