// Which commit window and segment size a measured disk should get, and why. Pure.

internal import GatewayModel
package import GatewayPlatform

/// All that a proposal rests on.
package struct DiskFacts: Sendable {
    package var place: StoragePlace
    package var freeBytes: Int64
    package var measured: DiskMeasurements
    package var load: WriteLoad
    /// Nil: nobody knows what wears.
    package var endurance: FlashEndurance?
    /// The configured ring, and what is to stay free beside it.
    package var ringBytes: Int64
    package var keepFreeBytes: Int64
    /// What the journal holds in RAM while the disk stalls, and at how many bytes it doesn't wait for its window.
    package var pendingBytes: Int
    package var earlyCommitBytes: Int
    /// How long the medium should last.
    package var years: Double

    package init(
        place: StoragePlace, freeBytes: Int64, measured: DiskMeasurements, load: WriteLoad, endurance: FlashEndurance?,
        ringBytes: Int64, keepFreeBytes: Int64, pendingBytes: Int, earlyCommitBytes: Int, years: Double
    ) {
        self.place = place
        self.freeBytes = freeBytes
        self.measured = measured
        self.load = load
        self.endurance = endurance
        self.ringBytes = ringBytes
        self.keepFreeBytes = keepFreeBytes
        self.pendingBytes = pendingBytes
        self.earlyCommitBytes = earlyCommitBytes
        self.years = years
    }

    package var wear: WearModel {
        WearModel(load: load, measured: measured.recycled, earlyCommitBytes: earlyCommitBytes)
    }
}

package struct DiskAdvice: Equatable, Sendable {
    /// What one window would mean.
    package struct Choice: Equatable, Sendable {
        package var window: Duration
        package var commitsPerDay: Double
        package var deviceBytesPerDay: Double
        /// Nil when nobody knows what the medium bears.
        package var days: Double?
        /// Ten times as long as 99 of 100 commits take.
        package var isBearable: Bool
    }

    package static let defaultWindow = Duration.seconds(1)
    package static let windows: [Duration] = [
        .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(500), .seconds(1), .seconds(2),
        .seconds(5), .seconds(10),
    ]
    package static let defaultSegment: Int64 = 8 << 20
    private static let segments: [Int64] = (0...6).map { 1 << (20 + $0) }

    package private(set) var choices: [Choice] = []
    package private(set) var window: Duration
    package private(set) var windowReasons: [String] = []
    package private(set) var segmentBytes: Int64
    package private(set) var segmentReasons: [String] = []
    package private(set) var warnings: [String] = []

    package init(_ facts: DiskFacts) {
        let wear = facts.wear
        choices = Self.windows.map { window in
            let bytes = wear.deviceBytesPerDay(window: window)
            return Choice(
                window: window, commitsPerDay: wear.commitsPerSecond(window: window) * 86_400,
                deviceBytesPerDay: bytes, days: facts.endurance?.days(bytesPerDay: bytes),
                isBearable: facts.measured.recycled.timings.p99 * 10 <= window)
        }
        (window, segmentBytes) = (Self.defaultWindow, Self.defaultSegment)
        chooseWindow(facts)
        chooseSegment(facts)
        warnings = DiskWarnings.all(facts)
    }

    /// The default, unless the disk is too slow for it or would wear out: then the shortest that is neither.
    private mutating func chooseWindow(_ facts: DiskFacts) {
        let (p99, wanted) = (facts.measured.recycled.timings.p99, facts.years * 365)
        func lasts(_ choice: Choice) -> Bool { (choice.days ?? .infinity) >= wanted }
        let candidates = choices.filter { $0.window >= Self.defaultWindow }
        let bearable = candidates.filter(\.isBearable)
        let chosen = bearable.first(where: lasts) ?? bearable.last ?? candidates[candidates.count - 1]
        window = chosen.window
        let slow = "99 of 100 commits take up to \(Self.spelled(p99))"
        if let first = bearable.first {
            windowReasons.append(
                first.window == Self.defaultWindow
                    ? "\(slow): less than a tenth of the usual 1s"
                    : "\(slow): a shorter window would keep the disk busy more than a tenth of the time")
        } else {
            windowReasons.append("\(slow): too slow for any window; the longest hurts least")
        }
        if let days = chosen.days {
            let life =
                "at that \(Self.spelled(bytes: chosen.deviceBytesPerDay)) a day reach the device: "
                + "\(Self.spelled(days: days)) of life"
            if days < wanted {
                windowReasons.append("\(life), less than the \(Spelled.short(facts.years)) years asked for")
            } else if let first = bearable.first, first.window < chosen.window {
                windowReasons.append(
                    "\(life); with \(first.window.spelled) it would be "
                        + Self.spelled(days: first.days ?? .infinity))
            } else {
                windowReasons.append(life)
            }
        }
        if let shortest = choices.first(where: { $0.isBearable && lasts($0) }), shortest.window < window {
            windowReasons.append("if a power cut must take less, this disk also bears \(shortest.window.spelled)")
        }
    }

    /// What a device path and its tag's name, unit and source take in the dictionary, about.
    private static let dictionaryBytesPerTag = 80.0

    /// The default, unless the ring is small, the dictionary long or the plant fast.
    private mutating func chooseSegment(_ facts: DiskFacts) {
        let prologue = 4096 + Double(facts.load.tags) * Self.dictionaryBytesPerTag
        let perMinute = (facts.load.readingsPerSecond ?? 0) * facts.load.rowBytes * 60
        // Retention gives up whole segments: an eighth of the ring at once is enough.
        let most = max(Self.segments[0], facts.ringBytes / 8)
        func fits(_ bytes: Int64) -> Bool { Double(bytes) >= 50 * prologue && Double(bytes) >= perMinute }
        let allowed = Self.segments.filter { $0 <= most }
        if Self.defaultSegment <= most, fits(Self.defaultSegment) {
            segmentReasons.append("the usual size: its dictionary is less than a fiftieth of it")
            if perMinute > 0 {
                let minutes = Double(Self.defaultSegment) / perMinute
                segmentReasons.append("it lasts \(Self.spelled(days: minutes / 1440)) at this rate")
            }
            return
        }
        let larger = allowed.filter { $0 >= Self.defaultSegment }
        segmentBytes = larger.first(where: fits) ?? allowed.last ?? Self.segments[0]
        if segmentBytes < Self.defaultSegment || !fits(segmentBytes) && segmentBytes * 2 > most {
            segmentReasons.append("at most an eighth of the ring, because the ring gives up whole segments")
        } else if perMinute > Double(Self.defaultSegment) {
            segmentReasons.append("a smaller one would be full in less than a minute")
        } else {
            segmentReasons.append("the dictionary of \(facts.load.tags) tags would be more than a fiftieth of 8 MiB")
        }
    }

    // MARK: Words

    static func spelled(_ duration: Duration) -> String {
        duration < .milliseconds(1) ? "\(duration.nanoseconds / 1000) µs" : Spelled.milliseconds(duration)
    }

    package static func spelled(bytes: Double) -> String {
        switch bytes {
        case 1e12...: "\(Spelled.fixed(bytes / 1e12, decimals: 1)) TB"
        case 1e9...: "\(Spelled.fixed(bytes / 1e9, decimals: 1)) GB"
        case 1e6...: "\(Spelled.fixed(bytes / 1e6, decimals: 1)) MB"
        case 1e3...: "\(Spelled.fixed(bytes / 1e3, decimals: 1)) KB"
        default: "\(Spelled.fixed(bytes, decimals: 0)) B"
        }
    }

    package static func spelled(days: Double) -> String {
        switch days {
        case 365_000...: "more than a thousand years"
        case 730...: "\(Spelled.fixed(days / 365, decimals: 1)) years"
        case 2...: "\(Spelled.fixed(days, decimals: 0)) days"
        case (1.0 / 12)...: "\(Spelled.fixed(days * 24, decimals: 1)) hours"
        default: "\(Spelled.fixed(days * 1440, decimals: 0)) minutes"
        }
    }
}

