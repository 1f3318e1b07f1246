// Moments and durations as people type them.

import Export
import GatewayModel
import Testing

@Suite("Time notation") struct TimeNotationTests {
    private let now = Timestamp(nanoseconds: 1_795_519_800_000_000_000)

    @Test(
        "Moments: now, before now, a date, a time of RFC 3339 in any zone",
        arguments: [
            ("now", "2026-11-24T11:30:00.000000000Z"), ("-1h", "2026-11-24T10:30:00.000000000Z"),
            ("-1.5d", "2026-11-22T23:30:00.000000000Z"), ("-250ms", "2026-11-24T11:29:59.750000000Z"),
            ("-1w", "2026-11-17T11:30:00.000000000Z"), ("2026-11-24", "2026-11-24T00:00:00.000000000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000000000Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000000Z"),
            ("2026-11-24T08:15:30.5Z", "2026-11-24T08:15:30.500000000Z"),
            ("2026-11-24t08:15:30.123456789z", "2026-11-24T08:15:30.123456789Z"),
            ("2026-11-24 08:15:30+01:00", "2026-11-24T07:15:30.000000000Z"),
            ("2026-11-24T08:15:30-03:30", "2026-11-24T11:45:30.000000000Z"),
        ])
    func moments(_ text: String, _ spelled: String) throws {
        #expect(try TimeNotation.moment(text, now: now).rfc3339Nanoseconds == spelled)
    }

    @Test(
        "What is no moment is refused by its own words",
        arguments: [
            "", "yesterday", "-1", "-h", "1h", "2026-13-01", "2026-02-29", "2026-11-31", "2026-11-24T08:15Z",
            "2026-11-24T24:00:00Z", "2026-11-24T08:15:30", "2026-11-24T08:15:30.Z", "2026-11-24T08:15:30+1:00",
            "2026-11-24T08:15:30Zx", "9999-01-01", "2026/11/24", "-99999999w",
        ])
    func refusals(_ text: String) {
        let error = #expect(throws: TimeNotationError.self) { try TimeNotation.moment(text, now: now) }
        #expect(error?.description.contains("'") == true)
    }

    @Test(
        "Durations have a number and a unit",
        arguments: [("250ms", 250_000_000), ("30s", 30_000_000_000), ("1.5h", 5_400_000_000_000), ("0s", 0)])
    func durations(_ text: String, _ nanoseconds: Int64) throws {
        #expect(try TimeNotation.duration(text).nanoseconds == nanoseconds)
    }
}
