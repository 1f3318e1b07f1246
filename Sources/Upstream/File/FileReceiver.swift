// A folder as a receiver: files that somebody takes away (Documentation/Formats/files.md).

internal import GatewayModel
package import GatewayPlatform

extension ParcelBounds {
    /// One write to a file: some thousand records.
    package static let file = ParcelBounds(pieces: .max, bytes: 256 * 1024)
}

/// Writes records to a part, makes them durable, and calls them delivered then; ends files by size and age.
///
/// Owned by the sink's thread. After a write or a sync has failed the file is never written again: what was safe in it
/// becomes a whole file, and everything else comes again from the cursor.
package struct FileReceiver<Storage: Disk, Encoder: ParcelEncoder>: Receiver, ~Copyable {
    private struct Current {
        var name: String
        var file: Storage.File
        /// Bytes that are durable.
        var bytes: Int64
        var since: MonotonicTime
    }
    private struct Job {
        var name: String
        var limit: Int64?
    }

    private let plan: FileReceiverPlan
    private let clock: any GatewayClock
    private let names: FileNames
    private let header: [UInt8]
    private let recordEnd: [UInt8]
    private let makeDisk: () throws(DiskError) -> Storage
    private var disk: Storage?
    private var encoder: Encoder
    private var parcel = Parcel()
    private var deliveries: [DeliveryID] = []
    private var packedSince = MonotonicTime(nanoseconds: 0)
    private var lastID: DeliveryID = 0
    private var current: Current?
    /// Parts that are to become whole files.
    private var jobs: [Job] = []
    private var finisher: FileFinisher<Storage>?
    private var jobsNotBefore = MonotonicTime(nanoseconds: .min)
    private var isReady = false
    /// Nobody else asks this disk: nothing is left to chance.
    private var backOff = BackOff(first: .seconds(1), longest: .seconds(30), spread: 0, seed: 0)
    private var events: [ReceiverEvent] = []

    /// Others need the disk too.
    private static var leastFree: Int64 { 32 << 20 }

    /// - Parameters:
    ///   - header: the first line of every file.
    ///   - recordEnd: what ends a record, and stands nowhere else.
    package init(
        plan: FileReceiverPlan, encoder: Encoder, header: [UInt8], recordEnd: [UInt8], context: ReceiverContext,
        disk: @escaping () throws(DiskError) -> Storage
    ) {
        (self.plan, self.encoder, self.header, self.recordEnd) = (plan, encoder, header, recordEnd)
        clock = context.clock
        names = FileNames(sink: context.sink, stream: context.stream, ending: plan.format == .csv ? ".csv" : ".lp")
        makeDisk = disk
    }

    package var canSend: Bool { isReady && ParcelBounds.file.holds(parcel) }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let now = clock.monotonic()
        if !isReady && backOff.allows(at: now.nanoseconds) { prepare(at: now) }
        if isReady && isDue(at: now) { store(at: now) }
        if let current, now.duration(since: current.since) >= plan.age { end(at: now) }
        return bell.wait(timeout: work(at: now) ? .zero : patience(timeout, at: now)).rung
    }

    package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }

    package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        let before = (bytes: parcel.bytes.count, pieces: parcel.pieces.count)
        encoder.limit(ParcelBounds.file)
        switch encoder.fill(&parcel, from: chunk, at: &place) {
        case .flawed(let reason): return .setAside(reason)
        case .added(let readings):
            guard parcel.pieces.count > before.pieces else { return .setAside("nothing that could be said of it") }
            if before.pieces == 0 { packedSince = clock.monotonic() }
            lastID += 1
            deliveries.append(lastID)
            return .sent(lastID, readings: readings, bytes: parcel.bytes.count - before.bytes)
        }
    }

    package mutating func discard() {
        parcel.removeAll()
        deliveries.removeAll(keepingCapacity: true)
        encoder.beginAgain()
    }

    package mutating func close(bell: WakeUp, within limit: Duration) {
        let deadline = clock.monotonic().advanced(by: limit)
        if isReady { store(at: clock.monotonic()) }
        end(at: clock.monotonic())
        // What isn't finished in time is with the next start.
        while clock.monotonic() < deadline, work(at: clock.monotonic()) {}
        isReady = false
    }

    private func patience(_ timeout: Duration, at now: MonotonicTime) -> Duration {
        var patience = timeout
        if !isReady { patience = min(patience, MonotonicTime(nanoseconds: backOff.notBefore).duration(since: now)) }
        if !parcel.isEmpty { patience = min(patience, plan.commit - now.duration(since: packedSince)) }
        return max(.zero, patience)
    }

    private func isDue(at now: MonotonicTime) -> Bool {
        !parcel.isEmpty && (!ParcelBounds.file.holds(parcel) || now.duration(since: packedSince) >= plan.commit)
    }

    /// Looks at the folder: what an earlier run left, and whether there is room.
    private mutating func prepare(at now: MonotonicTime) {
        do {
            let disk = try disk ?? makeDisk()
            if self.disk == nil {
                for name in try disk.list() where names.isOurs(name) {
                    if name.hasSuffix(FileNames.temporary) { try disk.remove(name) }
                    guard name.hasSuffix(FileNames.part) else { continue }
                    jobs.append(Job(name: String(name.dropLast(FileNames.part.count)), limit: nil))
                }
                self.disk = disk
            }
            if let reason = try shortage(on: disk) { return fail(reason, at: now) }
            isReady = true
            events.append(.ready)
        } catch { fail("\(error); check that the folder may be written by the gateway", at: now) }
    }

    /// Writes what was packed, and makes it durable.
    private mutating func store(at now: MonotonicTime) {
        guard !parcel.isEmpty, let disk, let first = parcel.pieces.first else { return }
        do {
            if try disk.freeBytes() < Self.leastFree + Int64(parcel.bytes.count) {
                return fail("less than \(Self.leastFree >> 20) MiB are free on the disk of \(plan.directory)", at: now)
            }
            if current == nil {
                if let reason = try shortage(on: disk) { return fail(reason, at: now) }
                let name = names.name(from: first.first, among: try disk.list())
                let file = try disk.open(name + FileNames.part, create: true)
                current = Current(name: name, file: file, bytes: 0, since: now)
                try disk.syncDirectory()
                try unsafe file.write(header.span.bytes, at: 0)
                current?.bytes = Int64(header.count)
            }
            guard let file = current?.file, let offset = current?.bytes else { return }
            try unsafe file.write(parcel.bytes.span.bytes, at: offset)
            try file.sync()
            let bytes = offset + Int64(parcel.bytes.count)
            current?.bytes = bytes
            backOff.succeeded()
            for id in deliveries { events.append(.delivered(id)) }
            parcel.removeAll()
            deliveries.removeAll(keepingCapacity: true)
            if bytes >= plan.fileBytes { end(at: now) }
        } catch { fail("\(error)", at: now) }
    }

    /// Why no further file may be begun; removes the oldest first when that is asked for.
    private func shortage(on disk: Storage) throws(DiskError) -> String? {
        var files: [(name: String, bytes: Int64)] = []
        for name in names.sorted(try disk.list().filter(names.isOurs)) {
            files.append((name, try disk.open(name, create: false).size()))
        }
        var total = files.reduce(0) { $0 + $1.bytes }
        for file in files where plan.removesOldest && !isOpen(file.name) {
            guard total + plan.fileBytes > plan.totalBytes else { break }
            try disk.remove(file.name)
            total -= file.bytes
        }
        guard total + plan.fileBytes > plan.totalBytes else { return nil }
        return "\(files.count) files of \(total >> 20) MiB lie in \(plan.directory) and 'total' leaves no room for "
            + "another: take them away"
    }

    private func isOpen(_ name: String) -> Bool {
        name.hasSuffix(FileNames.part) || name.hasSuffix(FileNames.temporary)
    }

    /// The current file is whole: it gets its name, or is compressed under it.
    private mutating func end(at now: MonotonicTime) {
        guard let ended = current, let disk else { return }
        current = nil
        // A file begins with a quality for each tag, so that it can be read alone.
        encoder.beginAgain()
        guard !plan.isGzipped else { return jobs.append(Job(name: ended.name, limit: ended.bytes)) }
        do {
            try disk.rename(ended.name + FileNames.part, to: ended.name)
            try disk.syncDirectory()
        } catch { jobs.append(Job(name: ended.name, limit: ended.bytes)) }
    }

    /// One step of making parts whole.
    /// - Returns: whether there is more to do now.
    private mutating func work(at now: MonotonicTime) -> Bool {
        guard let disk, now >= jobsNotBefore, let job = jobs.first else { return false }
        do {
            let finisher =
                try finisher
                ?? FileFinisher(
                    name: job.name, disk: disk, recordEnd: recordEnd, limit: job.limit, isGzipped: plan.isGzipped)
            self.finisher = finisher
            if try finisher.step() {
                self.finisher = nil
                jobs.removeFirst()
            }
        } catch {
            // Nothing is lost by a part that stays one; others have their turn first.
            finisher = nil
            jobs.append(jobs.removeFirst())
            jobsNotBefore = now.advanced(by: backOff.longest)
        }
        return !jobs.isEmpty && now >= jobsNotBefore
    }

    private mutating func fail(_ reason: String, at now: MonotonicTime) {
        if let broken = current {
            jobs.append(Job(name: broken.name, limit: broken.bytes))
            current = nil
        }
        isReady = false
        backOff.failed(at: now.nanoseconds)
        events.append(.lost(reason))
    }
}