/// What whoever commissions the box should hear.
enum DiskWarnings {
    /// No device flushes that fast; what answers so has a cache of its own, or none of it is true.
    private static let tooGoodToBeTrue = Duration.microseconds(5)
    private static let longStall = Duration.seconds(1)

    static func all(_ facts: DiskFacts) -> [String] {
        var warnings: [String] = []
        let timings = facts.measured.recycled.timings
        let nature = facts.place.mount?.nature ?? .local
        if let mount = facts.place.mount {
            switch nature {
            case .memory:
                warnings.append(
                    "\(mount.folder) is \(mount.kind): it lives in RAM, and nothing of it survives a power cut or a "
                        + "restart of the machine. Put the store on a disk")
            case .network:
                warnings.append(
                    "\(mount.folder) is \(mount.kind): a store over the network stops when the network does, and what "
                        + "'synced' means is up to the other side. Put the store on a disk of this machine")
            case .layered:
                warnings.append(
                    "\(mount.folder) is \(mount.kind), a layer over another file system, as in a container: mount a "
                        + "volume for the store, or it goes with the container")
            case .local: break
            }
            if mount.options.contains("nobarrier") || mount.options.contains("barrier=0") {
                warnings.append(
                    "\(mount.folder) is mounted without barriers: a power cut may take what was committed. Mount it "
                        + "without 'nobarrier'")
            }
            if ["btrfs", "zfs", "bcachefs"].contains(mount.kind) {
                warnings.append(
                    "\(mount.kind) copies what is overwritten, so used segments are no cheaper than new ones"
                        + (mount.kind == "btrfs" ? "; 'chattr +C' on the empty folder ends that" : ""))
            }
            if ["vfat", "msdos", "exfat"].contains(mount.kind) {
                warnings.append(
                    "\(mount.kind) has no journal of its own: a power cut can take the folder. Use ext4 or f2fs")
            }
        }
        if nature == .local, timings.median < tooGoodToBeTrue {
            warnings.append(
                "a commit takes \(timings.median.nanoseconds / 1000) µs, faster than any disk: somebody says "
                    + "'synced' who isn't")
        }
        if timings.longest >= longStall {
            warnings.append("one commit took \(Spelled.milliseconds(timings.longest)): this medium stalls")
        }
        if let rate = facts.load.readingsPerSecond {
            let seconds = Double(facts.pendingBytes) / (rate * facts.load.rowBytes)
            if timings.longest.inSeconds > seconds / 2 {
                warnings.append(
                    "RAM bridges \(Spelled.short(seconds, digits: 3)) s of a stalled disk at this rate; the longest "
                        + "commit came near it")
            }
        }
        if facts.place.device?.medium == .sdCard {
            warnings.append("an SD card: take an industrial one, made for many small writes")
        }
        let room = facts.freeBytes - facts.keepFreeBytes
        if room < facts.ringBytes {
            warnings.append(
                "\(DiskAdvice.spelled(bytes: Double(facts.freeBytes))) are free, of which "
                    + "\(DiskAdvice.spelled(bytes: Double(facts.keepFreeBytes))) are to stay so: the ring of "
                    + "\(DiskAdvice.spelled(bytes: Double(facts.ringBytes))) will stay smaller")
        }
        return warnings
    }
}
