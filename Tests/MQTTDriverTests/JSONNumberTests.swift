// Numbers: exact as integers, correctly rounded as reals, exact to the nanosecond as times.

import Acquisition
import GatewayModel
import MQTTDriver
import TestSupport
import Testing

@Suite("A JSON number")
struct JSONNumberTests {
    private func number(_ text: String) -> JSONNumber? {
        var reader = JSONReader(paths: [JSONPath(steps: [])])
        guard reader.read(Array(text.utf8).span), case .number(let number) = reader.field(0) else { return nil }
        return number
    }

    @Test(
        "becomes the raw value that its text means",
        arguments: [
            ("0", RawValue.integer(0)), ("-0", .real(-0.0)), ("12", .integer(12)), ("-7", .integer(-7)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775807", .integer(-.max)),
            ("9223372036854775808", .unsigned(1 << 63)), ("9999999999999999999", .unsigned(9_999_999_999_999_999_999)),
            ("18446744073709551616", .real(18446744073709551616)), ("1.0", .real(1)), ("1e3", .real(1000)),
            ("12.5", .real(12.5)), ("-0.1", .real(-0.1)), ("5e-324", .real(.leastNonzeroMagnitude)),
            ("1e999", .real(.infinity)),
            ("-1e999", .real(-.infinity)), ("1e-999", .real(0)), ("0e999999999999", .real(0)),
            ("9007199254740993.0", .real(9007199254740992)),
            ("2.2250738585072011e-308", .real(Double(bitPattern: 0xF_FFFF_FFFF_FFFF))),
            ("123456789012345678901234567890", .real(123456789012345678901234567890.0)),
            ("1.00000000000000000000000000000000000001", .real(1)), ("1000000000000000000000e-20", .real(10)),
        ])
    func raw(text: String, expected: RawValue) {
        #expect(number(text)?.raw == expected)
        if case .real(let real) = expected { #expect(number(text)?.real.sign == real.sign) }
    }

    @Test("is the nearest Double to its text", arguments: 0..<20)
    func nearest(seed: UInt64) {
        var random = Seeded(seed: seed)
        for _ in 0..<500 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            #expect(number("\(value)")?.real == value)
            let digits = UInt64.random(in: 0...UInt64.max, using: &random)
            let fraction = UInt32.random(in: 0...UInt32.max, using: &random)
            let text = "\(digits).\(fraction)e\(Int.random(in: -330...300, using: &random))"
            #expect(number(text)?.real == Double(text), "\(text)")
        }
    }

    @Test(
        "is exact to the nanosecond as a time",
        arguments: [
            ("1795467761123.456789", 6, 1_795_467_761_123_456_789 as Int64?),
            ("1795467761", 9, 1_795_467_761_000_000_000),
            ("1795467761.1234567891", 9, 1_795_467_761_123_456_789),
            ("1.795467761123456789e9", 9, 1_795_467_761_123_456_789),
            ("1795467761123456789", 0, 1_795_467_761_123_456_789),
            ("1795467761123456.789", 3, 1_795_467_761_123_456_789),
            ("-1.5", 9, -1_500_000_000), ("0", 9, 0), ("0.0000000009", 9, 0), ("1e300", 9, nil),
            ("99999999999", 9, nil),
            ("1e-300", 9, 0),
        ])
    func scaled(text: String, power: Int, expected: Int64?) {
        #expect(number(text)?.scaled(by: power) == expected)
    }

    @Test(
        "is believed as a time from 2000 to an hour ahead",
        arguments: [
            ("946684800", true), ("946684799.999999999", false), ("0", false), ("-1", false), ("1700003600", true),
            ("1700003600.000000001", false), ("1700000000000", false), ("1699999999.5", true),
        ])
    func window(text: String, isBelieved: Bool) throws {
        let arrival = Timestamp(nanoseconds: 1_700_000_000_000_000_000)
        let plan = PayloadTimePlan(at: JSONPath(steps: []), unit: .s)
        let field = JSONField.number(try #require(number(text)))
        #expect((PayloadTime.timestamp(of: field, plan: plan, arrival: arrival) != nil) == isBelieved)
    }
}
