// Files of garbage: told what is wrong, never a crash, never an hour of work.

import Foundation
import GatewayModel
import Rules
import Testing

@testable import GatewayConfiguration

@Suite("Hostile files")
struct HostileFileTests {
    @Test(
        "text that isn't YAML is told where",
        arguments: [
            ("", "site.yaml:1:1: error: the file is empty"), ("# nothing\n", "site.yaml:1:1: error: the file is empty"),
            ("kind: Site\n\tid: x", "site.yaml:2:1: error: a tab indents this line; YAML indents with spaces"),
            ("kind: Site\nid: a/b\nkind: Site\n", "site.yaml:3:1: error: 'kind' is already set at line 1"),
            ("x:\n  1: a\n  \"1\": b\n", "site.yaml:3:3: error: '1' is already set at line 2"),
            ("a: {b: 1, b: 2}\n", "site.yaml:1:5: error: 'b' is set twice"),
            (
                "a: &x 1\nb: *x\n",
                "site.yaml:1:4: error: anchors (&name) and aliases (*name) are not part of this format"
            ),
            (
                "for: *x\n",
                "site.yaml:1:6: error: aliases (*name) are not part of this format; "
                    + "put text that begins with * in quotes"
            ),
            (
                "kind: Site\n---\nkind: Site\n",
                "site.yaml:2:1: error: not YAML: but found another document (expected a single document in the stream)"
            ),
            ("a: \u{7}", "site.yaml:1:4: error: a control character; a configuration is plain text"),
            ("- 1\n- 2\n", "site.yaml:1:1: error: expected a site, a mapping of keys; found a list"),
            ("kind", "site.yaml:1:1: error: expected a site, a mapping of keys; found 'kind'"),
            ("? [a]\n: b\n", "site.yaml:1:3: error: expected a key, found a list, a mapping or an anchor"),
        ])
    func syntax(_ text: String, _ problem: String) throws {
        let found = try SiteFolder(["site.yaml": text]).problems()
        #expect(found.contains(problem), "\(found)")
    }

    @Test("bytes that aren't UTF-8 are told where")
    func notUTF8() throws {
        let folder = try SiteFolder()
        try folder.write(Data(Array("kind: Site\nid: caf".utf8) + [0xE9, 0x0A]), to: "site.yaml")
        #expect(folder.problems() == ["site.yaml:2:8: error: not UTF-8"])
    }

    @Test("a page of aliases isn't unfolded")
    func aliasBomb() throws {
        var text = "a0: &a0 [x, x]\n"
        for level in 1...40 { text += "? &a\(level) [*a\(level - 1), *a\(level - 1)]\n: 1\n" }
        #expect(
            try SiteFolder(["site.yaml": text]).problems()
                == ["site.yaml:1:1: error: anchors (&name) and aliases (*name) are not part of this format"])
    }

    @Test("deep nesting is refused, however deep", arguments: [30, 900, 100_000])
    func depth(_ levels: Int) throws {
        for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
            let text =
                "kind: Site\nx:\n  " + String(repeating: open, count: levels) + String(repeating: close, count: levels)
            let found = try SiteFolder(["site.yaml": text + "\n"]).problems()
            #expect(
                found.contains { $0.contains("nested more than 24 levels deep") || $0.contains("not YAML: ") },
                "\(found)")
        }
    }

    @Test("a huge file isn't read")
    func size() throws {
        let folder = try SiteFolder()
        try folder.write(Data(count: ConfigurationFiles.bytes + 1), to: "site.yaml")
        #expect(folder.problems() == ["site.yaml:1:1: error: can't be read: larger than 4096 KiB"])
    }

    @Test("a folder in place of a file is a problem, not a hang")
    func folderAsFile() throws {
        let folder = try SiteFolder(["site.yaml/x": ""])
        #expect(folder.problems() == ["site.yaml:1:1: error: can't be read: not a plain file"])
    }

    @Test("any damage to the demo's files gives a plan or problems with places that exist", arguments: 0..<6)
    func damageToDemo(_ seed: Int) throws {
        try damage(seed, to: try Repository.files(in: Repository.demo))
    }

    @Test("any damage to files that have every key does as well", arguments: 0..<6)
    func damageToEverything(_ seed: Int) throws { try damage(seed, to: Sample.everything) }

    @Test("the files that have every key are valid")
    func everything() throws {
        #expect(try SiteFolder(Sample.everything).problems(environment: Repository.demoEnvironment) == [])
    }

    private func damage(_ seed: Int, to original: [String: String]) throws {
        let names = original.keys.sorted()
        var random = SplitMix(state: UInt64(seed) &* 7919 &+ 1)
        var refused = 0
        let folder = try SiteFolder(original)
        for _ in 0..<40 {
            let name = names[Int(random.next() % UInt64(names.count))]
            let damaged = damage(original[name] ?? "", &random)
            try folder.write(damaged, to: name)
            do {
                let loaded = try folder.load(environment: Repository.demoEnvironment)
                #expect(loaded.counts.tags == loaded.plan.tags.tags.count)
                for rule in loaded.plan.rules { #expect(rule.when.overlap(with: rule.clear) == nil) }
            } catch {
                refused += 1
                #expect(error.problems.contains { $0.severity == .error })
                #expect(error.problems == error.problems.sorted())
                for problem in error.problems {
                    let file = problem.file.replacing(folder.path + "/", with: "")
                    let text = file == name ? damaged : original[file] ?? ""
                    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
                    #expect((1...max(1, lines)).contains(problem.line) && problem.column >= 1, "\(problem)")
                    #expect(!problem.message.isEmpty)
                }
            }
            try folder.write(original[name] ?? "", to: name)
        }
        // Most damage is noticed; a changed number or a lost comment may well be valid.
        #expect(refused > 10)
    }

    private func damage(_ text: String, _ random: inout SplitMix) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for _ in 0...(random.next() % 3) where !lines.isEmpty {
            let index = Int(random.next() % UInt64(lines.count))
            let line = lines[index]
            switch random.next() % 7 {
            case 0: lines.remove(at: index)
            case 1: lines.insert(line, at: index)
            case 2: lines[index] = String(line.reversed())
            case 3: lines[index] = String(line.prefix(Int(random.next() % UInt64(line.count + 1))))
            case 4: lines[index] = "  " + line
            case 5: lines.swapAt(index, Int(random.next() % UInt64(lines.count)))
            default:
                let garbage = [
                    "{", "]", "&a ", "*a", "\t", "\"", "'", ": ", "- ", "#", "${", "é", "%", "|",
                    "999999999999999999999", ".high", "0x", "-1", ": 65535", ", flags: { 31: x }",
                    ", exponent: hr 65535",
                ]
                var characters = Array(line)
                let place = Int(random.next() % UInt64(characters.count + 1))
                characters.insert(contentsOf: garbage[Int(random.next() % UInt64(garbage.count))], at: place)
                lines[index] = String(characters)
            }
        }
        return lines.joined(separator: "\n")
    }
}

/// A seeded generator, so that a failing damage can be made again (Steele, Lea, Flood: SplitMix64).
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
