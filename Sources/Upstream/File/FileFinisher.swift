// From a part to a whole file: cut behind its last whole record, and compressed when asked.

internal import GatewayPlatform

/// Copies one part, a piece at a time, so that nobody waits for it. Owned by the sink's thread.
final class FileFinisher<Storage: Disk> {
    /// The name of the whole file, without `.gz`.
    let name: String
    private let disk: Storage
    /// What ends a record, and stands nowhere else.
    private let recordEnd: [UInt8]
    /// Records behind it were never said to be safe; nil: nobody knows, so that all whole ones count.
    private let limit: Int64?
    private var gzip: GzipStream?
    private let source: Storage.File
    private let target: Storage.File
    private var (read, written) = (Int64(0), Int64(0))
    /// Of the source: what came after the last record's end.
    private var tail: [UInt8] = []

    /// Bytes of one step: a few milliseconds.
    private static var stepBytes: Int { 256 * 1024 }

    init(
        name: String, disk: Storage, recordEnd: [UInt8], limit: Int64?, isGzipped: Bool
    ) throws(DiskError) {
        (self.name, self.disk, self.recordEnd, self.limit) = (name, disk, recordEnd, limit)
        gzip = isGzipped ? GzipStream() : nil
        source = try disk.open(name + FileNames.part, create: false)
        // What an earlier attempt left is shorter than what is written over it, or is not: a fresh file is neither.
        try? disk.remove(name + FileNames.temporary)
        target = try disk.open(name + FileNames.temporary, create: true)
    }

    private var wholeName: String { gzip == nil ? name : name + ".gz" }

    /// - Returns: true when the file is whole and the part is gone.
    func step() throws(DiskError) -> Bool {
        let most = limit.map { Int(min(Int64(Self.stepBytes), $0 - read)) } ?? Self.stepBytes
        var bytes = most > 0 ? try source.read(count: most, at: read) : []
        read += Int64(bytes.count)
        var isEnd = bytes.count < Self.stepBytes
        // Where a power cut left a hole, the file's size was written and its bytes were not.
        if let hole = bytes.firstIndex(of: 0) {
            bytes.removeSubrange(hole...)
            isEnd = true
        }
        tail += bytes
        var whole = tail.ranges(of: recordEnd).last?.upperBound ?? 0
        if limit == nil, let sound = firstUnsound(in: tail[..<whole]) {
            whole = sound
            isEnd = true
        }
        let records = Array(tail[..<whole])
        tail.removeFirst(whole)
        try write(records, ends: isEnd)
        guard isEnd else { return false }
        if read == 0 || written == 0 {
            try disk.remove(name + FileNames.temporary)
        } else {
            try target.sync()
            try disk.rename(name + FileNames.temporary, to: wholeName)
            try disk.syncDirectory()
        }
        try disk.remove(name + FileNames.part)
        try disk.syncDirectory()
        return true
    }

    /// Where the first record begins that is no text; nil: all are. What was never said to be safe may be anything.
    private func firstUnsound(in records: ArraySlice<UInt8>) -> Int? {
        if String(validating: records, as: UTF8.self) != nil { return nil }
        var start = records.startIndex
        for end in records.ranges(of: recordEnd) {
            guard String(validating: records[start..<end.upperBound], as: UTF8.self) != nil else { return start }
            start = end.upperBound
        }
        return start
    }

    private func write(_ records: [UInt8], ends: Bool) throws(DiskError) {
        var output = records
        if let gzip {
            output.removeAll(keepingCapacity: true)
            gzip.compress(records, into: &output, ends: ends)
        }
        guard !output.isEmpty else { return }
        try unsafe target.write(output.span.bytes, at: written)
        written += Int64(output.count)
    }
}

/// A gzip stream that lives in a class.
private final class GzipStream {
    private var gzip = Gzip()
    func compress(_ input: [UInt8], into output: inout [UInt8], ends: Bool) {
        gzip.compress(input, into: &output, ends: ends)
    }
}
