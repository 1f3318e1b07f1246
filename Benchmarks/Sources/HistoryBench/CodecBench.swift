// What a reading costs in a block: bytes beside Gorilla and zstd, nanoseconds to encode and to decode.

internal import BenchReport
internal import CHistoryFloor
internal import GatewayModel
internal import Glibc
internal import Series

/// All figures of one set of series in blocks of one length.
struct CodecFigures {
    var readings = 0
    var blocks = 0
    var bytes = 0
    var gorilla = 0
    var zstd: Int?
    var encode = Double.infinity
    var decode = Double.infinity

    func perReading(_ bytes: Int) -> Double { Double(bytes) / Double(readings) }

    init(_ all: [Series], block: Int, comparesZstd: Bool) {
        let columns = BlockColumns(capacity: block)
        var encoder = BlockEncoder(capacity: block)
        var encoded: [[UInt8]] = []
        for series in all {
            for start in stride(from: 0, to: series.times.count, by: block) {
                let end = min(start + block, series.times.count)
                Self.fill(columns, series, start..<end)
                encoded.append(encoder.bytes(of: columns, count: end - start))
                readings += end - start
                gorilla += Gorilla.bytes(times: series.times[start..<end], values: series.bits[start..<end])
                guard let header = BlockDecoder.decode(encoded[encoded.count - 1], into: columns),
                    header.count == end - start, Self.isSame(columns, series, start..<end)
                else { preconditionFailure("BUG: a block came back different") }
            }
        }
        blocks = encoded.count
        bytes = encoded.reduce(0) { $0 + $1.count }
        if comparesZstd { zstd = Self.zstd(all) }
        // Asking for the time costs as much as ten readings, so it is asked once for many blocks.
        let sources = Self.sources(all, block: block)
        let sourceReadings = sources.reduce(0) { $0 + $1.count }
        var hints = [BlockHint](repeating: BlockHint(), count: sources.count)
        for _ in 0..<7 {
            var begun = chistoryfloor_thread_cpu()
            for (index, source) in sources.enumerated() {
                encoder.hint = hints[index]
                _ = unsafe encoder.encode(source.columns, count: source.count)
                hints[index] = encoder.hint
            }
            encode = min(encode, Double(chistoryfloor_thread_cpu() - begun) / Double(sourceReadings))
            begun = chistoryfloor_thread_cpu()
            for bytes in encoded { _ = BlockDecoder.decode(bytes, into: columns) }
            decode = min(decode, Double(chistoryfloor_thread_cpu() - begun) / Double(readings))
        }
    }

    /// The first blocks of each series, ready to be encoded.
    static func sources(_ all: [Series], block: Int) -> [(columns: BlockColumns, count: Int)] {
        all.flatMap { series in
            stride(from: 0, to: min(series.times.count, max(block, 300)), by: block).map { start in
                let columns = BlockColumns(capacity: block)
                let end = min(start + block, series.times.count)
                fill(columns, series, start..<end)
                return (columns, end - start)
            }
        }
    }

    private static func fill(_ columns: BlockColumns, _ series: Series, _ range: Range<Int>) {
        for (place, index) in range.enumerated() {
            unsafe columns.times[place] = series.times[index]
            unsafe columns.bits[place] = series.bits[index]
            let quality = Quality(rawValue: series.qualities.isEmpty ? 0 : series.qualities[index])
            unsafe columns.states[place] = BlockColumns.state(quality.isBad ? .none : series.kind, quality)
        }
    }

    private static func isSame(_ columns: BlockColumns, _ series: Series, _ range: Range<Int>) -> Bool {
        range.enumerated().allSatisfy { place, index in
            unsafe columns.times[place] == series.times[index] && columns.bits[place] == series.bits[index]
        }
    }

    /// Bytes of all series as raw columns, each whole, through `zstd -1`: its best case. Nil where there is no zstd.
    private static func zstd(_ all: [Series]) -> Int? {
        let path = "/tmp/lineside-history-bench-\(getpid())"
        guard let file = unsafe fopen(path, "wb") else { return nil }
        defer { unsafe unlink(path) }
        for series in all {
            unsafe series.times.withUnsafeBytes { _ = unsafe fwrite($0.baseAddress, 1, $0.count, file) }
            unsafe series.bits.withUnsafeBytes { _ = unsafe fwrite($0.baseAddress, 1, $0.count, file) }
            unsafe series.qualities.withUnsafeBytes { _ = unsafe fwrite($0.baseAddress, 1, $0.count, file) }
        }
        _ = unsafe fclose(file)
        guard let pipe = unsafe popen("zstd -1 -q -c \(path) | wc -c", "r") else { return nil }
        defer { unsafe pclose(pipe) }
        var line = [CChar](repeating: 0, count: 64)
        guard unsafe fgets(&line, 64, pipe) != nil else { return nil }
        let digits = line.prefix { $0 != 10 && $0 != 0 }.map { UInt8(bitPattern: $0) }
        return Int(String(decoding: digits, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
    }
}

func codecBench(_ folders: [String], _ report: inout Report) {
    print("codec: blocks, with times, values and qualities")
    for rhythm in Mix.Rhythm.allCases {
        let mix = Mix.series(tags: 1000, count: 2048, rhythm: rhythm)
        for block in [112, 1024] {
            let figures = CodecFigures(mix, block: block, comparesZstd: true)
            let bar = rhythm == .exact ? 0.9 : .infinity
            show(figures, "mix of 1,000 tags, times \(rhythm.rawValue), blocks of \(block)", bar: bar, &report)
        }
    }
    for folder in folders {
        let files = SeriesFile.paths(below: folder).flatMap { path in SeriesFile.read(path) }
        guard !files.isEmpty else {
            print("  no series in \(folder)")
            continue
        }
        for block in [112, 1024] {
            show(CodecFigures(files, block: block, comparesZstd: true), "\(folder), blocks of \(block)", &report)
        }
    }
}

private func show(_ figures: CodecFigures, _ what: String, bar: Double? = nil, _ report: inout Report) {
    let own = figures.perReading(figures.bytes)
    let gorilla = figures.perReading(figures.gorilla)
    let zstd = figures.zstd.map(figures.perReading)
    report.add(
        "\(what): bytes a reading", bar: bar.map { $0.isFinite ? "≤ \($0.shown(1))" : "" } ?? "< Gorilla, < zstd",
        "\(own.shown(3)); Gorilla XOR \(gorilla.shown(3)), raw + zstd -1 \(zstd?.shown(3) ?? "not there")",
        isMet: bar == .infinity ? nil : bar.map { own <= $0 } ?? (own < gorilla && own < zstd ?? .infinity))
    report.add("its encoder, decoder", "\(figures.encode.shown(2)), \(figures.decode.shown(2)) ns a reading")
}

func once(_ what: String, rounds: Int) {
    let sources = CodecFigures.sources(Mix.series(tags: 1000, count: 112, rhythm: .exact), block: 112)
    var encoder = BlockEncoder(capacity: 112)
    let blocks = sources.map { encoder.bytes(of: $0.columns, count: $0.count) }
    let columns = BlockColumns(capacity: 112)
    var hints = [BlockHint](repeating: BlockHint(), count: sources.count)
    for _ in 0..<rounds {
        if what == "encode" {
            for (index, source) in sources.enumerated() {
                encoder.hint = hints[index]
                _ = unsafe encoder.encode(source.columns, count: source.count)
                hints[index] = encoder.hint
            }
        } else {
            for block in blocks { _ = BlockDecoder.decode(block, into: columns) }
        }
    }
}
