// What `commission-disk` tells people. Pure.

internal import GatewayModel
internal import GatewayPlatform

package enum DiskReport {
    /// - Parameter folder: the store's folder, and where it was measured if that is another.
    package static func lines(
        folder: String, measuredIn: String, facts: DiskFacts, advice: DiskAdvice
    ) -> [String] {
        place(folder, measuredIn, facts) + [""] + measurements(facts) + [""] + load(facts) + [""] + choices(advice)
            + [""] + proposal(advice) + advice.warnings.flatMap { wrapped("warning: \($0)") }
    }

    private static func place(_ folder: String, _ measuredIn: String, _ facts: DiskFacts) -> [String] {
        var lines = ["store: \(folder)"]
        if measuredIn != folder { lines.append("  not there yet; measured in \(measuredIn)") }
        if let mount = facts.place.mount {
            lines.append("  file system: \(mount.kind) on \(mount.folder), from \(mount.source)")
        } else {
            lines.append("  file system: not known")
        }
        if let device = facts.place.device {
            let size = device.byteCount.map { ", \(DiskAdvice.spelled(bytes: Double($0)))" } ?? ""
            lines.append("  device: \(device.name), \(name(device.medium))\(size)")
        }
        lines.append("  free: \(DiskAdvice.spelled(bytes: Double(facts.freeBytes)))")
        return lines
    }

    static func name(_ medium: StorageMedium) -> String {
        switch medium {
        case .sdCard: "SD card"
        case .eMMC: "eMMC"
        case .ssd: "SSD"
        case .hardDisk: "hard disk"
        case .virtual: "a virtual machine's disk"
        case .unknown: "of a kind that Linux doesn't tell"
        }
    }

    private static func measurements(_ facts: DiskFacts) -> [String] {
        let measured = facts.measured
        func row(_ name: String, _ measurement: CommitMeasurement) -> [String] {
            let timings = measurement.timings
            return [
                name, String(timings.count), microseconds(timings.median), microseconds(timings.p99),
                microseconds(timings.longest),
                measurement.deviceBytesPerCommit.map { Spelled.fixed($0, decimals: 0) } ?? "-",
            ]
        }
        let bytes = measured.recycled.bytesPerCommit / 1024
        let rows = [
            ["write + fdatasync of \(bytes) KiB", "commits", "p50 µs", "p99 µs", "max µs", "device B/commit"],
            row("over a written file (the journal's way)", measured.recycled),
            row("at the end of a growing file", measured.growing),
        ]
        return aligned(rows) + [
            "sequential: \(DiskAdvice.spelled(bytes: measured.sequentialBytesPerSecond))/s; "
                + "\(DiskAdvice.spelled(bytes: Double(measured.bytesWritten))) were written, nothing is left behind"
        ]
    }

    private static func load(_ facts: DiskFacts) -> [String] {
        var line = "load: not known (--rate, or a site with periods); one commit per window is assumed"
        if let rate = facts.load.readingsPerSecond {
            line =
                "load: \(Spelled.short(rate, digits: 4)) readings/s at \(Spelled.short(facts.load.rowBytes)) B each, "
                + "\(Spelled.short(facts.load.columnBytes)) B more when a segment is turned into columns "
                + (facts.load.isFromStore ? "(as in the store that is there)" : "(assumed)")
            if facts.load.tagsWithoutPeriod > 0 {
                line += "; \(facts.load.tagsWithoutPeriod) tags without a period are not in it"
            }
        }
        let overhead = Spelled.fixed(facts.wear.overhead, decimals: 0)
        let origin = facts.measured.recycled.deviceBytesPerCommit == nil ? "assumed" : "measured"
        return wrapped(line, "  ") + ["the file system adds \(overhead) B to a commit (\(origin))"] + endurance(facts)
    }

    private static func endurance(_ facts: DiskFacts) -> [String] {
        guard let endurance = facts.endurance else {
            let why = facts.place.device?.medium == .hardDisk ? "a hard disk doesn't wear by writing" : "not known"
            return ["life: \(why); --medium or --endurance-tbw say what to reckon with"]
        }
        let bytes = DiskAdvice.spelled(bytes: endurance.bytes)
        return wrapped("life: \(endurance.basis); that is \(bytes) of the journal's", "  ")
    }

    private static func choices(_ advice: DiskAdvice) -> [String] {
        let rows = advice.choices.map { choice in
            [
                choice.window.spelled, Spelled.fixed(choice.commitsPerDay, decimals: 0),
                DiskAdvice.spelled(bytes: choice.deviceBytesPerDay), choice.days.map(DiskAdvice.spelled(days:)) ?? "-",
                choice.isBearable ? "" : "too slow",
            ]
        }
        return aligned([["commit", "commits/day", "written/day", "life", ""]] + rows)
    }

    private static func proposal(_ advice: DiskAdvice) -> [String] {
        ["proposed for the site file:", "  store:", "    commit: \(advice.window.spelled)"]
            + advice.windowReasons.flatMap { wrapped("      # \($0)", "      # ") }
            + ["    segment: \(advice.segmentBytes >> 20)MiB"]
            + advice.segmentReasons.flatMap { wrapped("      # \($0)", "      # ") }
    }

    private static func microseconds(_ duration: Duration) -> String { String(duration.nanoseconds / 1000) }

    /// The first column to the left, figures to the right.
    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.reduce(0) { max($0, $1[column].count) } }
        return rows.map { row in
            var line = row.enumerated().map { column, text in
                let blanks = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + blanks : blanks + text
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    private static func wrapped(_ text: String, _ others: String = "         ") -> [String] {
        let words = text.drop { $0 == " " }
        let indent = String(text.prefix(text.count - words.count))
        return String(words).wrapped(indent, others)
    }
}
