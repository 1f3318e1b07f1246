// The reader of requests: what it takes, and that it takes nothing else.

import GatewayModel
import Simulation
import Testing

@testable import Writes

@Suite("Flat JSON") struct FlatJSONTests {
    private func read(_ text: String) -> [String: FlatJSON.Member]? { try? FlatJSON.members(of: Array(text.utf8)) }

    static let rows: [(String, FlatJSON.Scalar, String)] = [
        (#"{"a":1}"#, .number(.integer(1)), "1"), (#" { "a" : -0.50e+1 } "#, .number(.real(-5)), "-0.50e+1"),
        (#"{"a":0}"#, .number(.integer(0)), "0"), (#"{"a":true}"#, .boolean(true), "true"),
        (#"{"a":false}"#, .boolean(false), "false"), (#"{"a":null}"#, .null, "null"),
        (#"{"a":"x\n\u00e9\ud83d\ude00\/\""}"#, .text("x\né😀/\""), ""),
        (#"{"a":9223372036854775807}"#, .number(.integer(.max)), "9223372036854775807"),
        (#"{"a":9223372036854775808}"#, .number(.real(9223372036854775808)), "9223372036854775808"),
    ]

    @Test("A member is what was sent, to the byte", arguments: rows)
    func good(text: String, scalar: FlatJSON.Scalar, token: String) {
        #expect(read(text)?["a"] == FlatJSON.Member(scalar: scalar, token: token))
    }

    @Test(
        "What is not one flat object to its last byte is nothing",
        arguments: [
            "", "1", "[]", "{", "{}x", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":01}"#, #"{"a":+1}"#, #"{"a":1.}"#,
            #"{"a":.5}"#, #"{"a":1e}"#, #"{"a":1e999}"#, #"{"a":NaN}"#, #"{"a":tru}"#, #"{"a":{}}"#, #"{"a":[1]}"#,
            #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{'a':1}"#, #"{a:1}"#, #"{"a":"\x"}"#, #"{"a":"\ud800"}"#,
            #"{"a":"\ud800\u0041"}"#, #"{"a":"\u00g0"}"#, #"{"a":"\u٠٠٠٠"}"#, "{\"a\":\"\n\"}", #"{"a":1 2}"#,
        ])
    func bad(text: String) { #expect(read(text) == nil) }

    @Test("Bytes that are no UTF-8 and keys without end are refused")
    func bounds() {
        #expect((try? FlatJSON.members(of: Array(#"{"a":""#.utf8) + [0xC0, 0x80] + Array(#""}"#.utf8))) == nil)
        let many = (0..<40).map { "\"k\($0)\":1" }.joined(separator: ",")
        #expect(read("{\(many)}") == nil)
        #expect(read("{\"a\":\(String(repeating: "1", count: 65))}") == nil)
    }

    @Test("No bytes end the process", arguments: 1...20)
    func hostile(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let alphabet = Array(#"{}[]":,\u0aefEtrn-+.1 "#.utf8) + [0, 10, 0xFF, 0xC3, 0xA9]
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            _ = try? FlatJSON.members(of: bytes)
            _ = try? FlatJSON.members(of: Array(#"{"a":"#.utf8) + bytes)
        }
    }
}
