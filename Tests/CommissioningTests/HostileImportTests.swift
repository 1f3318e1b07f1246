// Files that nobody would write by hand: random bytes, broken copies of good files, huge lines.

@testable import Commissioning
import TestSupport
import Testing

@Suite("Hostile register maps")
struct HostileImportTests {
    /// Each importer ends with a profile or with an `ImportError`; anything else would end the process.
    private static func importAll(_ bytes: [UInt8]) -> [ImportedProfile] {
        [
            try? CSVImport.profile(bytes, id: "x", source: "x"),
            try? SunSpecImport.profile(bytes, id: "x", source: "x"),
            try? EdgeXImport.profile(bytes, id: "x", source: "x"),
        ].compactMap { $0 }
    }

    @Test("Random bytes are refused", arguments: 0..<200 as Range<UInt64>)
    func random(seed: UInt64) {
        var random = Seeded(seed: seed)
        let bytes = (0..<Int.random(in: 0...3000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
        }
        #expect(Self.importAll(bytes).isEmpty)
    }

    @Test(
        "A good file with broken bytes becomes a profile that loads, or is refused", arguments: 0..<120 as Range<UInt64>
    )
    func mutated(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let good = [
            CSVImportTests.dialects[Int(seed) % CSVImportTests.dialects.count].text, DocumentImportTests.model,
            DocumentImportTests.edgeX,
        ]
        var bytes = Array(good[Int(seed) % 3].utf8)
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...3, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(Array("\"'${}[]:,#&*\n\t;9".utf8).randomElement(using: &random) ?? 0, at: place)
            default: bytes.replaceSubrange(place..<min(bytes.count, place + 5), with: Array("99999".utf8))
            }
        }
        for profile in Self.importAll(bytes) where !profile.tags.isEmpty { _ = try loaded(profile) }
    }

    @Test("Text that would be YAML, a variable or a terminal's command stays text")
    func injection() throws {
        let text = """
            Name,Address,Type,Unit,Description
            "a: {b}",1,UINT16,"V"" }","x"", at: ""hr 9"
            "\u{1B}[31m",2,UINT16,${HOME},"# $${X} ${HOME} \\ \u{7F}"
            "\nkind: Site\n",3,UINT16,"V, to: kV",‮evil
            """
        let profile = try CSVImport.profile(Array(text.utf8), id: "../../etc: [", source: "a\nkind: Site")
        let tags = try loaded(profile)
        #expect(tags.count == 3)
        #expect(!profile.yaml.utf8.contains(0x1B))
        #expect(!profile.yaml.contains("\nkind: Site"))
    }

    @Test("Huge files, lines, cells and tables meet a limit")
    func huge() {
        let million = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
        for bytes in [
            million, Array(repeating: UInt8(ascii: ","), count: 1 << 20),
            Array(repeating: UInt8(ascii: "\""), count: 1 << 20),
            Array(repeating: UInt8(ascii: "{"), count: 1 << 20), Array(repeating: UInt8(ascii: "\n"), count: 1 << 20),
            million + million + million + million + million,
        ] {
            #expect(Self.importAll(bytes).isEmpty)
        }
        let rows = "Name,Address\n" + (0..<25_000).map { "n\($0),\($0)\n" }.joined()
        let error = #expect(throws: ImportError.self) {
            try CSVImport.profile(Array(rows.utf8), id: "x", source: "x")
        }
        #expect(error?.line == 20_001)
    }
}
