// The JSON reader against the grammar, against Foundation and against its own promises.

import Acquisition
import Foundation
import MQTTDriver
import TestSupport
import Testing

@Suite("A JSON payload")
struct JSONReaderTests {
    static func path(_ steps: JSONPath.Step...) -> JSONPath { JSONPath(steps: steps) }

    private func field(_ text: String, _ path: JSONPath = JSONPath(steps: [])) -> JSONField? {
        var reader = JSONReader(paths: [path])
        return reader.read(Array(text.utf8).span) ? reader.field(0) : nil
    }

    private func isJSON(_ bytes: [UInt8]) -> Bool {
        var reader = JSONReader(paths: [])
        return reader.read(bytes.span)
    }

    private func text(_ document: String, _ path: JSONPath = JSONPath(steps: [])) -> String? {
        var reader = JSONReader(paths: [path])
        let bytes = Array(document.utf8)
        guard reader.read(bytes.span), case .text(let range, let isUnescaped) = reader.field(0) else { return nil }
        return String(decoding: isUnescaped ? reader.unescaped[range] : bytes[range], as: UTF8.self)
    }

    @Test(
        "is refused as a whole when it breaks the grammar",
        arguments: [
            "", " ", "{", "}", "[", "[1", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}",
            "nul",
            "truee", "True", "01", "-", "-01", "1.", ".5", "1e", "1e+", "+1", "0x10", "NaN", "Infinity", "1 2", "{} x",
            "\"", "\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\t\"",
            "\"a\nb\"",
            "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "//\n1", "[1]]", "\u{0}", "1\u{0}",
        ])
    func refused(document: String) {
        #expect(field(document) == nil)
    }

    @Test(
        "is refused when a text in it is no UTF-8",
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
            [0xF0, 0x9F, 0x98], [0xE2, 0x28, 0xA1],
        ] as [[UInt8]])
    func wrongUTF8(bytes: [UInt8]) {
        #expect(!isJSON([0x22] + bytes + [0x22]))
        #expect(!isJSON(bytes))
    }

    @Test(
        "is read when it follows the grammar",
        arguments: [
            ("{}", JSONField.container), (" [ ] ", .container), ("null", .null), ("\r\n\ttrue", .boolean(true)),
            ("false", .boolean(false)), ("\u{FEFF}null", .null), ("{\"a\":{\"b\":[1,{\"c\":null}]}}", .container),
        ])
    func accepted(document: String, expected: JSONField) {
        #expect(field(document) == expected)
    }

    @Test(
        "gives its texts without their escapes",
        arguments: [
            ("\"\"", ""), ("\"plain äöü €😀\"", "plain äöü €😀"),
            ("\"a\\n\\t\\r\\b\\f\\\"\\\\\\/z\"", "a\n\t\r\u{8}\u{C}\"\\/z"),
            ("\"\\u0041\\u00e9\\u20AC\"", "Aé€"), ("\"\\ud83d\\uDE00\"", "😀"), ("\"\\u0000\"", "\0"),
        ])
    func texts(document: String, expected: String) {
        #expect(text(document) == expected)
    }

    @Test("is found by its paths in one pass, wherever they lead")
    func paths() {
        let document = """
            {"skip":[{"rms":9},"\\u007d",[[]]],"motor":{"temp":21,"te\\u006dp2":22,"x":{"y":[10,20,{"z":30}]}},"rms":1}
            """
        var reader = JSONReader(paths: [
            Self.path(.key("rms")), Self.path(.key("motor"), .key("temp")), Self.path(.key("motor"), .key("temp2")),
            Self.path(.key("motor"), .key("x"), .key("y"), .index(2), .key("z")),
            Self.path(.key("motor"), .key("x"), .key("y"), .index(0)), Self.path(.key("motor")),
            Self.path(.key("motor"), .key("temp"), .key("deeper")), Self.path(.key("rms")),
            Self.path(.key("motor"), .key("x"), .key("y"), .index(3)),
        ])
        let isJSON = reader.read(Array(document.utf8).span)
        #expect(isJSON)
        let numbers: [Int64?] = (0..<9).map { index in
            if case .number(let number) = reader.field(index) { number.scaled(by: 0) } else { nil }
        }
        #expect(numbers == [1, 21, 22, 30, 10, nil, nil, 1, nil])
        #expect(reader.field(5) == .container)
        #expect(reader.field(6) == .missing)
        #expect(reader.field(8) == .missing)
    }

    @Test(
        "counts with the last of a key that comes twice",
        arguments: [
            ("{\"a\":{\"b\":1},\"a\":{\"b\":2}}", JSONField?.none), ("{\"a\":{\"b\":1},\"a\":{}}", .missing),
            ("{\"a\":{\"b\":1},\"a\":7}", .missing), ("{\"a\":7,\"a\":{\"b\":true}}", .boolean(true)),
            ("{\"a\":{\"b\":1,\"\\u0062\":null}}", .null),
        ])
    func duplicates(document: String, expected: JSONField?) {
        let found = field(document, Self.path(.key("a"), .key("b")))
        if let expected {
            #expect(found == expected)
        } else if case .number(let number) = found {
            #expect(number.scaled(by: 0) == 2)
        } else {
            Issue.record("no number in \(document)")
        }
    }

    @Test("keeps nothing of the document before")
    func forgets() {
        var reader = JSONReader(paths: [Self.path(.key("a"), .key("b"))])
        let first = reader.read(Array("{\"a\":{\"b\":true}}".utf8).span)
        #expect(first && reader.field(0) == .boolean(true))
        let second = reader.read(Array("{}".utf8).span)
        #expect(second && reader.field(0) == .missing)
    }

    @Test("may be 64 levels deep and no more", arguments: [(64, true), (65, false), (100_000, false)])
    func depth(levels: Int, isRead: Bool) {
        #expect(
            isJSON(
                Array(repeating: UInt8(ascii: "["), count: levels) + Array(repeating: UInt8(ascii: "]"), count: levels))
                == isRead)
        let object = String(repeating: "{\"a\":", count: levels) + "1" + String(repeating: "}", count: levels)
        #expect((field(object) != nil) == isRead)
    }

    @Test("means the same to Foundation, whatever is in it", arguments: 0..<40)
    func againstFoundation(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        for _ in 0..<25 {
            var documents = RandomDocument(random: random)
            let (bytes, paths) = documents.make()
            random = documents.random
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            var reader = JSONReader(paths: paths)
            let isJSON = reader.read(bytes.span)
            #expect(isJSON, "\(String(decoding: bytes, as: UTF8.self))")
            for (index, path) in paths.enumerated() {
                let expected = RandomDocument.look(theirs, path)
                let isSame = RandomDocument.isSame(reader.field(index), bytes, reader.unescaped, expected)
                #expect(isSame, "\(path) in \(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }

    @Test("is refused when Foundation refuses it, one byte changed", arguments: 0..<20)
    func mutations(seed: UInt64) {
        var random = Seeded(seed: seed &+ 1000)
        for _ in 0..<50 {
            var documents = RandomDocument(random: random)
            var (bytes, _) = documents.make()
            random = documents.random
            guard !bytes.isEmpty else { continue }
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0x20...0x7E, using: &random)
            let theirs = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            // Foundation is laxer with trailing commas, and takes a number beyond Double's range for an error.
            let text = String(decoding: bytes, as: UTF8.self)
            let hasLongNumber = text.contains(/[0-9]{2,}e|e[+-]?[0-9]{2,}/.ignoresCase())
            if isJSON(bytes) && theirs == nil && !hasLongNumber { Issue.record("we take it for JSON: \(text)") }
        }
    }
}
