// The date of an answer, as HTTP wants it.

import GatewayModel
import Testing

@testable import Dashboard

@Suite("The date of an answer")
struct HTTPDateTests {
    @Test(
        "is spelled as HTTP wants it",
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (1_795_478_399, "Mon, 23 Nov 2026 23:59:59 GMT"),
        ])
    func spelled(seconds: Int64, text: String) {
        #expect(HTTPDate.text(Timestamp(nanoseconds: seconds * 1_000_000_000)) == text)
    }
}
