// A sink that writes files: whole ones, in order, whatever the disk does.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import Simulation
import TestSupport
import Testing
import Upstream

/// The sequence numbers and values in a file of the test journal's second device.
private func rows(_ bytes: [UInt8]) -> [(sequence: UInt64, value: Int)] {
    String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n").dropFirst().compactMap { line in
        let cells = line.split(separator: ",", omittingEmptySubsequences: false)
        guard cells.count == 9, let sequence = UInt64(cells[0]), let value = Int(cells[4]) else { return nil }
        return (sequence, value)
    }
}

@Suite("A sink of files", .timeLimit(.minutes(3)))
struct FileSinkTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func plan(fileBytes: Int64 = 16 << 20, isGzipped: Bool = false) -> FileReceiverPlan {
        var plan = FileReceiverPlan(directory: "/out")
        plan.fileBytes = fileBytes
        plan.isGzipped = isGzipped
        plan.commit = .milliseconds(50)
        return plan
    }

    private func sink(_ plan: FileReceiverPlan, on disk: some Disk, clock: any GatewayClock = FastClock()) -> Sink {
        Sink(
            plan: SinkPlan(name: "usb", gateway: "acme/lyon", receiver: .file(plan)), journal: plant.journal,
            clock: clock, logger: quiet
        ) { context in
            FileReceiver(
                plan: plan, encoder: RecordTable(bounds: .file), header: RecordTable.header,
                recordEnd: RecordTable.recordEnd, context: context
            ) { () throws(DiskError) in disk }
        }
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "usb").records == 0 }

    /// The whole files, in the order of their names.
    private func files(_ disk: SimulatedDisk) throws -> [(name: String, bytes: [UInt8])] {
        try disk.list().filter { $0.hasSuffix(".csv") || $0.hasSuffix(".csv.gz") }.map {
            ($0, disk.content(of: $0) ?? [])
        }
    }

    /// What is in the whole files: nothing left out, nothing torn; what is there twice has the same number.
    private func expectWhole(_ disk: SimulatedDisk, values: Range<Int>, allowsRepeats: Bool = false) throws {
        var byNumber: [UInt64: Int] = [:]
        var found: [Int] = []
        for file in try files(disk) {
            #expect(file.bytes.starts(with: RecordTable.header) && file.bytes.suffix(2) == [13, 10], "\(file.name)")
            for row in rows(file.bytes) {
                #expect((byNumber[row.sequence] ?? row.value) == row.value)
                byNumber[row.sequence] = row.value
                found.append(row.value)
            }
        }
        if allowsRepeats { #expect(Set(found) == Set(values)) } else { #expect(found == Array(values)) }
    }

    @Test("ends files by size; their names sort in the order of the log, and only whole ones have them")
    func rotation() async throws {
        let disk = SimulatedDisk()
        let sink = sink(plan(fileBytes: 64 << 10), on: disk)
        sink.start()
        for start in stride(from: 0, to: 6000, by: 600) {
            plant.append(600, from: start)
            #expect(await eventually { isDrained() })
        }
        let names = try disk.list()
        #expect(names.count { $0.hasSuffix(".part") } <= 1)
        #expect(names.count { $0.hasSuffix(".csv") } > 3)
        sink.stop(drainFor: .zero)
        #expect(try disk.list().allSatisfy { $0.hasSuffix(".csv") }, "the last is whole when the gateway has stopped")
        try expectWhole(disk, values: 0..<6000)
        #expect(try files(disk).allSatisfy { $0.bytes.count < 200_000 })
        #expect(sink.statistics.readingsAcknowledged == 6000)
    }

    @Test("ends a file that is old, even when nothing more comes")
    func age() async throws {
        let disk = SimulatedDisk()
        var plan = plan()
        plan.age = .seconds(10)
        let sink = sink(plan, on: disk)
        sink.start()
        plant.append(10, from: 0)
        #expect(await eventually { (try? files(disk).count) == 1 })
        try expectWhole(disk, values: 0..<10)
        sink.stop(drainFor: .zero)
    }

    @Test("says that something is delivered only when a power cut can't take it any more", arguments: 0..<16)
    func powerCut(seed: UInt64) async throws {
        let disk = SimulatedDisk()
        let first = sink(plan(fileBytes: 64 << 10, isGzipped: seed % 5 == 4), on: disk)
        first.start()
        for start in stride(from: 0, to: 4000, by: 1000) {
            plant.append(1000, from: start)
            #expect(await eventually { first.statistics.readingsAcknowledged > UInt64(start) })
        }
        plant.append(3000, from: 4000)
        let delivered = first.statistics.cursor
        let modes = CrashMode.allCases
        let lost = disk.crash(modes[Int(seed) % modes.count], seed: seed)
        first.stop(drainFor: .zero)
        let second = sink(plan(fileBytes: 64 << 10), on: lost)
        second.start()
        plant.append(1000, from: 7000)
        #expect(await eventually { (try? lost.list().allSatisfy { !$0.hasSuffix(".tmp") }) == true && isDrained() })
        second.stop(drainFor: .seconds(3))
        #expect(try lost.list().allSatisfy { $0.hasSuffix(".csv") || $0.hasSuffix(".gz") }, "nothing is left half made")
        let found = try files(lost).filter { $0.name.hasSuffix(".csv") }.flatMap { rows($0.bytes) }
        let distances = found.map { Int64($0.sequence) - Int64($0.value) }
        #expect(Set(distances).count <= 1, "every line is as it was written")
        let numbers = Set(found.map(\.sequence))
        if seed % 5 != 4 {
            let begin = try #require(numbers.min())
            #expect((begin..<delivered.value).allSatisfy { numbers.contains($0) })
            #expect(found.contains { $0.value == 0 })
        }
    }

    @Test(
        "waits when the disk fails, never writes a file again that a write has failed of, and loses nothing",
        arguments: [SimulatedDisk.Operation.write, .sync, .open, .rename, .syncDirectory, .list, .freeBytes, .size],
        [5, 28])
    func faults(operation: SimulatedDisk.Operation, code: Int) async throws {
        let disk = SimulatedDisk()
        disk.fail(.init(operation, call: 3, count: 3, code: Int32(code)))
        let sink = sink(plan(fileBytes: 64 << 10), on: disk)
        sink.start()
        for start in stride(from: 0, to: 5000, by: 250) {
            plant.append(250, from: start)
            #expect(await eventually { isDrained() })
        }
        sink.stop(drainFor: .seconds(3))
        #expect(disk.callsAfterFailure == 0)
        let again = self.sink(plan(fileBytes: 64 << 10), on: disk)
        again.start()
        #expect(await eventually { (try? disk.list().allSatisfy { $0.hasSuffix(".csv") }) == true })
        again.stop(drainFor: .zero)
        try expectWhole(disk, values: 0..<5000, allowsRepeats: true)
        #expect(sink.statistics.setAside == 0)
    }

    @Test("waits for room on the disk, says so, and goes on by itself")
    func diskFull() async throws {
        let disk = SimulatedDisk(freeBytes: 1 << 20)
        let sink = sink(plan(), on: disk)
        plant.append(100, from: 0)
        sink.start()
        #expect(await eventually { sink.statistics.lastError?.contains("MiB are free") == true })
        #expect(!isDrained())
        disk.freeSpace = 1 << 30
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        try expectWhole(disk, values: 0..<100)
    }

    @Test(
        "waits when its files reach their total, until somebody takes some away; or removes the oldest when asked",
        arguments: [false, true])
    func total(removesOldest: Bool) async throws {
        let disk = SimulatedDisk()
        var plan = plan(fileBytes: 64 << 10)
        plan.totalBytes = 300 << 10
        plan.removesOldest = removesOldest
        let sink = sink(plan, on: disk)
        sink.start()
        var appended = 0
        func more() {
            plant.append(500, from: appended)
            appended += 500
        }
        for _ in 0..<20 {
            more()
            if sink.statistics.lastError == nil {
                _ = await eventually { isDrained() || sink.statistics.lastError != nil }
            }
        }
        if removesOldest {
            #expect(await eventually { isDrained() })
            sink.stop(drainFor: .zero)
            let values = try files(disk).flatMap { rows($0.bytes).map(\.value) }
            #expect(values.last == 9999 && (values.first ?? 0) > 2000)
            #expect(values == Array((values.first ?? 0)...9999))
            #expect(try files(disk).reduce(0) { $0 + $1.bytes.count } <= 350 << 10)
            return
        }
        #expect(await eventually { sink.statistics.lastError?.contains("take them away") == true })
        var taken: [Int] = []
        while !isDrained() {
            for file in try files(disk) {
                taken += rows(file.bytes).map(\.value)
                try disk.remove(file.name)
            }
            #expect(try await eventually { try isDrained() || !files(disk).isEmpty })
        }
        sink.stop(drainFor: .zero)
        for file in try files(disk) { taken += rows(file.bytes).map(\.value) }
        #expect(taken == Array(0..<appended), "nothing is missing in what was taken, and nothing is there twice")
    }

    @Test("compresses whole files, which gzip reads")
    func gzip() async throws {
        let disk = SimulatedDisk()
        let sink = sink(plan(fileBytes: 256 << 10, isGzipped: true), on: disk)
        sink.start()
        for start in stride(from: 0, to: 10_000, by: 1000) {
            plant.append(1000, from: start)
            #expect(await eventually { isDrained() })
        }
        sink.stop(drainFor: .zero)
        #expect(await eventually { (try? disk.list().allSatisfy { $0.hasSuffix(".csv.gz") }) == true })
        let folder = try TemporaryFolder()
        var found: [Int] = []
        for file in try files(disk) {
            let path = "\(folder.path)/f.gz"
            try Data(file.bytes).write(to: URL(filePath: path))
            found += rows(Array(ProgramOutput.of("/bin/gzip", ["-dc", path]).utf8)).map(\.value)
        }
        #expect(found == Array(0..<10_000))
    }

    @Test(
        "leaves other sinks' files alone, and gives no name twice",
        arguments: [
            ("usb-0b5e5f0e-00000000000000000007.csv", true), ("usb-0b5e5f0e-00000000000000000007-2.csv.gz", true),
            ("usb-0b5e5f0e-00000000000000000007.csv.part", true), ("usb-2-0b5e5f0e-00000000000000000007.csv", false),
            ("us-0b5e5f0e-00000000000000000007.csv", false), ("usb-notes.txt", false), ("usb", false), ("usb-", false),
        ])
    func names(name: String, isOurs: Bool) {
        let names = FileNames(sink: "usb", stream: "0b5e5f0e-1111", ending: ".csv")
        #expect(names.isOurs(name) == isOurs)
        #expect(names.name(from: SequenceNumber(7), among: []) == "usb-0b5e5f0e-00000000000000000007.csv")
        #expect(
            names.name(from: SequenceNumber(7), among: [name])
                == (isOurs && !name.contains("-2.csv")
                    ? "usb-0b5e5f0e-00000000000000000007-2.csv"
                    : "usb-0b5e5f0e-00000000000000000007.csv"))
    }

    @Test("the oldest is what another stream left, then what was written first")
    func oldest() {
        let names = FileNames(sink: "usb", stream: "0b5e5f0e-1111", ending: ".csv")
        let given = [
            "usb-0b5e5f0e-00000000000000000007.csv", "usb-0b5e5f0e-00000000000000000001.csv",
            "usb-ffffffff-00000000000000000009.csv",
        ]
        #expect(names.sorted(given) == [given[2], given[1], given[0]])
    }
}
