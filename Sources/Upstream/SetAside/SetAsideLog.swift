// Where records go that no receiver will ever take: a file of lines, with the reason and what the record was.

internal import GatewayModel
package import GatewayPlatform
internal import Journal
internal import Logging

/// How much of what was set aside is kept.
package struct SetAsideBounds: Equatable, Sendable {
    /// Bytes of one file of a sink; then a new one is begun.
    package var fileBytes: Int64 = 8 << 20
    /// Bytes of lines that wait for the disk. Past it further ones are counted instead.
    package var waitingBytes = 256 << 10
    /// Records whose content one line tells; of longer stretches the first so many.
    package var recordsPerLine = 20
    /// Bytes of content in one line; what passes it is left out.
    package var contentBytes = 16 << 10
    /// Lines of one round whose content is looked up in the log, which takes some 0.1 ms each; later ones tell numbers
    /// and reason only.
    package var contentsPerRound = 200

    package init() {}
}

/// Where the lines of all sinks lie.
package enum SetAsideFolder {
    package static func path(in store: String) -> String { "\(store)/set-aside" }

    /// The files of a sink, or of all, the older first.
    package static func files(on disk: some Disk, of sink: String? = nil) throws(DiskError) -> [String] {
        let names = try disk.list()
        let sinks = names.filter { $0.hasSuffix(".jsonl") && !$0.hasSuffix(".1.jsonl") }.map { String($0.dropLast(6)) }
        return sinks.filter { sink == nil || $0 == sink }.flatMap { sink in
            [SetAsideLog.olderName(of: sink), SetAsideLog.name(of: sink)].filter(names.contains)
        }
    }
}

/// The lines of one sink: `<sink>.jsonl`, and `<sink>.1.jsonl` with what was before
/// (Documentation/Formats/set-aside.md).
///
/// Owned by the sink's thread. `note` collects, `flush` writes and makes durable, before the sink's cursor passes what
/// was noted. It never blocks a sink: what the disk refuses waits in RAM, and past its bound is counted and said.
struct SetAsideLog {
    private let sink: String
    private let stream: String
    private let bounds: SetAsideBounds
    private let open: @Sendable () throws(DiskError) -> any Disk
    private let clock: any GatewayClock
    private let logger: Logger
    private var disk: (any Disk)?
    private var file: (any DiskFile)?
    private var offset: Int64 = 0
    private var waiting: [UInt8] = []
    /// Records whose lines were given up, and not yet told in the file.
    private var dropped: UInt64 = 0
    /// Lines since the last round ended that told content.
    private var contents = 0
    private var diskLog = LogThrottle()
    /// After a failure the disk is left alone for so long.
    private var notBefore = MonotonicTime(nanoseconds: .min)

    private static let retryPause = Duration.seconds(10)

    /// - Parameter open: makes the folder when it is first needed.
    init(
        sink: String, stream: String, bounds: SetAsideBounds = SetAsideBounds(), clock: any GatewayClock,
        logger: Logger,
        open: @escaping @Sendable () throws(DiskError) -> any Disk
    ) {
        self.sink = sink
        self.stream = stream
        self.bounds = bounds
        self.open = open
        self.clock = clock
        self.logger = logger
    }

    /// `set-aside` in the store, made when it is first needed.
    static func folder(of journal: Journal) -> @Sendable () throws(DiskError) -> any Disk {
        let path = SetAsideFolder.path(in: journal.directory)
        return { () throws(DiskError) -> any Disk in try POSIXDisk(path: path) }
    }

    static func name(of sink: String) -> String { "\(sink).jsonl" }
    static func olderName(of sink: String) -> String { "\(sink).1.jsonl" }

