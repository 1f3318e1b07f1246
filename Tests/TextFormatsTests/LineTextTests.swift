// Names, texts and the taking apart of lines.

import GatewayModel
import TestSupport
import TextFormats
import Testing

@Suite("Line protocol")
struct LineTextTests {
    private func written(_ body: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        body(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "names are escaped where the protocol reads them",
        arguments: [
            ("plain", "plain", "plain"), ("a b", "a\\ b", "a\\ b"), ("a,b=c", "a\\,b=c", "a\\,b\\=c"),
            ("a\\", "a/", "a/"), ("a\\ b", "a/\\ b", "a/\\ b"), ("a\\b", "a\\b", "a\\b"),
            ("a\nb\tc", "a\\ b\\ c", "a\\ b\\ c"),
            ("_internal", "tag_internal", "_internal"), ("#x", "tag#x", "#x"), ("", "tag", ""), ("ü°", "ü°", "ü°"),
        ])
    func names(name: String, measurement: String, field: String) {
        #expect(written { $0.append(measurement: name) } == measurement)
        #expect(written { $0.append(field: name) } == field + "=")
    }

    @Test(
        "a text stays one field of one line, whatever is in it",
        arguments: [
            ("run", "\"run\""), ("", "\"\""), ("a \"b\" \\", "\"a \\\"b\\\" \\\\\""),
            ("a\nb x=1 5\r", "\"a b x=1 5 \""),
            ("a,b=c", "\"a,b=c\""), ("\u{7F}\u{0}", "\"  \""),
        ])
    func texts(text: String, spelled: String) {
        #expect(written { $0.append(quoted: text.utf8) } == spelled)
    }

    @Test(
        "levels of a place that are not there are no tags",
        arguments: [
            (
                "acme/lyon", "stamping/line-2/press-7/meter",
                "m,area=stamping,cell=press-7,device=meter,enterprise=acme,line=line-2,site=lyon"
            ),
            ("lyon", "meter", "m,device=meter,site=lyon"), ("", "a/m 1", "m,area=a,device=m\\ 1"),
        ])
    func series(site: String, device: String, spelled: String) {
        #expect(String(decoding: LineText.series("m", site: site, device: device), as: UTF8.self) == spelled)
    }

    @Test(
        "no field has a name that is taken, by a tag, by InfluxDB or by us",
        arguments: [
            ("temp", [], "temp", "temp_quality"), ("time", [], "tag_time", "tag_time_quality"),
            ("site", ["tag_site"], "tag_site_", "tag_site__quality"), ("clock", [], "tag_clock", "tag_clock_quality"),
            ("temp", ["temp", "temp_quality"], "temp", "temp_quality_"), ("", [], "tag_", "tag__quality"),
        ])
    func fields(name: String, others: [String], value: String, quality: String) {
        let names = LineText.fields(of: name, taken: Set(others))
        #expect(names.value == value && names.quality == quality)
    }

    @Test("a line is taken apart into lines of one field each", arguments: 0..<50)
    func apart(seed: UInt64) {
        var random = Seeded(seed: seed)
        let texts = ["1", "-7i", "\"a b\"", "\"x,y=z \\\" \\\\\"", "true", "\"\""]
        let series = ["m", "m\\ x,t=a\\,b\\ c", "m,t=\\=\",u=x"].randomElement(using: &random) ?? "m"
        let fields = (0..<Int.random(in: 1...6, using: &random)).map {
            "f\\ \\,\($0)=\(texts.randomElement(using: &random) ?? "1")"
        }
        let line = "\(series) \(fields.joined(separator: ",")) 123\n"
        let found = LineText.split(Array(line.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
        #expect(found == (fields.count > 1 ? fields.map { "\(series) \($0) 123\n" } : []))
    }

    @Test("what is no line is not taken apart", arguments: ["", "x", "m f=1", "\n", "m  "])
    func noLine(text: String) {
        #expect(LineText.split(Array(text.utf8)[...]).isEmpty)
    }
}
