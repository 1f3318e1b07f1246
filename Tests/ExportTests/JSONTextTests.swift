// JSON as the commands print it.

import Export
import Testing

@Suite("JSON text") struct JSONTextTests {
    @Test(
        "Values are spelled as RFC 8259 wants them",
        arguments: [
            (JSONText.null, "null"), (.boolean(true), "true"), (.boolean(false), "false"),
            (.integer(-7), "-7"), (.integer(UInt64.max), "9223372036854775807"),
            (.integer(Int64.min), "-9223372036854775808"),
            (.number(1.5), "1.5"), (.number(3), "3"), (.number(-0.0), "-0.0"), (.number(1e300), "1e+300"),
            (.number(9_007_199_254_740_992), "9007199254740992.0"), (.number(0.1), "0.1"),
            (.number(.nan), "null"), (.number(.infinity), "null"), (.number(-.infinity), "null"),
            (.string(""), "\"\""), (.string("a\"b\\c"), "\"a\\\"b\\\\c\""),
            (.string("\n\r\t\u{1}\u{1f}"), "\"\\n\\r\\t\\u0001\\u001f\""), (.string("°C ü 🦆"), "\"°C ü 🦆\""),
            (.array([]), "[]"), (.array([.null, .integer(1)]), "[null,1]"), (.object([]), "{}"),
            (
                .object([("b", .integer(1)), ("a", .array([.object([("\"", .null)])]))]),
                "{\"b\":1,\"a\":[{\"\\\"\":null}]}"
            ),
        ])
    func spelling(_ value: JSONText, _ text: String) {
        #expect(value.text == text)
    }

    @Test("What is not there is null, and members keep their order")
    func optionals() {
        #expect(JSONText.optional(Int?.none) { .integer($0) }.text == "null")
        #expect(JSONText.optional(Optional(4)) { .integer($0) }.text == "4")
    }
}
