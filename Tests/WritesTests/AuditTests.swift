// The audit trail: a chain that shows every change, over restarts, failing disks and power cuts.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Writes

private func record(_ number: Int, reason: String = "") -> AuditRecord {
    var record = AuditRecord(
        time: Timestamp(nanoseconds: Int64(number) * 1_000_000_000 + 7),
        event: number.isMultiple(of: 2) ? .accepted : .done)
    record.id = "c-\(number)"
    record.who = "scada"
    record.door = .mqtt
    record.tag = "hall/press/drive/set_point"
    record.old = .real(20)
    record.new = .real(21.5)
    record.reason = reason
    record.expires = Timestamp(nanoseconds: Int64(number) * 1_000_000_000)
    return record
}

private func bounds(_ bytes: Int64 = 4096, files: Int = 4) -> AuditBounds {
    var bounds = AuditBounds()
    bounds.fileBytes = bytes
    bounds.files = files
    return bounds
}

@Suite("Audit trail") struct AuditTests {
    private func written(_ count: Int, on disk: SimulatedDisk, _ bounds: AuditBounds = bounds()) throws {
        var log = AuditLog(disk: disk, bounds: bounds)
        for number in 1...count { try log.append(record(number)) }
    }

    @Test("A line says the same when it is read again, whatever people write into it")
    func line() throws {
        var odd = record(1, reason: "line\nfeed \"quote\" \\ \u{1B}[31m \u{2028} ünï 😀")
        odd.old = .boolean(true)
        odd.new = .integer(.max)
        odd.count = 7
        let bytes = odd.line(sequence: 9, previous: AuditHash.first)
        #expect(bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
        let line = try #require(AuditLine(bytes))
        #expect(line.record == odd)
        #expect(line.sequence == 9)
        #expect(!line.spelled.contains("\u{1B}") && !line.spelled.contains("\n"))
    }

    @Test("A trail over many files and restarts is whole, and the oldest file goes first")
    func rotation() throws {
        let disk = SimulatedDisk()
        for run in 0..<10 {
            var log = AuditLog(disk: disk, bounds: bounds())
            for number in 1...5 { try log.append(record(run * 5 + number)) }
        }
        let report = try AuditTrail.verify(on: disk)
        #expect(report.problems == [])
        #expect(report.lastSequence == 50)
        #expect(report.lines == 26, "three full files of 8 lines and 2 lines of the newest")
        #expect(try AuditTrail.names(on: disk).count == 4)
        #expect(try AuditTrail.last(3, on: disk).map(\.sequence) == [48, 49, 50])
    }

    @Test("A line that is changed, removed, added or moved is found", arguments: 0..<7)
    func tampering(line: Int) throws {
        let disk = SimulatedDisk()
        try written(8, on: disk, bounds(1 << 20))
        let bytes = try #require(disk.content(of: AuditTrail.newest))
        var lines = bytes.split(separator: UInt8(ascii: "\n")).map(Array.init)
        #expect(lines.count == 8 && bytes.count == 8 * 512)
        func isFound(_ changed: [[UInt8]]) throws -> Bool {
            disk.replace(AuditTrail.newest, with: Array(changed.joined(separator: [UInt8(ascii: "\n")])) + [10])
            return try !AuditTrail.verify(on: disk).problems.isEmpty
        }
        #expect(try !isFound(lines))
        for place in stride(from: 0, to: 500, by: 7) {
            var changed = lines
            changed[line][place] ^= 1
            #expect(try isFound(changed), "byte \(place)")
        }
        var removed = lines
        removed.remove(at: line)
        #expect(try isFound(removed))
        var doubled = lines
        doubled.insert(lines[line], at: line)
        #expect(try isFound(doubled))
        lines.swapAt(line, line + 1)
        #expect(try isFound(lines))
    }

    @Test("A pin fits its trail for ever, and no trail that was cut off or made anew")
    func pins() throws {
        let disk = SimulatedDisk()
        var pins: [AuditPin] = []
        var log = AuditLog(disk: disk, bounds: bounds())
        #expect(log.pin == nil)
        for number in 1...50 {
            try log.append(record(number))
            pins.append(try #require(log.pin))
        }
        #expect(try AuditTrail.verify(on: disk).pin == pins.last)
        let whole = try AuditTrail.verify(on: disk, pins: pins)
        #expect(whole.problems == [] && whole.notes.contains { $0.contains("line 1 was pinned") })
        // Two processes later it goes on from the same line.
        var next = AuditLog(disk: disk, bounds: bounds())
        try next.open()
        #expect(next.pin == pins.last)

        let last = try #require(pins.last)
        let bytes = try #require(disk.content(of: AuditTrail.newest))
        disk.replace(AuditTrail.newest, with: Array(bytes.dropLast(512)))
        #expect(try AuditTrail.verify(on: disk).problems == [], "whole in itself")
        #expect(try AuditTrail.verify(on: disk, pins: [last]).problems == ["line 50 was pinned and is not there"])
        let other = SimulatedDisk()
        var anew = AuditLog(disk: other, bounds: bounds(1 << 20))
        for number in 1...60 { try anew.append(record(number == 3 ? 99 : number)) }
        #expect(
            try AuditTrail.verify(on: other, pins: [last]).problems
                == ["line 50 is another than the one that was pinned"])
        #expect(try AuditTrail.verify(on: SimulatedDisk(), pins: [last]).problems.count == 1)
    }

