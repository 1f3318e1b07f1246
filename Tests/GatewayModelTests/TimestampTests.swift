// Time as numbers and as people write it.

import GatewayModel
import Testing

@Suite("Timestamp") struct TimestampTests {
    @Test(
        "A timestamp is written as RFC 3339 in UTC with milliseconds",
        arguments: [
            (Int64(0), "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999Z"),
            (1_795_442_709_120_000_000, "2026-11-23T14:05:09.120Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
            (.max, "2262-04-11T23:47:16.854Z"), (.min, "1677-09-21T00:12:43.145Z"),
        ])
    func rfc3339(nanoseconds: Int64, expected: String) {
        #expect(Timestamp(nanoseconds: nanoseconds).rfc3339 == expected)
    }

    @Test("Times at the ends of the scale saturate instead of stopping the gateway")
    func saturation() {
        let (first, last) = (Timestamp(nanoseconds: .min), Timestamp(nanoseconds: .max))
        #expect(last.advanced(by: .nanoseconds(1)) == last && first.advanced(by: .nanoseconds(-1)) == first)
        #expect(last.duration(since: first) == .nanoseconds(Int64.max))
        #expect(first.duration(since: last) == .nanoseconds(Int64.min))
        #expect(Duration.seconds(Int64.max).nanoseconds == .max && Duration.seconds(Int64.min).nanoseconds == .min)
        #expect(
            Timestamp(nanoseconds: 5).advanced(by: .seconds(1)).duration(since: Timestamp(nanoseconds: 5))
                == .seconds(1))
    }

    @Test(
        "A duration is spelled in the largest unit that is exact",
        arguments: [
            (Duration.zero, "0s"), (.milliseconds(250), "250ms"), (.seconds(30), "30s"), (.seconds(90), "90s"),
            (.seconds(600), "10m"), (.seconds(7200), "2h"), (.seconds(14 * 86400), "14d"), (.microseconds(15), "15us"),
            (.nanoseconds(1), "1ns"), (.milliseconds(1500), "1500ms"), (.seconds(-60), "-1m"),
        ])
    func spelled(duration: Duration, expected: String) { #expect(duration.spelled == expected) }

    @Test("A duration counts its seconds with their fraction")
    func inSeconds() { #expect(Duration.milliseconds(-1250).inSeconds == -1.25) }
}
