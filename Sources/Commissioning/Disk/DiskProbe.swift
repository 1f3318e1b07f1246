// Measures what a commit of the journal costs on a disk, by committing as the journal does.

internal import GatewayModel
package import GatewayPlatform

/// Two files of its own in a folder, written and removed again. Touches no other file.
///
/// The files keep their names while they are written: some file systems (btrfs) take a sync of a file without a name
/// lightly, and would be flattered.
package struct DiskProbe {
    package struct Settings: Sendable {
        /// How long to measure, all in all.
        package var duration: Duration
        /// The size of a segment.
        package var fileBytes: Int64
        /// What one commit writes; the journal writes whole pages.
        package var commitBytes: Int

        package init(
            duration: Duration = .seconds(10), fileBytes: Int64 = 8 << 20, commitBytes: Int = DiskProbe.pageBytes
        ) {
            self.duration = duration
            self.fileBytes = max(fileBytes, Int64(1 << 20))
            self.commitBytes = min(max(commitBytes, 1), Int(self.fileBytes) / 4)
                .roundedUp(toMultipleOf: DiskProbe.pageBytes)
        }
    }

    package enum Failure: Error, CustomStringConvertible {
        case disk(DiskError)
        /// Somebody ended it before anything was known.
        case interrupted

        package var description: String {
            switch self {
            case .disk(let error): "\(error)"
            case .interrupted: "ended before anything was measured"
            }
        }
    }

    package static let pageBytes = 4096
    private static let pieceBytes = 1 << 20
    private static let recycledFile = "lineside-commissioning-1.tmp"
    private static let growingFile = "lineside-commissioning-2.tmp"
    /// Enough for a steady 99th percentile, and a bound on what a fast disk is made to write: 16 MiB in 4 KiB.
    static let mostCommits = 4000
    /// A share of each way of writing; what is left is the sequential part's.
    private static let recycledShare = 0.6
    private static let growingShare = 0.3

    private let disk: any Disk
    private let clock: any GatewayClock
    private let settings: Settings
    private let deviceBytes: () -> Int64?
    private let stop: StopSignal
    private var bytesWritten: Int64 = 0

    /// - Parameter deviceBytes: what the device has written so far, whoever asked for it.
    package init(
        disk: any Disk, clock: any GatewayClock, settings: Settings, stop: StopSignal,
        deviceBytes: @escaping () -> Int64?
    ) {
        self.disk = disk
        self.clock = clock
        self.settings = settings
        self.stop = stop
        self.deviceBytes = deviceBytes
    }

    /// Bytes that it will need on the disk at once.
    package static func room(_ settings: Settings) -> Int64 { 2 * settings.fileBytes }

    package mutating func measure() throws(Failure) -> DiskMeasurements {
        // What a run that was killed left behind.
        removeFiles()
        defer { removeFiles() }
        do throws(DiskError) {
            let file = try disk.open(Self.recycledFile, create: true)
            let sequential = try writeWhole(file)
            try disk.syncDirectory()
            let recycled = try commits(file, isGrowing: false, part: Self.recycledShare)
            let growing = try commits(
                try disk.open(Self.growingFile, create: true), isGrowing: true, part: Self.growingShare)
            if let recycled, let growing, let sequential {
                return DiskMeasurements(
                    recycled: recycled, growing: growing, sequentialBytesPerSecond: sequential,
                    bytesWritten: bytesWritten)
            }
        } catch {
            throw .disk(error)
        }
        throw .interrupted
    }

    private func removeFiles() {
        for name in [Self.recycledFile, Self.growingFile] { try? disk.remove(name) }
        try? disk.syncDirectory()
    }

    /// Writes the file whole, as a slot is made, and then once more, which is what is timed: nothing is allocated then.
    private mutating func writeWhole(_ file: any DiskFile) throws(DiskError) -> Double? {
        // Not zeros: a disk that compresses would be flattered.
        let piece = Self.noise(Self.pieceBytes)
        var speed: Double?
        for _ in 0..<2 {
            let began = clock.monotonic()
            var offset: Int64 = 0
            while offset < settings.fileBytes {
                let count = Int(min(Int64(piece.count), settings.fileBytes - offset))
                try file.write(unsafe piece.span.bytes.extracting(0..<count), at: offset)
                offset += Int64(count)
                if stop.raised { return nil }
            }
            try file.sync()
            bytesWritten += settings.fileBytes
            let seconds = clock.monotonic().duration(since: began).inSeconds
            speed = Double(settings.fileBytes) / max(seconds, 1e-9)
        }
        return speed
    }

    /// Writes and syncs a page or more at a time, over and over: as the journal does, one page behind the other.
    private mutating func commits(
        _ file: any DiskFile, isGrowing: Bool, part: Double
    ) throws(DiskError) -> CommitMeasurement? {
        var bytes = Self.noise(settings.commitBytes)
        var share = DeviceShare(deviceBytes())
        let deadline = clock.monotonic().advanced(by: settings.duration * part)
        var samples: [Duration] = []
        var offset: Int64 = 0
        while samples.count < Self.mostCommits, !stop.raised {
            // Each page differs: a disk that knows equal pages would be flattered.
            stamp(samples.count, into: &bytes)
            let began = clock.monotonic()
            try file.write(unsafe bytes.span.bytes, at: offset)
            try file.sync()
            let ended = clock.monotonic()
            samples.append(ended.duration(since: began))
            bytesWritten += Int64(bytes.count)
            if samples.count.isMultiple(of: DeviceShare.commits) { share.note(deviceBytes()) }
            offset += Int64(bytes.count)
            if offset + Int64(bytes.count) > settings.fileBytes {
                if isGrowing { break }
                offset = 0
            }
            if ended >= deadline { break }
        }
        guard let timings = CommitTimings(samples) else { return nil }
        return CommitMeasurement(
            bytesPerCommit: bytes.count, timings: timings, deviceBytesPerCommit: share.bytesPerCommit)
    }

    private func stamp(_ count: Int, into bytes: inout [UInt8]) {
        for index in 0..<min(8, bytes.count) { bytes[index] = UInt8(truncatingIfNeeded: count >> (8 * index)) }
    }

    /// Bytes that nothing makes smaller: xorshift64 (Marsaglia, 2003).
    private static func noise(_ count: Int) -> [UInt8] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }
}

/// What of the device's writing is a commit's. Others write too, and can only add: so it is counted in slices of some
/// commits, of which the lower quartile stands.
struct DeviceShare {
    static let commits = 16
    private var last: Int64?
    private var slices: [Int64] = []

    init(_ first: Int64?) { last = first }

    mutating func note(_ total: Int64?) {
        if let last, let total, total >= last { slices.append(total - last) }
        last = total
    }

    /// Nil where nothing is counted.
    var bytesPerCommit: Double? {
        let sorted = slices.sorted()
        guard let least = sorted.first, sorted.contains(where: { $0 > 0 }) else { return nil }
        let quartile = sorted.count < 4 ? least : sorted[sorted.count / 4]
        return Double(quartile) / Double(Self.commits)
    }
}

extension Int {
    fileprivate func roundedUp(toMultipleOf alignment: Int) -> Int { (self + alignment - 1) / alignment * alignment }
}
