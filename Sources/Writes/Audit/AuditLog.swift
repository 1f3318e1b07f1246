// The audit trail on disk: each line is there before anybody is told that it is.

internal import GatewayModel
package import GatewayPlatform

package struct AuditBounds: Equatable, Sendable {
    /// Bytes of one file; then a new one is begun.
    package var fileBytes: Int64 = 4 << 20
    /// Files, the newest included; then the oldest is removed. 8 × 4 MiB hold about 100,000 lines.
    package var files = 8
    package init() {}
}

/// Appends lines to `audit.jsonl`, each with the hash of the line before it, each durable when `append` returns.
///
/// Owned by the thread of the write service. After a call of the disk has failed the file is never touched again: the
/// kernel may have lost what it holds. The next try begins a new file that goes on from the last acknowledged line.
package struct AuditLog: Sendable {
    private let disk: any Disk
    private let bounds: AuditBounds
    private var file: (any DiskFile)?
    private var offset: Int64 = 0
    /// Acknowledged lines of the file under `audit.jsonl`.
    private var linesInFile = 0
    private var isOpened = false
    private(set) var next: UInt64 = 1
    private(set) var lastHash = AuditHash.first
    /// What earlier runs left in the two newest files; taken once by the owner.
    package private(set) var recovered: [AuditLine] = []
    /// What the start found damaged; stays until the next start.
    package private(set) var damage: String?

    package init(disk: any Disk, bounds: AuditBounds = AuditBounds()) {
        self.disk = disk
        self.bounds = bounds
    }

    package var isOpen: Bool { file != nil }

    /// Makes the file ready, or says why not.
    package mutating func open() throws(DiskError) {
        guard file == nil else { return }
        if isOpened { try begin() } else { try recover() }
    }

    /// - Throws: when the line may not be on the device. It then counts as not written.
    package mutating func append(_ record: AuditRecord) throws(DiskError) {
        try open()
        let line = record.line(sequence: next, previous: lastHash)
        if linesInFile > 0 && offset + Int64(line.count) + 1 > bounds.fileBytes {
            file = nil
            try begin()
        }
        guard let file else { return }
        do throws(DiskError) {
            try unsafe file.write((line + [UInt8(ascii: "\n")]).span.bytes, at: offset)
            try file.sync()
        } catch {
            self.file = nil
            throw error
        }
        offset += Int64(line.count) + 1
        linesInFile += 1
        next += 1
        lastHash = AuditHash.of(line)
    }

    /// Puts the present file aside and begins a new one.
    private mutating func begin() throws(DiskError) {
        let names = try disk.list()
        let numbers = names.compactMap(AuditTrail.number(of:)).sorted()
        if names.contains(AuditTrail.newest) {
            if linesInFile > 0 {
                try disk.rename(AuditTrail.newest, to: AuditTrail.name((numbers.last ?? 0) + 1))
            } else {
                // Holds nothing that was acknowledged: a disk that fails again and again must not push out the history.
                try disk.remove(AuditTrail.newest)
            }
        }
        linesInFile = 0
        let fresh = try disk.open(AuditTrail.newest, create: true)
        for number in numbers.dropLast(max(0, bounds.files - 2)) { try disk.remove(AuditTrail.name(number)) }
        try disk.syncDirectory()
        offset = 0
        file = fresh
    }

    /// The first opening in this process: goes on where the last one ended.
    private mutating func recover() throws(DiskError) {
        recovered = []
        let names = try AuditTrail.names(on: disk)
        var last: AuditFile?
        for name in names.suffix(2) {
            let read = try AuditTrail.read(name, on: disk)
            recovered += read.lines.map(\.line)
            if !read.damage.isEmpty { damage = "\(name) is damaged; see 'lineside audit verify'" }
            if let end = read.lines.last {
                next = end.line.sequence + 1
                lastHash = end.hash
            }
            last = name == AuditTrail.newest ? read : nil
        }
        if let last {
            // A file that holds nothing but damage is put aside, not removed.
            linesInFile = last.lines.count + last.damage.count
            if !last.lines.isEmpty {
                try resume(last)
            } else {
                try begin()
            }
        } else {
            try begin()
        }
        isOpened = true
    }

    /// Blanks out a torn end, and writes the last line once more: a process before this one may have seen its sync fail,
    /// and then only the kernel's memory holds it.
    private mutating func resume(_ found: AuditFile) throws(DiskError) {
        let present = try disk.open(AuditTrail.newest, create: false)
        if let range = found.lines.last?.range {
            try unsafe present.write(Array(found.bytes[range]).span.bytes, at: Int64(range.lowerBound))
        }
        var end = Int64(found.bytes.count)
        if let torn = found.torn {
            let blanks = [UInt8](repeating: UInt8(ascii: " "), count: torn.count - 1) + [UInt8(ascii: "\n")]
            try unsafe present.write(blanks.span.bytes, at: Int64(torn.lowerBound))
        } else if found.bytes.last != UInt8(ascii: "\n") {
            try unsafe present.write([UInt8(ascii: "\n")].span.bytes, at: end)
            end += 1
        }
        try present.sync()
        try disk.syncDirectory()
        offset = end
        file = present
    }
}
