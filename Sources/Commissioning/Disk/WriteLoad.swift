// What the journal will write in a day, and how long a medium bears it. Pure.

package import GatewayModel
package import GatewayPlatform

/// The readings that reach the journal.
package struct WriteLoad: Equatable, Sendable {
    /// Nil when nobody knows.
    package var readingsPerSecond: Double?
    /// Tags in the dictionary that each segment begins with.
    package var tags: Int
    /// Tags that speak when they like and are not in the rate.
    package var tagsWithoutPeriod = 0

    /// Bytes of a reading in the row log and in the columns that are made of a sealed segment: the bars of the store's
    /// design, held on its synthetic mix.
    package var rowBytes = 2.2
    package var columnBytes = 0.9
    /// The two come from the sealed segments of the store that is there already.
    package private(set) var isFromStore = false

    package init(readingsPerSecond: Double?, tags: Int = 0) {
        (self.readingsPerSecond, self.tags) = (readingsPerSecond, tags)
    }

    /// Takes the bytes of a reading from a store that has run: everything included that its segments hold.
    package mutating func learn(sealedBytes: Int64, records: UInt64, columnBytes: Int64, columnReadings: UInt64) {
        // Of a few thousand records most is dictionary and slack.
        guard records >= 10_000 else { return }
        isFromStore = true
        rowBytes = Double(sealedBytes) / Double(records)
        self.columnBytes = columnReadings > 0 ? Double(columnBytes) / Double(columnReadings) : 0
    }

    /// Every tag as often as it is read: what a deadband or a silent device leaves out is not known before.
    package init(_ table: TagTable) {
        let live = table.tags.filter(\.isLive)
        let periods = live.compactMap(\.period).filter { $0 > .zero }
        let rate = periods.reduce(0) { $0 + 1 / $1.inSeconds }
        self.init(readingsPerSecond: rate > 0 ? rate : nil, tags: live.count)
        tagsWithoutPeriod = live.count - periods.count
    }
}

/// What of that reaches the device.
package struct WearModel: Equatable, Sendable {
    /// Bytes that a commit writes beyond its own pages: the file system's journal, its times. 286 and 341 B were
    /// measured on ext4 with a recycled file; on other disks it is measured anew.
    package static let usualOverhead = 300.0
    /// The cursors of some sinks ride with each commit.
    private static let cursorBytes = 128.0
    private static let sectorBytes = 512.0
    private static let pageBytes = 4096.0

    package var load: WriteLoad
    package var overhead: Double
    /// At so many bytes the journal doesn't wait for the window.
    package var earlyCommitBytes: Int

    /// - Parameter measured: nil, or without device bytes: the usual overhead.
    package init(load: WriteLoad, measured: CommitMeasurement?, earlyCommitBytes: Int) {
        self.load = load
        self.earlyCommitBytes = earlyCommitBytes
        overhead = Self.usualOverhead
        if let measured, let bytes = measured.deviceBytesPerCommit {
            overhead = max(0, bytes - Double(measured.bytesPerCommit))
        }
    }

    package func commitsPerSecond(window: Duration) -> Double {
        guard let rate = load.readingsPerSecond else { return 1 / window.inSeconds }
        // Without a reading nothing is committed; what it brings is its own commit and that of its acknowledgement.
        let byTime = min(1 / window.inSeconds, 2 * rate)
        return max(byTime, rate * load.rowBytes / Double(earlyCommitBytes))
    }

    /// A commit begins on a sector of its own and writes whole pages up to where it ends. Agrees within 4 % with what
    /// was measured on a loop device with 100, 1,000 and 10,000 readings a commit.
    package func deviceBytesPerCommit(window: Duration) -> Double {
        let rate = load.readingsPerSecond ?? 0
        let payload = rate / commitsPerSecond(window: window) * load.rowBytes + Self.cursorBytes
        let sectors = (payload / Self.sectorBytes).rounded(.up) * Self.sectorBytes
        return sectors + Self.pageBytes - Self.sectorBytes + overhead
    }

    package func deviceBytesPerDay(window: Duration) -> Double {
        let commits = commitsPerSecond(window: window) * deviceBytesPerCommit(window: window)
        return (commits + (load.readingsPerSecond ?? 0) * load.columnBytes) * 86_400
    }
}

/// How much a medium takes in its life.
package struct FlashEndurance: Equatable, Sendable {
    package var bytes: Double
    /// What the figure rests on, for people.
    package var basis: String

    /// As the data sheet says.
    package init(terabytesWritten: Double) {
        bytes = terabytesWritten * 1e12
        basis = "\(Spelled.short(terabytesWritten)) TB written, as given"
    }

    /// Assumed, on the low side; nil for what does not wear so, or is not known.
    package init?(_ medium: StorageMedium, capacity: Int64) {
        guard let assumed = Self.assumed(medium) else { return nil }
        bytes = Double(capacity) * assumed.cycles / assumed.amplification
        let gigabytes = Spelled.short((Double(capacity) / 1e9).rounded())
        basis =
            "assumed for \(assumed.name) of \(gigabytes) GB: \(Spelled.short(assumed.cycles)) erase cycles, "
            + "\(Spelled.short(assumed.amplification)) bytes inside for each byte of a small write"
    }

    /// Makers of cheap media print none of this. 300 cycles is the low end of TLC; an SSD's usual rating of 600 TB per
    /// TB already holds its controller's share, and small synced writes are taken to double it.
    private static func assumed(_ medium: StorageMedium) -> (name: String, cycles: Double, amplification: Double)? {
        switch medium {
        case .sdCard: ("an SD card", 300, 4)
        case .eMMC: ("an eMMC", 1000, 3)
        case .ssd: ("an SSD", 600, 2)
        case .hardDisk, .virtual, .unknown: nil
        }
    }

    package func days(bytesPerDay: Double) -> Double { bytesPerDay > 0 ? bytes / bytesPerDay : .infinity }
}