    /// Takes the records from `first` to before `next`, which go nowhere, with their content from the log.
    mutating func note(_ reason: String, from first: SequenceNumber, to next: SequenceNumber, in journal: Journal) {
        guard next > first else { return }
        let line = SetAsideLine(
            time: clock.wall(), sink: sink, stream: stream, first: first, next: next, reason: reason)
        contents += 1
        if contents <= bounds.contentsPerRound {
            let most = min(Int(clamping: next.value - first.value), bounds.recordsPerLine)
            let chunk = journal.read(from: first, maxRecords: most, maxBytes: bounds.contentBytes)
            let records = chunk.records.compactMap { OutboundReader.cut($0, from: first, to: next) }
            append(
                line.encoded(records, of: chunk.dictionary, most: (bounds.recordsPerLine, bounds.contentBytes)),
                records: next.value - first.value)
        } else {
            append(line.encoded([], of: nil, most: (0, 0)), records: next.value - first.value)
        }
        if waiting.count > bounds.waitingBytes / 4 { write() }
    }

    /// Writes what waits. Called before the cursor moves, at the end of a round.
    mutating func flush() {
        contents = 0
        write()
    }

    private mutating func write() {
        guard !waiting.isEmpty, clock.monotonic() >= notBefore else { return }
        do throws(DiskError) {
            try writeLines()
            waiting.removeAll(keepingCapacity: true)
        } catch {
            // A file that has failed once is not trusted again: the next try opens it anew and looks at its end.
            file = nil
            notBefore = clock.monotonic().advanced(by: Self.retryPause)
            guard let count = diskLog.record(at: clock.monotonic()) else { return }
            logger.error(
                "records that were set aside can't be written down; they wait in memory",
                metadata: ["sink": "\(sink)", "detail": "\(error)", "count": "\(count)"])
        }
    }

    private mutating func append(_ line: [UInt8], records: UInt64) {
        guard waiting.count + line.count <= bounds.waitingBytes else {
            dropped += records
            return
        }
        if dropped > 0 {
            waiting += SetAsideLine.lost(dropped, "the disk did not take them", sink: sink, time: clock.wall())
            dropped = 0
        }
        waiting += line
    }

    private mutating func writeLines() throws(DiskError) {
        if file == nil { try openFile() }
        if offset > 0, offset + Int64(waiting.count) > bounds.fileBytes { try rotate() }
        guard let file else { return }
        try unsafe file.write(waiting.span.bytes, at: offset)
        try file.sync()
        offset += Int64(waiting.count)
    }

    private mutating func openFile() throws(DiskError) {
        let disk: any Disk
        if let present = self.disk { disk = present } else { disk = try open() }
        self.disk = disk
        let file = try disk.open(Self.name(of: sink), create: true)
        offset = try file.size()
        // A power cut may have torn the last line; the next begins on a line of its own.
        if offset > 0, try file.read(count: 1, at: offset - 1) != [UInt8(ascii: "\n")] {
            try unsafe file.write([UInt8(ascii: "\n")].span.bytes, at: offset)
            offset += 1
        }
        try disk.syncDirectory()
        self.file = file
    }

    /// The file before the present one goes, and what goes with it is said.
    private mutating func rotate() throws(DiskError) {
        guard let disk else { return }
        let (name, older) = (Self.name(of: sink), Self.olderName(of: sink))
        var lost: UInt64 = 0
        if try disk.list().contains(older) {
            lost = try Self.lines(of: disk.open(older, create: false))
            try disk.remove(older)
        }
        file = nil
        try disk.rename(name, to: older)
        let fresh = try disk.open(name, create: true)
        try disk.syncDirectory()
        file = fresh
        offset = 0
        guard lost > 0 else { return }
        waiting = SetAsideLine.lost(lost, "lines; there was no room for more", sink: sink, time: clock.wall()) + waiting
        logger.warning(
            "the oldest records that were set aside are gone: no room",
            metadata: ["sink": "\(sink)", "lines": "\(lost)"])
    }

    private static func lines(of file: any DiskFile) throws(DiskError) -> UInt64 {
        var (position, lines): (Int64, UInt64) = (0, 0)
        while true {
            let piece = try file.read(count: 256 << 10, at: position)
            if piece.isEmpty { return lines }
            for byte in piece where byte == UInt8(ascii: "\n") { lines += 1 }
            position += Int64(piece.count)
        }
    }
}