    @Test("A pin is a number and a hash, and nothing else")
    func pinNotation() throws {
        let hash = String(repeating: "0aF", count: 21) + "9"
        let pin = try #require(AuditPin("7:\(hash)"))
        #expect(pin.sequence == 7 && pin.hash == hash.lowercased() && AuditPin("\(pin)") == pin)
        for text in [
            "", "7", "0:\(hash)", "-1:\(hash)", "7:\(hash)0", "7:\(hash.dropLast())", "7:\(hash.dropLast())g",
            ":\(hash)", "7:\(hash):",
        ] {
            #expect(AuditPin(text) == nil, "\(text)")
        }
    }

    @Test("A torn end is blanked out and the trail goes on", arguments: [1, 2, 100, 511, 512])
    func torn(count: Int) throws {
        let disk = SimulatedDisk()
        try written(3, on: disk)
        let bytes = try #require(disk.content(of: AuditTrail.newest))
        disk.replace(AuditTrail.newest, with: bytes + bytes.prefix(count).map { $0 == 10 ? 0 : $0 })
        var log = AuditLog(disk: disk, bounds: bounds())
        try log.append(record(4))
        #expect(log.recovered.map(\.sequence) == [1, 2, 3])
        let report = try AuditTrail.verify(on: disk)
        #expect(report.problems == [])
        #expect(report.lines == 4)
    }

    @Test("Damage in the middle is kept, said, and the trail goes on behind it")
    func damage() throws {
        let disk = SimulatedDisk()
        try written(6, on: disk)
        var bytes = try #require(disk.content(of: AuditTrail.newest))
        for place in 600..<700 { bytes[place] = 0 }
        disk.replace(AuditTrail.newest, with: bytes)
        var log = AuditLog(disk: disk, bounds: bounds())
        try log.append(record(7))
        #expect(log.damage != nil)
        let report = try AuditTrail.verify(on: disk)
        #expect(report.problems.count == 2, "the place, and the line that does not follow")
        #expect(report.lastSequence == 7)
    }

    /// A trail over a few files and two processes, on a disk that may fail.
    /// - Returns: the ids of the lines that were acknowledged.
    private func run(_ disk: SimulatedDisk, lines: Int = 30) -> [String] {
        var acknowledged: [String] = []
        for process in 0..<2 {
            var log = AuditLog(disk: disk, bounds: bounds(files: 20))
            for number in 1...lines {
                let line = record(process * lines + number)
                for _ in 0..<3 where (try? log.append(line)) != nil {
                    acknowledged.append(line.id)
                    break
                }
            }
        }
        return acknowledged
    }

    @Test(
        "A call of the disk that fails costs at most the line under way, at every call",
        arguments: SimulatedDisk.Operation.allCases, [1, 2])
    func everyCall(operation: SimulatedDisk.Operation, count: Int) throws {
        for call in 0..<400 {
            let disk = SimulatedDisk()
            disk.fail(SimulatedDisk.Fault(operation, call: call, count: count))
            let acknowledged = run(disk)
            let hasFailed = disk.calls(of: operation) > call
            disk.fail(nil)
            let report = try AuditTrail.verify(on: disk)
            #expect(report.problems == [], "\(operation) \(call)")
            let found = Set(try AuditTrail.last(.max, on: disk).map(\.record.id))
            #expect(acknowledged.allSatisfy(found.contains), "\(operation) \(call)")
            #expect(acknowledged.count == 60, "\(operation) \(call): tried again, all is written")
            #expect(disk.callsAfterFailure == 0, "\(operation) \(call): a failed file was trusted again")
            if !hasFailed { return }
        }
        Issue.record("more calls than expected")
    }

    @Test("A disk that is full for long pushes no history out")
    func full() throws {
        let disk = SimulatedDisk()
        var log = AuditLog(disk: disk, bounds: bounds(files: 3))
        for number in 1...10 { try log.append(record(number)) }
        disk.freeSpace = 100
        for number in 11...40 { #expect(throws: DiskError.self) { try log.append(record(number)) } }
        disk.freeSpace = 1 << 30
        try log.append(record(41))
        let report = try AuditTrail.verify(on: disk)
        #expect(report.problems == [])
        #expect(report.firstSequence == 1 && report.lastSequence == 11)
    }

    @Test("A power cut at any moment loses no acknowledged line and never the trail", arguments: CrashMode.allCases)
    func powerCut(mode: CrashMode) throws {
        let disk = SimulatedDisk()
        var log = AuditLog(disk: disk, bounds: bounds(files: 20))
        var durable: [(changes: Int, lines: UInt64)] = [(0, 0)]
        for number in 1...20 {
            try log.append(record(number))
            durable.append((disk.changes, UInt64(number)))
        }
        for changes in 0...disk.changes {
            let lines = durable.last { $0.changes <= changes }?.lines ?? 0
            for seed in UInt64(1)...3 {
                let after = disk.crash(mode, seed: seed, after: changes)
                var next = AuditLog(disk: after, bounds: bounds(files: 20))
                try next.append(record(99))
                let report = try AuditTrail.verify(on: after)
                #expect(report.problems == [], "\(mode) \(changes) \(seed)")
                #expect(report.lastSequence ?? 0 > lines, "\(mode) \(changes) \(seed)")
                #expect(report.lines >= lines + 1, "\(mode) \(changes) \(seed)")
            }
        }
    }
}
