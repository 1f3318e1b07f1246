// The files of the ring: made one after the other, then used again for ever.

internal import GatewayModel
internal import GatewayPlatform

/// Which files there are and which segment lies in each. Owned by the log's writer.
struct SlotRing {
    struct Slot {
        let file: String
        var byteCount: Int64
        /// The segment that it holds; nil when it holds nothing that anyone could read.
        var segment: UInt64?
        var state = State.good

        enum State {
            case good
            /// It failed a write or a sync: never written again in this run, and replaced when its segment is given up.
            case bad
            /// Not ours, or not to be understood: never touched.
            case leftAlone
        }
    }

    /// A slot that is open and at least as long as was asked for.
    struct Claim {
        let index: Int
        let file: any DiskFile
    }

    static let rows = ".segment"
    static let columns = ".columns"
    private static let probeFile = "probe"
    private static let pieceBytes: Int64 = 1 << 20

    private(set) var slots: [Slot]
    private let disk: any Disk
    private let plan: JournalPlan
    /// What the names of its files end in.
    private let suffix: String
    /// Why the ring is smaller than the plan; nil when it isn't, or not yet.
    private(set) var trouble: String?

    init(_ slots: [Slot], disk: any Disk, plan: JournalPlan, suffix: String = Self.rows) {
        self.suffix = suffix
        self.slots = slots
        self.disk = disk
        self.plan = plan
    }

    static func isSlot(_ file: String) -> Bool { isSlot(file, rows) }

    static func isSlot(_ file: String, _ suffix: String) -> Bool {
        file.hasSuffix(suffix) && Int(file.dropLast(suffix.count)) != nil
    }

    var badSlots: Int { slots.count { $0.state == .bad } }
    private var goodSlots: Int { slots.count { $0.state == .good } }

    mutating func markBad(_ index: Int) { slots[index].state = .bad }
    mutating func assign(_ segment: UInt64, to index: Int) { slots[index].segment = segment }

    /// What the ring gives up and what stands against it, as those know who look at the cursors.
    struct Promises {
        /// Its slot is never taken.
        var newest: UInt64?
        var hasAny = false
        var mustHave = false
        /// Bytes in RAM that a stop has to find room for.
        var pendingBytes = 0
        /// What stands against giving up that segment.
        var hold: (UInt64) -> Hold = { _ in .none }
        /// Told the number of a segment before its bytes are given up.
        var release: (UInt64) -> Void = { _ in }
    }

    /// Finds the slot for the next segment as the retention rule says.
    /// - Returns: nil when a sink must get on first.
    mutating func claim(byteCount: Int64, _ promises: Promises) throws(DiskError) -> Claim? {
        let rule = rule(byteCount: byteCount, promises)
        var refusal = DiskError(operation: "create", file: plan.directory, code: Self.noSpace)
        var canCreate = true
        removeUseless()
        removeSurplus(rule.slots)
        while true {
            switch rule.step(view(rule, byteCount: byteCount, promises, canCreate: canCreate)) {
            case .useUnused:
                guard let unused = firstUnused else { throw refusal }
                return try open(unused, byteCount: byteCount)
            case .grow:
                do { return try create(byteCount: byteCount) } catch { refusal = error }
                trouble = "The ring stays small: \(refusal)."
                canCreate = false
            case .giveUpOldest:
                guard let (index, segment) = oldest(but: promises.newest) else { throw refusal }
                promises.release(segment)
                slots[index].segment = nil
                // Nobody can need a failed slot's records any more: there is room for another in its place.
                if slots[index].state == .bad { canCreate = true }
                removeUseless()
            case .wait: return nil
            case .refuse: throw refusal
            }
        }
    }

    /// Whether the next claim would have to wait for a sink.
    mutating func mustWait(byteCount: Int64, _ promises: Promises) -> Bool {
        let rule = rule(byteCount: byteCount, promises)
        return rule.step(view(rule, byteCount: byteCount, promises, canCreate: true)) == .wait
    }

    /// Makes one slot of the reserve, if one is missing and there is room.
    mutating func prepareReserve(_ promises: Promises) {
        let byteCount = plan.segmentBytes
        let rule = rule(byteCount: byteCount, promises)
        guard promises.hasAny,
            rule.missingReserve(view(rule, byteCount: byteCount, promises, canCreate: true)) > 0
        else { return }
        do {
            _ = try create(byteCount: byteCount)
        } catch {
            trouble = "The ring stays small: \(error)."
        }
    }

    /// Gives the segments up to `number` up without need of their slots.
    mutating func forget(upTo number: UInt64) {
        for index in slots.indices where slots[index].segment.map({ $0 <= number }) == true {
            slots[index].segment = nil
        }
    }

    /// Gives one segment up.
    mutating func forget(_ number: UInt64) {
        for index in slots.indices where slots[index].segment == number { slots[index].segment = nil }
    }

