// Readings that the tests of all formats share.

import Export
import GatewayModel
import TestSupport

func row(
    _ value: Value, tag: String = "hall/line-1/press/oil_temp", unit: String = "°C", quality: Quality = .good,
    at nanoseconds: Int64 = 1_795_000_000_120_000_001, clock: ClockState = .set
) -> ExportRow {
    ExportRow(
        timestamp: Timestamp(nanoseconds: nanoseconds), tag: tag, unit: unit, value: value, quality: quality,
        clock: clock)
}

func text(_ encoder: some ExportEncoder, _ rows: [ExportRow]) -> String {
    var encoder = encoder
    for row in rows { encoder.append(row) }
    encoder.finish()
    return String(decoding: encoder.ready, as: UTF8.self)
}

/// Every kind, quality and clock, times to and fro, extremes, and texts that are hard to spell.
func mixedRows(_ count: Int, seed: UInt64) -> [ExportRow] {
    var random = Seeded(seed: seed)
    let texts = ["", "run", "a,b", "say \"hi\"", "line\nfeed\r\n", "tab\tend\\", "ü°🦆", "=x y"]
    let integers: [Int64] = [0, 1, -1, .min, .max, 7, 1 << 40]
    let reals: [Double] = [0, -0.0, 1.5, -273.15, 1e300, .leastNonzeroMagnitude, .nan, .infinity, -.infinity, 0.1]
    var time: Int64 = 1_795_000_000_000_000_000
    return (0..<count).map { index in
        time += Int64.random(in: -1_000_000...1_000_000_000, using: &random)
        let value: Value =
            switch Int.random(in: 0..<6, using: &random) {
            case 0: .none
            case 1: .boolean(Bool.random(using: &random))
            case 2: .integer(integers.randomElement(using: &random) ?? 0)
            case 3: .text(texts.randomElement(using: &random) ?? "")
            case 4: .real(reals.randomElement(using: &random) ?? 0)
            default: .real(Double(Int.random(in: -5000...5000, using: &random)) / 10)
            }
        let quality = Quality.named.randomElement(using: &random)?.quality ?? .good
        return row(
            value, tag: "hall/line \(index % 3)/press/tag=\(Int.random(in: 0..<40, using: &random))",
            unit: ["", "°C", "m³/h"].randomElement(using: &random) ?? "", quality: quality, at: time,
            clock: [.set, .unset, .rebased].randomElement(using: &random) ?? .set)
    }
}
