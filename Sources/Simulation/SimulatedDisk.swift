// A disk in memory that knows what was written and what is safe, fails when told, and loses its power.

package import GatewayPlatform
internal import Synchronization

/// The simulated door to the disk: one folder.
///
/// It keeps two views: what a reader sees, and what a power cut leaves, sector by sector and name by name. It records
/// every change, so that a test can cut the power after each of them. Its faults come from a plan and a seed.
package final class SimulatedDisk: Disk {
    package enum Operation: String, Sendable, CaseIterable {
        case list, open, rename, remove, syncDirectory, freeBytes, write, read, sync, size
    }

    /// Which calls fail, and how.
    package struct Fault: Sendable {
        /// Nil: calls of every kind are counted.
        package var operation: Operation?
        /// The first call that fails, counted from 0.
        package var call: Int
        /// How many calls fail from there on.
        package var count: Int
        /// POSIX errno.
        package var code: Int32
        package init(_ operation: Operation? = nil, call: Int, count: Int = 1, code: Int32 = 5) {
            self.operation = operation
            self.call = call
            self.count = count
            self.code = code
        }
    }

    /// What the whole folder suffers from, until it is told otherwise.
    package enum Condition: Sendable {
        case sound
        /// Remounted so that nothing can be written.
        case readOnly
        /// Taken away: no name is found; open files go on.
        case gone
    }

    private let state: Mutex<SimulatedDiskState>

    package init(freeBytes: Int64 = 1 << 40) { state = Mutex(SimulatedDiskState(freeBytes: freeBytes)) }
    private init(_ content: DiskContent) {
        var fresh = SimulatedDiskState(freeBytes: 1 << 40)
        fresh.content = content
        fresh.origin = content
        state = Mutex(fresh)
    }

    // MARK: For tests

    package func suffer(_ condition: Condition) { state.withLock { $0.condition = condition } }

    package func fail(_ fault: Fault?) {
        state.withLock { $0.fault = fault.map { ($0, 0) } }
    }

    /// How many calls there were.
    package func calls(of operation: Operation? = nil) -> Int {
        state.withLock { state in
            operation.map { state.calls[$0] ?? 0 } ?? state.calls.values.reduce(0, +)
        }
    }
    /// How many changes are recorded: writes, syncs, created, renamed and removed names.
    package var changes: Int { state.withLock { $0.changes.count } }
    /// Writes and syncs of a file after one of its own had failed: nobody may trust it then.
    package var callsAfterFailure: Int { state.withLock { $0.callsAfterFailure } }
    package var freeSpace: Int64 {
        get { state.withLock { $0.freeBytes } }
        set { state.withLock { $0.freeBytes = newValue } }
    }

    /// The disk after a power cut behind the first `changes` recorded changes; nil: now.
    package func crash(_ mode: CrashMode, seed: UInt64, after changes: Int? = nil) -> SimulatedDisk {
        let (origin, recorded) = state.withLock { ($0.origin, $0.changes) }
        var content = origin
        var generator = SeededGenerator(seed: seed)
        for change in recorded.prefix(changes ?? recorded.count) { content.apply(change, &generator) }
        return SimulatedDisk(content.afterPowerCut(mode, &generator))
    }

    /// Every moment at which the power may be cut, one after the other.
    package func crashPoints() -> CrashPoints {
        let (origin, recorded) = state.withLock { ($0.origin, $0.changes) }
        return CrashPoints(origin: origin, changes: recorded)
    }

    fileprivate static func after(powerCut content: DiskContent) -> SimulatedDisk { SimulatedDisk(content) }

    /// The same disk for the next process: what was written is there, durable or not. Nothing is recorded before it.
    package func restarted() -> SimulatedDisk { SimulatedDisk(state.withLock { $0.content }) }

    /// What a reader sees in a file; nil when there is none.
    package func content(of name: String) -> [UInt8]? {
        state.withLock { state in state.content.names[name].flatMap { state.content.files[$0]?.visible } }
    }

    /// Damages or replaces a file, durably.
    package func replace(_ name: String, with bytes: [UInt8]) {
        state.withLock { state in
            guard let file = state.content.names[name] else { return }
            state.content.files[file] = FileContent(durable: bytes)
        }
    }

    // MARK: Disk

    package func list() throws(DiskError) -> [String] {
        try call(.list, "") { state, _ in state.content.names.keys.sorted() }
    }

    package func open(_ name: String, create: Bool) throws(DiskError) -> SimulatedFile {
        let number: Int? = try call(.open, name) { state, _ in
            if let present = state.content.names[name] { return present }
            guard create else { return nil }
            guard state.condition != .readOnly else { return -1 }
            return state.record(.create(name))
        }
        if number == -1 { throw DiskError(operation: "open", file: name, code: 30) }
        guard let number else { throw DiskError(operation: "open", file: name, code: 2) }
        return SimulatedFile(disk: self, number: number, name: name)
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        try call(.rename, name) { state, _ in _ = state.record(.rename(name, newName)) }
    }

    package func remove(_ name: String) throws(DiskError) {
        let isThere = try call(.remove, name) { state, _ in
            guard state.content.names[name] != nil else { return false }
            state.record(.remove(name))
            return true
        }
        if !isThere { throw DiskError(operation: "unlink", file: name, code: 2) }
    }

    package func syncDirectory() throws(DiskError) {
        try call(.syncDirectory, "") { state, _ in _ = state.record(.syncDirectory) }
    }

    package func freeBytes() throws(DiskError) -> Int64 {
        try call(.freeBytes, "") { state, _ in state.freeBytes }
    }

    /// Counts the call, and fails it if the plan says so; a failing write or sync may still do a part of its work.
    fileprivate func call<Result>(
        _ operation: Operation, _ name: String, partly: Change? = nil,
        _ body: (inout SimulatedDiskState, inout SeededGenerator) -> Result
    ) throws(DiskError) -> Result {
        let (result, code): (Result?, Int32) = state.withLock { state in
            if let file = partly?.file, state.failedFiles.contains(file) { state.callsAfterFailure += 1 }
            if let code = state.failure(of: operation) {
                // What may not be written at all isn't written in part either.
                if let partly, state.condition == .sound {
                    state.record(partly)
                    if let file = partly.file { state.failedFiles.insert(file) }
                }
                return (nil, code)
            }
            var generator = state.generator
            defer { state.generator = generator }
            return (body(&state, &generator), 0)
        }
        guard let result else { throw DiskError(operation: operation.rawValue, file: name, code: code) }
        return result
    }
}

