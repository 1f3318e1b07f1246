// A folder whose writes are counted as a device would see them: whole pages, and flushes.

internal import GatewayPlatform
internal import Synchronization

/// A real disk behind a counter. Pages that are written again before a sync count once, as in the page cache.
final class CountingDisk: Disk {
    struct Count: Sendable {
        var pages: UInt64 = 0
        var syncs: UInt64 = 0
        var bytes: UInt64 { pages * 4096 }
    }

    final class File: DiskFile {
        private let file: POSIXFile
        private let name: String
        private let disk: CountingDisk

        fileprivate init(_ file: POSIXFile, _ name: String, _ disk: CountingDisk) {
            (self.file, self.name, self.disk) = (file, name, disk)
        }

        func write(_ bytes: RawSpan, at offset: Int64) throws(DiskError) {
            disk.noteWrite(name, offset..<offset + Int64(bytes.byteCount))
            try file.write(bytes, at: offset)
        }

        func read(count: Int, at offset: Int64) throws(DiskError) -> [UInt8] { try file.read(count: count, at: offset) }

        func sync() throws(DiskError) {
            disk.noteSync(name)
            try file.sync()
        }

        func size() throws(DiskError) -> Int64 { try file.size() }
    }

    private struct State {
        var counts: [String: Count] = [:]
        var dirty: [String: Set<Int64>] = [:]
    }

    private let disk: POSIXDisk
    private let state = Mutex(State())

    init(path: String) throws(DiskError) { disk = try POSIXDisk(path: path) }

    /// Of the files whose names end so.
    func count(_ suffix: String) -> Count {
        state.withLock { state in
            state.counts.filter { $0.key.hasSuffix(suffix) }.values.reduce(into: Count()) { sum, count in
                sum.pages += count.pages
                sum.syncs += count.syncs
            }
        }
    }

    func forget() { state.withLock { $0.counts = [:] } }

    fileprivate func noteWrite(_ name: String, _ range: Range<Int64>) {
        state.withLock {
            $0.dirty[name, default: []].formUnion(range.lowerBound / 4096...(range.upperBound - 1) / 4096)
        }
    }

    fileprivate func noteSync(_ name: String) {
        state.withLock { state in
            state.counts[name, default: Count()].pages += UInt64(state.dirty[name]?.count ?? 0)
            state.counts[name, default: Count()].syncs += 1
            state.dirty[name] = []
        }
    }

    func list() throws(DiskError) -> [String] { try disk.list() }
    func open(_ name: String, create: Bool) throws(DiskError) -> File {
        File(try disk.open(name, create: create), name, self)
    }
    func rename(_ name: String, to newName: String) throws(DiskError) { try disk.rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try disk.remove(name) }
    func syncDirectory() throws(DiskError) { try disk.syncDirectory() }
    func freeBytes() throws(DiskError) -> Int64 { try disk.freeBytes() }
}
