// What column segments are found on the disk, and which parts count in them.

internal import GatewayModel
internal import GatewayPlatform

struct ColumnRecovery {
    var slots: [SlotRing.Slot] = []
    /// In the order in which they were made.
    var parts: [LiveColumns] = []
    var lastNumber: UInt64 = 0
    /// The newest segment, if it can be gone on with.
    var newest: (info: ColumnSegment, slot: Int, page: ColumnPage)?
    /// One sentence for each file that can't be used as it is.
    var setAside: [String] = []

    private let disk: any Disk

    /// Reads 8 KiB of each slot. Writes nothing.
    /// - Throws: when the folder can't be listed.
    init(_ disk: any Disk, stream: [UInt8]) throws(DiskError) {
        self.disk = disk
        let files = try disk.list().filter { SlotRing.isSlot($0, SlotRing.columns) }
        if !files.isEmpty { try disk.syncDirectory() }
        var found: [(header: SegmentHeader, slot: Int, page: [UInt8])] = []
        var unidentified: UInt64 = 0
        for file in files {
            var slot = SlotRing.Slot(file: file, byteCount: 0)
            do throws(DiskError) {
                let opened = try disk.open(file, create: false)
                slot.byteCount = try opened.size()
                let bytes = try opened.read(count: ColumnPage.end, at: 0)
                switch SegmentHeader.read(Array(bytes.prefix(SegmentHeader.byteCount)), columns: true) {
                case .blank: break
                case .valid(let header):
                    found.append((header, slots.count, Array(bytes.dropFirst(SegmentHeader.byteCount))))
                case .newer:
                    slot.state = .leftAlone
                    setAside.append("\(file) was written by a newer version and is left alone")
                    unidentified += 1
                case .damaged:
                    setAside.append("\(file) has no readable header and will be used again")
                    unidentified += 1
                }
            } catch {
                slot.state = .leftAlone
                setAside.append("\(file) can't be read: \(error)")
                unidentified += 1
            }
            slots.append(slot)
        }
        let own = found.filter { $0.header.stream == stream }.sorted { $0.header.number < $1.header.number }
        for foreign in found where foreign.header.stream != stream {
            setAside.append("\(slots[foreign.slot].file) belongs to another store and will be used again")
        }
        lastNumber = (own.last?.header.number ?? 0) + unidentified
        guard let last = own.last else { return }
        for (header, slot, page) in own where header.number >= last.header.oldestLive {
            take(header, slot, page, isNewest: header.number == last.header.number)
        }
    }

    private mutating func take(_ header: SegmentHeader, _ slot: Int, _ bytes: [UInt8], isNewest: Bool) {
        let info = ColumnSegment(header, file: slots[slot].file, byteCount: slots[slot].byteCount)
        slots[slot].segment = header.number
        if let page = ColumnPage(bytes, seed: info.seed, segmentBytes: info.byteCount) {
            parts += page.parts.map { LiveColumns(part: $0, segment: info) }
            if isNewest { newest = (info, slot, page) }
        } else if !bytes.allSatisfy({ $0 == 0 }) {
            // Never whole parts and no page, unless both copies of it were damaged: what lies there is looked for.
            let found = search(info)
            parts += found.map { LiveColumns(part: $0, segment: info) }
            if !found.isEmpty { setAside.append("\(info.file) had lost its page; its parts were found again") }
        }
    }

    /// Looks for the indices of parts. One that no page ever told may be torn, but has been made again further on.
    private func search(_ info: ColumnSegment) -> [ColumnPart] {
        guard let file = try? disk.open(info.file, create: false) else { return [] }
        var scanner = info.scanner(file, from: Int64(ColumnPage.end), to: info.byteCount)
        var found: [ColumnPart] = []
        while let frame = try? scanner.next() {
            guard frame.header.type == FrameType.columnIndex,
                let part = ColumnPart(frame.bytes, at: frame.payload.lowerBound, segmentBytes: info.byteCount)
            else { continue }
            found.append(part)
        }
        return found
    }
}