    private func rule(byteCount: Int64, _ promises: Promises) -> RetentionRule {
        RetentionRule(
            slots: Int(max(2, plan.diskBytes / max(byteCount, plan.segmentBytes))), hasPromises: promises.hasAny,
            mustHave: promises.mustHave, extra: 2 + 2 * promises.pendingBytes / Int(plan.segmentBytes))
    }

    private mutating func view(
        _ rule: RetentionRule, byteCount: Int64, _ promises: Promises, canCreate: Bool
    ) -> RetentionRule.View {
        RetentionRule.View(
            unused: unusedSlots, good: goodSlots, live: slots.count { $0.segment != nil && $0.state == .good },
            oldest: oldest(but: promises.newest).map { promises.hold($0.segment) },
            mayGrow: canCreate && goodSlots < rule.mostSlots && hasRoom(for: byteCount))
    }

    private var unusedSlots: Int { slots.count { $0.segment == nil && $0.state == .good } }

    private var firstUnused: Int? { slots.firstIndex { $0.segment == nil && $0.state == .good } }

    /// ENOSPC, without importing the C library for one number.
    private static let noSpace: Int32 = 28
    private static let noSuchFile: Int32 = 2

    /// A failed file is never written again: when nobody can need it any more, it goes, and another takes its place.
    private mutating func removeUseless() {
        let disk = disk
        slots.removeAll { slot in
            guard slot.state == .bad && slot.segment == nil else { return false }
            do throws(DiskError) {
                try disk.remove(slot.file)
                return true
            } catch {
                // Gone already, with its folder perhaps.
                return error.code == Self.noSuchFile
            }
        }
    }

    private func oldest(but newest: UInt64?) -> (index: Int, segment: UInt64)? {
        slots.indices.compactMap { index in
            slots[index].segment.flatMap { $0 == newest ? nil : (index, $0) }
        }.min { $0.1 < $1.1 }
    }

    /// The plan was made smaller, or a start had needed more: what holds nothing is given back.
    private mutating func removeSurplus(_ wanted: Int) {
        while goodSlots > wanted, unusedSlots > 1,
            let index = slots.lastIndex(where: { $0.segment == nil && $0.state == .good }),
            (try? disk.remove(slots[index].file)) != nil
        {
            slots.remove(at: index)
        }
    }

    private mutating func hasRoom(for byteCount: Int64) -> Bool {
        let free = (try? disk.freeBytes()) ?? 0
        let fits = free - byteCount >= plan.keepFreeBytes
        trouble = fits ? nil : "The ring stays small: only \(free >> 20) MiB are free in \(plan.directory)."
        // Two are the least that can be used in turn without losing everything at once.
        return fits || goodSlots < 2
    }

    /// Whether the disk takes anything at all, found out without giving up a slot.
    func probe() throws(DiskError) {
        let file = try disk.open(Self.probeFile, create: true)
        let zeros = [UInt8](repeating: 0, count: SegmentHeader.byteCount)
        try file.write(unsafe zeros.span.bytes, at: 0)
        try file.sync()
        try disk.remove(Self.probeFile)
    }

    private mutating func create(byteCount: Int64) throws(DiskError) -> Claim {
        var number = 0
        let taken = Set(slots.map(\.file))
        while taken.contains(name(number)) { number += 1 }
        let file = name(number)
        do {
            let opened = try disk.open(file, create: true)
            try prewrite(opened, to: byteCount)
            try disk.syncDirectory()
            slots.append(Slot(file: file, byteCount: byteCount))
            return Claim(index: slots.count - 1, file: opened)
        } catch {
            // Half a slot only takes room; when this fails too, the next start finds it blank and uses it.
            try? disk.remove(file)
            throw error
        }
    }

    private mutating func open(_ index: Int, byteCount: Int64) throws(DiskError) -> Claim {
        do {
            let file = try disk.open(slots[index].file, create: false)
            slots[index].segment = nil
            try prewrite(file, to: byteCount)
            slots[index].byteCount = max(slots[index].byteCount, byteCount)
            return Claim(index: index, file: file)
        } catch {
            slots[index].state = .bad
            throw error
        }
    }

    /// Writes zeros from the end of the file to `byteCount`, so that no later commit has to allocate: a growing file
    /// costs 20 KB of the file system's own journal per commit, a pre-written one 0.3 KB (measured on ext4).
    private func prewrite(_ file: any DiskFile, to byteCount: Int64) throws(DiskError) {
        var offset = try file.size()
        guard offset < byteCount else { return }
        let zeros = [UInt8](repeating: 0, count: Int(min(Self.pieceBytes, byteCount - offset)))
        while offset < byteCount {
            let count = Int(min(Int64(zeros.count), byteCount - offset))
            try file.write(unsafe zeros.span.bytes.extracting(0..<count), at: offset)
            offset += Int64(count)
        }
        try file.sync()
    }

    private func name(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + suffix
    }
}
