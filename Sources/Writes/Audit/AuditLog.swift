// The audit trail on disk: each line is there before anybody is told that it is.

internal import GatewayModel
package import GatewayPlatform

package struct AuditBounds: Equatable, Sendable {
    /// Bytes of one file; then a new one is begun.
    package var fileBytes: Int64 = 4 << 20
    /// Files, the newest included; then the oldest is removed. 16 × 4 MiB hold about 131,000 lines.
    package var files = 16
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

    /// The last acknowledged line; nil while there is none, or nobody has looked yet.
    var pin: AuditPin? { isOpened && next > 1 ? AuditPin(sequence: next - 1, hash: lastHash) : nil }

    /// Makes the file ready, or says why not.
    package mutating func open() throws(DiskError) {
        guard file == nil else { return }
        if isOpened { try begin() } else { try recover() }
    }

    /// - Throws: when the line may not be on the device. It then counts as not written.
    package mutating func append(_ record: AuditRecord) throws(DiskError) {
        try open()
        var line = record.line(sequence: next, previous: lastHash)
        // A line begins and ends with a sector, so that a power cut can tear none but the one that is being written.
        line += [UInt8](repeating: UInt8(ascii: " "), count: Self.padding(line.count + 1))
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

    private static let sectorBytes = 512

    /// What is missing to the end of a sector.
    private static func padding(_ count: Int) -> Int { (sectorBytes - count % sectorBytes) % sectorBytes }

    /// Puts the present file aside and begins a new one.
    private mutating func begin() throws(DiskError) {
        let names = try disk.list()
        var numbers = names.compactMap(AuditTrail.number(of:)).sorted()
        if names.contains(AuditTrail.newest) {
            if linesInFile > 0 {
                numbers.append((numbers.last ?? 0) + 1)
                try disk.rename(AuditTrail.newest, to: AuditTrail.name(numbers[numbers.count - 1]))
            } else {
                // Holds nothing that was acknowledged: a disk that fails again and again must not push out the history.
                try disk.remove(AuditTrail.newest)
            }
        }
        linesInFile = 0
        let fresh = try disk.open(AuditTrail.newest, create: true)
        for number in numbers.dropLast(max(0, bounds.files - 1)) { try disk.remove(AuditTrail.name(number)) }
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
        // From here on a failed call leads to a new file: one that has failed is never trusted again.
        isOpened = true
        // A file that holds nothing but damage is put aside, not removed.
        linesInFile = last.map { $0.lines.count + $0.damage.count } ?? 0
        if let last, !last.lines.isEmpty {
            try resume(last)
        } else {
            try begin()
        }
    }

    /// Blanks out a torn end, up to the end of its last sector.
    private mutating func resume(_ found: AuditFile) throws(DiskError) {
        let present = try disk.open(AuditTrail.newest, create: false)
        let start = found.torn?.lowerBound ?? found.bytes.count
        let end = found.bytes.count + Self.padding(found.bytes.count)
        if start < end {
            let blanks = [UInt8](repeating: UInt8(ascii: " "), count: end - start - 1) + [UInt8(ascii: "\n")]
            try unsafe present.write(blanks.span.bytes, at: Int64(start))
        }
        try present.sync()
        try disk.syncDirectory()
        offset = Int64(end)
        file = present
    }
}
