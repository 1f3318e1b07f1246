// What lies on a simulated disk: seen, and safe.

/// What a power cut does to everything that no sync had made durable.
package enum CrashMode: String, Sendable, CaseIterable {
    /// The device had written all of it.
    case allWritten
    /// None of it.
    case onlySynced
    /// Some sectors, whole, in any order.
    case randomSectors
    /// The same, and some sectors hold garbage.
    case tornWithGarbage
}

/// One recorded change. Files go by number, because a name may come to mean another one.
enum Change: Sendable {
    case create(String)
    case write(Int, offset: Int, [UInt8])
    case sync(Int)
    /// The kernel reported an error: some sectors arrived, and it forgot the others.
    case failedSync(Int)
    case rename(String, String)
    case remove(String)
    case syncDirectory

    /// The file whose bytes it concerns.
    var file: Int? {
        switch self {
        case .write(let file, _, _), .sync(let file), .failedSync(let file): file
        case .create, .rename, .remove, .syncDirectory: nil
        }
    }
}

/// One file: what a reader sees, what is safe, and the sectors that differ or may differ.
struct FileContent: Sendable {
    static let sectorBytes = 512

    private(set) var visible: [UInt8]
    private var durable: [UInt8]
    private var pending: Set<Int> = []

    init(durable: [UInt8] = []) { (visible, self.durable) = (durable, durable) }

    mutating func write(_ bytes: [UInt8], at offset: Int) {
        guard !bytes.isEmpty else { return }
        let end = offset + bytes.count
        if end > visible.count { visible.append(contentsOf: [UInt8](repeating: 0, count: end - visible.count)) }
        visible.replaceSubrange(offset..<end, with: bytes)
        pending.formUnion(offset / Self.sectorBytes...(end - 1) / Self.sectorBytes)
    }

    mutating func sync() {
        if durable.count == visible.count, pending.count < 64 {
            for sector in pending { settle(sector, from: visible) }
        } else {
            durable = visible
        }
        pending = []
    }

    mutating func failSync(_ generator: inout SeededGenerator) {
        grow()
        for sector in pending.sorted() where generator.next() & 1 == 0 { settle(sector, from: visible) }
        pending = []
    }

    private mutating func grow() {
        durable.append(contentsOf: [UInt8](repeating: 0, count: max(0, visible.count - durable.count)))
    }

    mutating func cutPower(_ mode: CrashMode, _ generator: inout SeededGenerator) {
        switch mode {
        case .allWritten:
            grow()
            for sector in pending { settle(sector, from: visible) }
        case .onlySynced: break
        case .randomSectors, .tornWithGarbage:
            if generator.next() & 1 == 0 { grow() }
            for sector in pending.sorted() {
                let roll = generator.next() % 4
                if roll < 2 {
                    settle(sector, from: visible)
                } else if roll == 2, mode == .tornWithGarbage {
                    let garbage = (0..<Self.sectorBytes).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
                    settle(0, from: garbage, to: sector)
                }
            }
        }
        self = FileContent(durable: durable)
    }

    private mutating func settle(_ sector: Int, from source: [UInt8], to target: Int? = nil) {
        let from = sector * Self.sectorBytes
        let to = (target ?? sector) * Self.sectorBytes
        let count = min(Self.sectorBytes, source.count - from, durable.count - to)
        guard count > 0 else { return }
        durable.replaceSubrange(to..<to + count, with: source[from..<from + count])
    }
}

/// The folder and its files.
struct DiskContent: Sendable {
    var names: [String: Int] = [:]
    var files: [Int: FileContent] = [:]
    private var durableNames: [String: Int] = [:]
    /// Names after each change since the last sync of the directory, in order: a journalling file system keeps it.
    private var pendingNames: [[String: Int]] = []
    private var nextFile = 0

    @discardableResult
    mutating func apply(_ change: Change, _ generator: inout SeededGenerator) -> Int {
        switch change {
        case .create(let name):
            nextFile += 1
            files[nextFile] = FileContent()
            names[name] = nextFile
            pendingNames.append(names)
            return nextFile
        case .write(let file, let offset, let bytes): files[file]?.write(bytes, at: offset)
        case .sync(let file): files[file]?.sync()
        case .failedSync(let file): files[file]?.failSync(&generator)
        case .rename(let name, let newName):
            names[newName] = names.removeValue(forKey: name)
            pendingNames.append(names)
        case .remove(let name):
            names[name] = nil
            pendingNames.append(names)
        case .syncDirectory:
            durableNames = names
            pendingNames = []
        }
        return 0
    }

    func afterPowerCut(_ mode: CrashMode, _ generator: inout SeededGenerator) -> DiskContent {
        var content = DiskContent()
        switch mode {
        case .allWritten: content.names = names
        case .onlySynced: content.names = durableNames
        case .randomSectors, .tornWithGarbage:
            let kept = Int(generator.next() % UInt64(pendingNames.count + 1))
            content.names = kept == 0 ? durableNames : pendingNames[kept - 1]
        }
        content.durableNames = content.names
        content.nextFile = nextFile
        for file in content.names.values.sorted() {
            content.files[file] = files[file]
            content.files[file]?.cutPower(mode, &generator)
        }
        return content
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed, for ever.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
