// JSON of a gateway's API, read.

import Export
import Testing

@Suite("JSON parser") struct JSONParserTests {
    @Test(
        "What is read is spelled the same way again",
        arguments: [
            "null", "true", "false", "0", "-7", "1.5", "1e+300", "\"\"", "[]", "{}", "[1,[2,{\"a\":null}],\"x\"]",
            "{\"t\":[1,2],\"q\":\"Good\"}", "\"ü\\n\\\"\\\\\"", "9223372036854775807",
        ])
    func again(_ text: String) {
        #expect(JSONText(parsing: Array(text.utf8))?.text == text)
    }

    @Test(
        "Blanks and escapes",
        arguments: [(" [ 1 , 2 ]\n", "[1,2]"), ("\"\\u00fc\\ud83e\\udd86\\/\"", "\"ü🦆/\""), ("1E2", "100")])
    func leniency(_ text: String, _ spelled: String) {
        #expect(JSONText(parsing: Array(text.utf8))?.text == spelled)
    }

    @Test(
        "What is no JSON is none",
        arguments: [
            "", " ", "nul", "tru", "[1,]", "[1", "{\"a\"}", "{\"a\":1,}", "{a:1}", "\"a", "\"\\x\"", "\"\\ud83e\"",
            "1 2", "+1",
            ".5", "--1", "\"\u{1}\"", String(repeating: "[", count: 100),
        ])
    func none(_ text: String) {
        #expect(JSONText(parsing: Array(text.utf8)) == nil, "\(text)")
    }

    @Test("Members are found by name, numbers as numbers")
    func access() {
        let answer = JSONText(parsing: Array("{\"t\":[1,2.5],\"s\":\"x\"}".utf8))
        #expect(answer?["t"]?.elements?.compactMap(\.number) == [1, 2.5] && answer?["s"]?.string == "x")
        #expect(answer?["none"] == nil && answer?["s"]?.number == nil && answer?["s"]?["x"] == nil)
    }
}
