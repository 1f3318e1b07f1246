// A gateway that appends known values, and the reading back that believes nothing.

import GatewayModel
import GatewayPlatform
import Journal
import Logging
import Simulation
import Testing

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func table(_ site: String = "acme/north", devices: Int = 2, tagsPerDevice: Int = 3) -> TagTable {
    let paths = (0..<devices).map {
        DeviceDescriptor(id: DeviceID($0), path: "line/\($0)", channel: "c", link: "Modbus TCP 10.0.0.\($0):502")
    }
    let tags = (0..<devices * tagsPerDevice).map {
        TagDescriptor(
            id: TagID($0), device: DeviceID($0 / tagsPerDevice), name: "t\($0)", kind: .integer, unit: "mm/s",
            range: $0 == 0 ? -1...1 : nil, period: .seconds(1), source: "hr \($0)", isLive: $0 != 1)
    }
    return TagTable(site: site, devices: paths, tags: tags)
}

func alarm(_ name: String, _ state: AlarmTransition.State, at time: Int64 = 1) -> AlarmTransition {
    AlarmTransition(
        alarm: name, state: state, priority: .high, device: "line/0", tag: "t0", value: 4.5, limit: 4, unit: "mm/s",
        timestamp: Timestamp(nanoseconds: time), since: Timestamp(nanoseconds: time - 1),
        message: "t0 is 4.5 mm/s, above 4 mm/s", action: "Look at the bearing.")
}

/// What a number was given to.
enum Told: Equatable, Sendable {
    case value(UInt64)
    case alarm(AlarmTransition)
}

/// One journal on one disk in virtual time, and everything that it was told. The next run goes on with the values.
final class Workload {
    let disk: SimulatedDisk
    let clock: VirtualClock
    let plan: JournalPlan
    private(set) var journal: Journal
    /// By number; of this stream.
    var told: [UInt64: Told]
    private var nextValue: UInt64
    /// Highest number given out, plus one.
    private(set) var givenOut: UInt64

    init(
        disk: SimulatedDisk = SimulatedDisk(), segments: Int64 = 3, segmentBytes: Int64 = 28 << 10,
        told: [UInt64: Told] = [:], tags: TagTable = table(), bounds: JournalBounds = JournalBounds(),
        keepFreeBytes: Int64 = 0, clock: VirtualClock = VirtualClock(), keep: Duration? = nil,
        whenFull: [String: WhenFull] = [:]
    ) {
        self.disk = disk
        self.told = told
        self.clock = clock
        plan = JournalPlan(
            directory: "journal", diskBytes: segments * segmentBytes, segmentBytes: segmentBytes,
            keepFreeBytes: keepFreeBytes, keep: keep, whenFull: whenFull)
        nextValue = UInt64(told.count) * 1000 + 1
        givenOut = 0
        journal = Journal(plan: plan, disk: disk, clock: clock, tags: tags, logger: quiet, bounds: bounds)
    }

    /// Values that differ in all 64 bits, and times that leap to and fro, so that a reading takes nearly as many bytes as
    /// in RAM and rings come round soon. An odd factor maps no two numbers to one.
    private static func bits(_ value: UInt64) -> UInt64 { value &* 0x9E37_79B9_7F4A_7C15 }
    private static func time(_ value: UInt64, _ row: Int) -> Int64 {
        Int64(value) + Int64(row) + (row > 0 && row % 2 == 0 ? 1 << 62 : 0)
    }

    /// Appends one batch of `count` readings with values never used before.
    @discardableResult
    func append(_ count: Int = 4, device: Int = 0, text: Int = 0) -> UInt64 {
        var batch = ReadingBatch(device: DeviceID(device))
        let first = nextValue
        for row in 0..<count {
            batch.readings.append(
                Reading(
                    tag: TagID(row % 3), timestamp: Timestamp(nanoseconds: Self.time(first, row)), kind: .integer,
                    bits: Self.bits(first + UInt64(row))))
        }
        batch.text = [UInt8](repeating: 0x61, count: text)
        nextValue += UInt64(count)
        let before = journal.statistics.nextSequence.value
        let number = journal.append(batch).value
        if journal.statistics.nextSequence.value > before {
            for row in 0..<UInt64(count) { note(number + row, .value(Self.bits(first + row))) }
        }
        return number
    }

    func append(_ transition: AlarmTransition) { note(journal.append(transition).value, .alarm(transition)) }

    private func note(_ number: UInt64, _ told: Told) {
        #expect(self.told[number] == nil, "number \(number) was given out twice")
        self.told[number] = told
        givenOut = max(givenOut, number + 1)
    }

    /// Time passes, and the thread does what is due.
    func pass(_ duration: Duration) {
        clock.advance(by: duration)
        _ = journal.performDueWork(now: clock.monotonic())
    }

    func commit() { pass(.seconds(1)) }
}

/// What came back from `from` on.
struct ReadBack: Equatable {
    var told: [UInt64: Told] = [:]
    var gaps: [JournalGap] = []
    var next: UInt64

    var lost: UInt64 { gaps.reduce(0) { $0 + $1.count } }
}

/// Reads everything and checks that no number is passed over in silence, told twice or told falsely.
func readBack(
    _ journal: Journal, from: UInt64, maxRecords: Int = 1000, maxBytes: Int = 1 << 20, told: [UInt64: Told]
) -> ReadBack {
    var back = ReadBack(next: from)
    while true {
        let chunk = journal.read(from: SequenceNumber(back.next), maxRecords: maxRecords, maxBytes: maxBytes)
        var next = back.next
        for record in chunk.records {
            switch record {
            case .readings(let first, let batch):
                #expect(first.value == next, "readings at \(first.value), expected \(next)")
                for (row, reading) in batch.readings.enumerated() {
                    back.told[next + UInt64(row)] = .value(reading.bits)
                    _ = chunk.dictionary.table.path(of: reading.tag)
                }
                next = first.value + UInt64(batch.readings.count)
            case .alarm(let number, let transition):
                #expect(number.value == next)
                back.told[next] = .alarm(transition)
                next += 1
            case .gap(let gap):
                #expect(gap.first.value == next && gap.last >= gap.first)
                #expect(gap.count == gap.last.value - gap.first.value + 1)
                back.gaps.append(gap)
                next = gap.last.value + 1
            }
        }
        #expect(chunk.next.value == next, "a chunk ends at \(chunk.next.value), its records at \(next)")
        if chunk.records.isEmpty { break }
        back.next = next
    }
    for (number, record) in back.told where told[number] != record {
        Issue.record("number \(number) came back as \(record), not \(String(describing: told[number]))")
    }
    return back
}

/// What is left of a finished run, for many tests to start from.
struct Record: Sendable {
    let disk: SimulatedDisk
    let told: [UInt64: Told]
    let givenOut: UInt64
    let stream: String
    let statistics: JournalStatistics

    init(_ work: Workload) {
        (disk, told, givenOut) = (work.disk, work.told, work.givenOut)
        (stream, statistics) = (work.journal.stream, work.journal.statistics)
    }
}
