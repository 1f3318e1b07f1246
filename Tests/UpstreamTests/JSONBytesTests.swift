// Numbers, times and texts as they leave the gateway.

import Foundation
import GatewayModel
import TestSupport
import Testing

@testable import Upstream

@Suite("JSON by hand")
struct JSONBytesTests {
    private func written(_ body: (inout JSONBytes) -> Void) -> String {
        var json = JSONBytes()
        body(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test(
        "writes numbers as short as people would",
        arguments: [
            (0.0, "0"), (-0.0, "-0.0"), (1, "1"), (-12, "-12"), (12.5, "12.5"), (-0.1, "-0.1"), (0.25, "0.25"),
            (230.4, "230.4"), (1e9, "1000000000.0"), (0.0001, "0.0001"), (1234.5678, "1234.5678"),
            (0.1 + 0.2, "0.30000000000000004"), (1e21, "1e+21"), (1e-7, "1e-07"), (999_999_999, "999999999"),
            (Double(Float(12.3)), "12.300000190734863"),
        ])
    func reals(value: Double, expected: String) {
        #expect(written { _ = $0.real(value) } == expected)
    }

    @Test("writes every finite number so that it reads back as itself", arguments: 0..<20)
    func roundTrip(seed: UInt64) {
        var random = Seeded(seed: seed)
        for _ in 0..<2000 {
            let value: Double
            switch Int.random(in: 0..<3, using: &random) {
            case 0: value = Double(bitPattern: random.next())
            case 1: value = (Double.random(in: -1e6...1e6, using: &random) * 1000).rounded() / 1000
            default: value = Double(Int64.random(in: -1_000_000_000...1_000_000_000, using: &random)) / 16
            }
            var json = JSONBytes()
            let isWritten = json.real(value)
            #expect(isWritten == value.isFinite)
            guard isWritten else { continue }
            let text = String(decoding: json.bytes, as: UTF8.self)
            #expect(Double(text)?.bitPattern == value.bitPattern, "\(text)")
            #expect((try? JSONSerialization.jsonObject(with: Data(json.bytes), options: .fragmentsAllowed)) != nil)
        }
    }

    @Test("doesn't write what JSON cannot say", arguments: [Double.nan, .infinity, -.infinity])
    func notFinite(value: Double) {
        var json = JSONBytes()
        let isWritten = json.real(value)
        #expect(!isWritten && json.count == 0)
    }

    @Test("writes integers of 64 bits", arguments: [0, 1, -1, 10, 1_000_000, .max, .min] as [Int64])
    func integers(value: Int64) {
        #expect(written { $0.integer(value) } == "\(value)")
    }

    @Test(
        "writes times in milliseconds, exact to the nanosecond",
        arguments: [
            (1_795_467_761_123_456_789, "1795467761123.456789"), (1_795_467_761_123_000_000, "1795467761123"),
            (1_795_467_761_123_400_000, "1795467761123.4"), (1, "0.000001"), (0, "0"), (-1_500_000, "-1.5"),
            (.max, "9223372036854.775807"), (.min, "-9223372036854.775808"),
        ] as [(Int64, String)])
    func times(nanoseconds: Int64, expected: String) {
        #expect(written { $0.time(Timestamp(nanoseconds: nanoseconds)) } == expected)
    }

    @Test(
        "writes texts that every reader reads as they were",
        arguments: ["", "RUN", "a\"b\\c/d", "\u{0}\u{1}\n\r\t\u{1F}", "äöü €😀", "\u{7F}\u{2028}"])
    func texts(text: String) throws {
        let json = written { $0.string(text.utf8) }
        let read = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
        #expect(read as? String == text)
    }

    @Test("mends bytes that are no UTF-8")
    func brokenText() {
        #expect(written { $0.string([0x41, 0xFF, 0x42] as [UInt8]) } == "\"A\u{FFFD}B\"")
    }
}