/// Goes through what was recorded on a disk once, and cuts the power wherever it stands: each cut costs no more than
/// what lies on the disk.
package struct CrashPoints: Sendable {
    private var content: DiskContent
    private let changes: [Change]
    /// Changes that have happened.
    package private(set) var position = 0
    private var generator = SeededGenerator(seed: 1)

    fileprivate init(origin: DiskContent, changes: [Change]) { (content, self.changes) = (origin, changes) }

    package var count: Int { changes.count }

    /// Lets changes happen until `position` of them have.
    package mutating func advance(to position: Int) {
        while self.position < min(position, changes.count) {
            content.apply(changes[self.position], &generator)
            self.position += 1
        }
    }

    /// The disk after a power cut here.
    package func crash(_ mode: CrashMode, seed: UInt64) -> SimulatedDisk {
        var generator = SeededGenerator(seed: seed)
        return SimulatedDisk.after(powerCut: content.afterPowerCut(mode, &generator))
    }
}

/// An open file. Stays readable after its name is gone.
package final class SimulatedFile: DiskFile {
    private let disk: SimulatedDisk
    private let number: Int
    private let name: String

    fileprivate init(disk: SimulatedDisk, number: Int, name: String) {
        (self.disk, self.number, self.name) = (disk, number, name)
    }

    package func write(_ bytes: RawSpan, at offset: Int64) throws(DiskError) {
        let copy = unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
        let half = Change.write(number, offset: Int(offset), Array(copy.prefix(copy.count / 2)))
        let grew: Bool = try disk.call(.write, name, partly: half) { state, _ in
            let size = state.content.files[number]?.visible.count ?? 0
            let growth = Int64(max(0, Int(offset) + copy.count - size))
            guard growth <= state.freeBytes else { return false }
            state.freeBytes -= growth
            state.record(.write(number, offset: Int(offset), copy))
            return true
        }
        if !grew { throw DiskError(operation: "write", file: name, code: 28) }
    }

    package func read(count: Int, at offset: Int64) throws(DiskError) -> [UInt8] {
        try disk.call(.read, name) { state, _ in
            let bytes = state.content.files[number]?.visible ?? []
            let start = min(Int(offset), bytes.count)
            return Array(bytes[start..<min(start + count, bytes.count)])
        }
    }

    package func sync() throws(DiskError) {
        try disk.call(.sync, name, partly: .failedSync(number)) { state, _ in _ = state.record(.sync(number)) }
    }

    package func size() throws(DiskError) -> Int64 {
        try disk.call(.size, name) { state, _ in Int64(state.content.files[number]?.visible.count ?? 0) }
    }
}

/// What the disk holds and what happened to it.
private struct SimulatedDiskState {
    var content = DiskContent()
    /// Before the first recorded change.
    var origin = DiskContent()
    var changes: [Change] = []
    var calls: [SimulatedDisk.Operation: Int] = [:]
    var failedFiles: Set<Int> = []
    var callsAfterFailure = 0
    var condition = SimulatedDisk.Condition.sound
    var fault: (plan: SimulatedDisk.Fault, seen: Int)?
    var freeBytes: Int64
    var generator = SeededGenerator(seed: 1)

    init(freeBytes: Int64) { self.freeBytes = freeBytes }

    @discardableResult
    mutating func record(_ change: Change) -> Int {
        changes.append(change)
        return content.apply(change, &generator)
    }

    mutating func failure(of operation: SimulatedDisk.Operation) -> Int32? {
        calls[operation, default: 0] += 1
        switch (condition, operation) {
        case (.readOnly, .write), (.readOnly, .sync), (.readOnly, .rename), (.readOnly, .remove): return 30
        case (.gone, .list), (.gone, .open), (.gone, .rename), (.gone, .remove), (.gone, .syncDirectory): return 2
        default: break
        }
        guard let (plan, seen) = fault, plan.operation == nil || plan.operation == operation else { return nil }
        fault = (plan, seen + 1)
        return seen >= plan.call && seen - plan.call < plan.count ? plan.code : nil
    }
}
