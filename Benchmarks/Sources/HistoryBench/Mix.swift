// A thousand tags as a plant with Modbus devices has them, and series from files.

internal import GatewayModel
internal import Glibc
internal import TestSupport

/// One tag's readings as columns.
struct Series {
    var name: String
    var times: [Int64]
    var bits: [UInt64]
    var kind: ValueKind = .real
    var qualities: [UInt16] = []
}

/// The synthetic mix: 45 % registers with a scale of 0.1 that walk slowly, 10 % noisy converters in hundredths, 20 % pairs
/// of registers with a float, 10 % flags, 10 % counters, 5 % set points. One in 10,000 readings is bad.
struct Mix {
    private var random: Seeded
    private var walks: [Int64]
    private var floats: [Double]
    let tags: Int

    init(tags: Int, seed: UInt64 = 1) {
        self.tags = tags
        var random = Seeded(seed: seed)
        walks = (0..<tags).map { _ in Int64(200 + random.next() % 5000) }
        floats = (0..<tags).map { _ in 20 + Double(random.next() % 200_000) / 1000 }
        self.random = random
    }

    /// The next scan of all tags.
    mutating func scan(at time: Int64, into readings: inout [Reading]) {
        for tag in 0..<tags {
            let draw = random.next()
            var kind = ValueKind.real
            let bits: UInt64
            switch tag % 20 {
            case 0..<9:
                if draw & 7 < 2 { walks[tag] += draw & 8 == 0 ? 1 : -1 }
                bits = (Double(walks[tag]) * 0.1).bitPattern
            case 9, 10: bits = (Double(walks[tag] + Int64(draw % 17) - 8) * 0.01).bitPattern
            case 11..<15:
                floats[tag] += (unit(draw) - 0.5) * 0.02
                bits = Double(Float(floats[tag] + 0.05 * (unit(random.next()) - 0.5))).bitPattern
            case 15, 16:
                kind = .boolean
                if draw & 511 == 0 { walks[tag] ^= 1 }
                bits = UInt64(walks[tag] & 1)
            case 17, 18:
                kind = .integer
                walks[tag] += Int64(draw & 3)
                bits = UInt64(bitPattern: walks[tag])
            default: bits = (Double(walks[tag]) / 2).bitPattern
            }
            let isBad = (draw >> 40) % 10_000 == 0
            readings.append(
                Reading(
                    tag: TagID(tag), timestamp: Timestamp(nanoseconds: time), kind: isBad ? .none : kind,
                    bits: isBad ? 0 : bits, quality: isBad ? .badTimeout : .good))
        }
    }

    private func unit(_ draw: UInt64) -> Double { Double(draw >> 11) / 9_007_199_254_740_992 }

    /// When scans happen.
    enum Rhythm: String, CaseIterable {
        /// On whole milliseconds exactly.
        case exact
        /// On whole milliseconds, up to two beside the grid.
        case milliseconds
        /// Up to 80 µs beside the grid, to the nanosecond: what a gateway's own clock says of answers.
        case clock
    }

    /// One series for each tag.
    static func series(tags: Int, count: Int, rhythm: Rhythm) -> [Series] {
        var mix = Mix(tags: tags)
        var random = Seeded(seed: 2)
        var all = (0..<tags).map { Series(name: "tag \($0)", times: [], bits: []) }
        var readings: [Reading] = []
        for index in 0..<count {
            let grid = 1_790_000_000_000_000_000 + Int64(index) * 1_000_000_000
            let beside: Int64 =
                switch rhythm {
                case .exact: 0
                case .milliseconds: Int64.random(in: -2...2, using: &random) * 1_000_000
                case .clock: Int64.random(in: -80_000...80_000, using: &random)
                }
            readings.removeAll(keepingCapacity: true)
            mix.scan(at: grid + beside, into: &readings)
            for reading in readings {
                let tag = Int(reading.tag.index)
                all[tag].times.append(reading.timestamp.nanoseconds)
                all[tag].bits.append(reading.bits)
                all[tag].qualities.append(reading.quality.rawValue)
                if reading.kind != .none { all[tag].kind = reading.kind }
            }
        }
        return all
    }
}

/// Series of CSV files: `timestamp,value,…` with a head that names the columns.
enum SeriesFile {
    static func read(_ path: String) -> [Series] {
        guard let text = contents(path) else { return [] }
        let lines = text.split(separator: UInt8(ascii: "\n"))
        guard let head = lines.first else { return [] }
        let names = head.split(separator: UInt8(ascii: ",")).map { String(decoding: $0, as: UTF8.self) }
        var all = names.dropFirst().map { Series(name: $0, times: [], bits: []) }
        for line in lines.dropFirst() {
            let cells = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            guard cells.count == names.count, let time = time(cells[0]) else { continue }
            for (column, cell) in cells.dropFirst().enumerated() {
                guard let value = Double(String(decoding: cell, as: UTF8.self).trimmingEnd) else { continue }
                all[column].times.append(time)
                all[column].bits.append(value.bitPattern)
            }
        }
        return all.filter { !$0.times.isEmpty }
    }

    /// Every `.csv` below a folder.
    static func paths(below folder: String) -> [String] {
        var found: [String] = []
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let path = "\(folder)/\(name)"
            if name.hasSuffix(".csv") { found.append(path) } else { found += paths(below: path) }
        }
        return found.sorted()
    }

    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = unsafe fopen(path, "rb") else { return nil }
        defer { unsafe fclose(file) }
        var (bytes, piece): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 1 << 16))
        while true {
            let count = unsafe fread(&piece, 1, piece.count, file)
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }

    /// `2014-07-01 00:00:00` or RFC 3339 in UTC, in nanoseconds.
    private static func time(_ cell: ArraySlice<UInt8>) -> Int64? {
        let numbers = cell.split { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            .compactMap { Int64(String(decoding: $0, as: UTF8.self)) }
        guard numbers.count >= 6 else { return nil }
        // Days since 1970 of the Gregorian calendar; March is the first month, so that leap days come last.
        let month = (numbers[1] + 9) % 12
        let year = numbers[0] - month / 10
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + numbers[2] - 1 - 719_468
        return ((days * 24 + numbers[3]) * 60 + numbers[4]) * 60_000_000_000 + numbers[5] * 1_000_000_000
    }
}

extension String {
    fileprivate var trimmingEnd: String { last == "\r" ? String(dropLast()) : self }
}
