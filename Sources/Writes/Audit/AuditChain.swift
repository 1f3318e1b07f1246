// Whether a trail is whole: every line holds the hash of the one before it.

package import GatewayPlatform

/// What one file of a trail holds.
struct AuditFile {
    var name: String
    /// Lines that can be read, with their place.
    var lines: [(line: AuditLine, range: Range<Int>, hash: String)] = []
    /// Places that hold something else, and are no torn end.
    var damage: [Range<Int>] = []
    /// From here on the file holds the beginning of a line that was never acknowledged.
    var torn: Range<Int>?
    var bytes: [UInt8]

    /// A line that was cut off is at most this long.
    static let longestLine = 8192

    init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let range = start..<end
            let isWhole = end < bytes.count
            start = end + 1
            // A torn end that a later start has blanked out.
            if bytes[range].allSatisfy({ $0 == UInt8(ascii: " ") }) && isWhole { continue }
            if isWhole, let line = AuditLine(Array(bytes[range])) {
                lines.append((line, range, AuditHash.of(bytes[range])))
            } else {
                damage.append(range)
            }
        }
        let good = lines.last?.range.upperBound ?? 0
        if let first = damage.first(where: { $0.lowerBound >= good }),
            bytes.count - first.lowerBound <= Self.longestLine
        {
            torn = first.lowerBound..<bytes.count
            damage.removeAll { $0.lowerBound >= good }
        }
    }
}

/// Walks over the files of a trail, oldest first.
package struct AuditReport: Equatable, Sendable {
    package var lines = 0
    package var firstSequence: UInt64?
    package var lastSequence: UInt64?
    /// The hash of the last line: what somebody who wants to be sure writes down elsewhere.
    package var lastHash = AuditHash.first
    /// What must not be, with file and line.
    package var problems: [String] = []
    /// What is odd, and explained.
    package var notes: [String] = []

    /// The line to keep elsewhere; nil while there is none.
    package var pin: AuditPin? { lastSequence.map { AuditPin(sequence: $0, hash: lastHash) } }

    private var beforeLast: (sequence: UInt64, hash: String)?
    /// Pins that somebody has kept, and what the lines of these numbers have now.
    private let pins: [AuditPin]
    private var found: [UInt64: String] = [:]

    package init(pins: [AuditPin] = []) { self.pins = pins }

    package static func == (left: Self, right: Self) -> Bool {
        left.lines == right.lines && left.lastHash == right.lastHash && left.problems == right.problems
            && left.notes == right.notes
    }

    /// - Parameter beginsTrail: no file has been given up before this one, so it must begin with line 1.
    mutating func add(_ file: AuditFile, beginsTrail: Bool) {
        for damage in file.damage { problems.append("\(file.name): byte \(damage.lowerBound): no line of a trail") }
        if let torn = file.torn {
            notes.append("\(file.name): \(torn.count) bytes at its end were never acknowledged")
        }
        for (index, entry) in file.lines.enumerated() {
            check(entry.line, file.name, isFirstOfFile: index == 0, beginsTrail: beginsTrail)
            beforeLast = lastSequence.map { ($0, lastHash) }
            lines += 1
            firstSequence = firstSequence ?? entry.line.sequence
            lastSequence = entry.line.sequence
            lastHash = entry.hash
            if pins.contains(where: { $0.sequence == entry.line.sequence }) { found[entry.line.sequence] = entry.hash }
        }
    }

    /// Holds what was found against the pins.
    fileprivate mutating func checkPins() {
        for pin in pins {
            if let hash = found[pin.sequence] {
                if hash != pin.hash { problems.append("line \(pin.sequence) is another than the one that was pinned") }
            } else if let first = firstSequence, pin.sequence < first {
                notes.append("line \(pin.sequence) was pinned and is in a file that was given up")
            } else {
                problems.append("line \(pin.sequence) was pinned and is not there")
            }
        }
    }

    private mutating func check(_ line: AuditLine, _ file: String, isFirstOfFile: Bool, beginsTrail: Bool) {
        guard let last = lastSequence else {
            if line.sequence > 1 && beginsTrail {
                problems.append("\(file): begins with line \(line.sequence), not with line 1")
            } else if line.sequence > 1 {
                notes.append("the trail begins with line \(line.sequence): older files were given up")
            } else if line.previous != AuditHash.first {
                problems.append("\(file): line 1 does not begin a trail")
            }
            return
        }
        if line.previous == lastHash && line.sequence == last + 1 { return }
        // A disk that failed: its last line was not acknowledged, and the next file took the number again.
        if isFirstOfFile, let before = beforeLast, line.sequence == last, line.previous == before.hash {
            notes.append("\(file): takes line \(last) again, which the disk had not acknowledged")
            lines -= 1
            return
        }
        problems.append(
            line.sequence == last + 1
                ? "\(file): line \(line.sequence) does not follow from the line before it"
                : "\(file): line \(line.sequence) stands where line \(last + 1) should")
    }
}

/// The files of a trail in one folder.
package enum AuditTrail {
    package static let newest = "audit.jsonl"

    static func name(_ number: Int) -> String { "audit.\(number).jsonl" }

    /// The number of an older file.
    static func number(of name: String) -> Int? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "audit", parts[2] == "jsonl", let number = Int(parts[1]), number > 0 else {
            return nil
        }
        return name == self.name(number) ? number : nil
    }

    /// All files, oldest first.
    package static func names(on disk: any Disk) throws(DiskError) -> [String] {
        let names = try disk.list()
        let old = names.compactMap(number(of:)).sorted().map(name)
        return old + (names.contains(newest) ? [newest] : [])
    }

    static func read(_ name: String, on disk: any Disk) throws(DiskError) -> AuditFile {
        let file = try disk.open(name, create: false)
        return AuditFile(name: name, bytes: try file.read(count: Int(try file.size()), at: 0))
    }

    /// Checks every line, and that those whose number and hash somebody has kept are still the same.
    package static func verify(on disk: any Disk, pins: [AuditPin] = []) throws(DiskError) -> AuditReport {
        var report = AuditReport(pins: pins)
        let names = try names(on: disk)
        let isWhole = names.first.map { $0 == newest || $0 == self.name(1) } ?? true
        for (index, name) in names.enumerated() {
            report.add(try read(name, on: disk), beginsTrail: isWhole && index == 0)
        }
        report.checkPins()
        return report
    }

    /// The last lines, oldest first.
    package static func last(_ count: Int, on disk: any Disk) throws(DiskError) -> [AuditLine] {
        var lines: [AuditLine] = []
        for name in try names(on: disk).reversed() {
            lines = try read(name, on: disk).lines.map(\.line) + lines
            if lines.count >= count { break }
        }
        return Array(lines.suffix(count))
    }
}
