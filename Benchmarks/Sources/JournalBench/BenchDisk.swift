// The real disk for benchmarks: with or without syncs, and it knows how much of each segment is used.

internal import GatewayModel
internal import GatewayPlatform
internal import Synchronization

final class BenchDisk: Disk {
    private let disk: POSIXDisk
    private let syncs: Bool
    let usage = Usage()

    /// What the journal has begun and used so far.
    final class Usage: Sendable {
        private let state = Mutex((segments: 0, end: Int64(0)))

        /// Whole segments, the last one up to what was written last: headers, tables and what lies idle count.
        func bytes(segmentBytes: Int64) -> Int64 {
            state.withLock { Int64($0.segments - 1) * segmentBytes + $0.end }
        }

        func noteWrite(at offset: Int64, count: Int) {
            state.withLock { state in
                // A segment begins with its header.
                if offset == 0 { state = (state.segments + 1, 0) }
                state.end = max(state.end, offset + Int64(count))
            }
        }
    }

    init(path: String, syncs: Bool) throws(DiskError) {
        disk = try POSIXDisk(path: path)
        self.syncs = syncs
    }

    func list() throws(DiskError) -> [String] { try disk.list() }
    func open(_ name: String, create: Bool) throws(DiskError) -> BenchFile {
        // A slot is made whole before its segment begins: that is not use.
        BenchFile(try disk.open(name, create: create), syncs: syncs, usage: usage)
    }
    func rename(_ name: String, to newName: String) throws(DiskError) { try disk.rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try disk.remove(name) }
    func syncDirectory() throws(DiskError) { try disk.syncDirectory() }
    func freeBytes() throws(DiskError) -> Int64 { try disk.freeBytes() }
}

final class BenchFile: DiskFile {
    private let file: POSIXFile
    private let syncs: Bool
    private let usage: BenchDisk.Usage

    init(_ file: POSIXFile, syncs: Bool, usage: BenchDisk.Usage) {
        (self.file, self.syncs, self.usage) = (file, syncs, usage)
    }

    func write(_ bytes: RawSpan, at offset: Int64) throws(DiskError) {
        // Slots are filled with zeros in pieces of a megabyte.
        if bytes.byteCount < 1 << 20 { usage.noteWrite(at: offset, count: bytes.byteCount) }
        try file.write(bytes, at: offset)
    }
    func read(count: Int, at offset: Int64) throws(DiskError) -> [UInt8] { try file.read(count: count, at: offset) }
    func sync() throws(DiskError) { if syncs { try file.sync() } }
    func size() throws(DiskError) -> Int64 { try file.size() }
}

/// A clock that goes when it is told to.
final class BenchClock: GatewayClock {
    private let passed = Atomic<Int64>(0)
    static let start = Timestamp(nanoseconds: 1_790_000_000_000_000_000)

    func wall() -> Timestamp { Timestamp(nanoseconds: Self.start.nanoseconds + passed.load(ordering: .relaxed)) }
    func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: passed.load(ordering: .relaxed) + 1) }
    func set(_ nanoseconds: Int64) { passed.store(nanoseconds, ordering: .relaxed) }
}
