// CSV and line protocol, spelled exactly.

import Export
import GatewayModel
import Testing

@Suite("CSV") struct CSVTests {
    private let header = "time,tag,value,unit,quality,clock\r\n"
    private let time = "2026-11-18T11:06:40.120000001Z"

    @Test(
        "Values are spelled so that they lead back to the same value, and nothing is told from an empty text",
        arguments: [
            (Value.none, ""), (.boolean(true), "true"), (.boolean(false), "false"),
            (.integer(.min), "-9223372036854775808"),
            (.real(0.1), "0.1"), (.real(20), "20.0"), (.real(-0.0), "-0.0"), (.real(.nan), "nan"),
            (.real(.infinity), "inf"),
            (.text(""), "\"\""), (.text("run"), "run"), (.text("a,b"), "\"a,b\""), (.text("5\""), "\"5\"\"\""),
            (.text("a\nb"), "\"a\nb\""), (.text("a\rb"), "\"a\rb\""), (.text(" a "), " a "),
        ])
    func values(_ value: Value, _ spelled: String) {
        let line = "\(time),hall/line-1/press/oil_temp,\(spelled),°C,Good,set\r\n"
        #expect(text(CSVEncoder(), [row(value)]) == header + line)
    }

    @Test("Names with commas are quoted, and quality and clock are in words")
    func names() {
        let odd = row(
            .none, tag: "a,b/c", unit: "\"", quality: .badTimeout, at: -1, clock: .rebased)
        #expect(
            text(CSVEncoder(), [odd]) == header
                + "1969-12-31T23:59:59.999999999Z,\"a,b/c\",,\"\"\"\",BadTimeout,rebased\r\n")
        #expect(text(CSVEncoder(), []) == header)
    }

    @Test(
        "Times are to the nanosecond, before 1970 too",
        arguments: [
            (0, "1970-01-01T00:00:00.000000000Z"), (1, "1970-01-01T00:00:00.000000001Z"),
            (-1_000_001, "1969-12-31T23:59:59.998999999Z"),
            (1_795_000_000_999_999_999, "2026-11-18T11:06:40.999999999Z"),
            (.max, "2262-04-11T23:47:16.854775807Z"), (.min, "1677-09-21T00:12:43.145224192Z"),
        ])
    func times(_ nanoseconds: Int64, _ spelled: String) {
        #expect(Timestamp(nanoseconds: nanoseconds).rfc3339Nanoseconds == spelled)
    }
}

@Suite("Line protocol") struct LineProtocolTests {
    private func line(_ row: ExportRow, site: String = "acme/lyon") -> String {
        text(LineProtocolEncoder(site: site), [row])
    }

    @Test(
        "Each kind has a field of its own, so that no two points of a measurement disagree",
        arguments: [
            (Value.real(21.5), "value=21.5,"), (.real(20), "value=20.0,"), (.integer(-7), "value_int=-7i,"),
            (.boolean(true), "value_bool=true,"), (.boolean(false), "value_bool=false,"), (.none, ""),
            (.real(.nan), "value_text=\"nan\","), (.real(-.infinity), "value_text=\"-inf\","),
            (.text("run"), "value_text=\"run\","),
            (.text("a \"b\" \\ c,d=e"), "value_text=\"a \\\"b\\\" \\\\ c,d=e\","),
            (.text("a\nb"), "value_text=\"a\nb\","),
            (.text(""), "value_text=\"\","),
        ])
    func values(_ value: Value, _ field: String) {
        #expect(
            line(row(value)) == "oil_temp,device=hall/line-1/press,site=acme/lyon,unit=°C "
                + "\(field)quality=\"Good\" 1795000000120000001\n")
    }

    @Test(
        "Names are escaped where the protocol reads them",
        arguments: [
            // Tag, unit, site, what the line begins with.
            ("a b/c,d=e", "", "s", "c\\,d=e,device=a\\ b,site=s "),
            ("x=1,y/t", "m, s=1", "a b", "t,device=x\\=1\\,y,site=a\\ b,unit=m\\,\\ s\\=1 "),
            ("temp", "", "", "temp "), ("d/_field", "", "s", "tag_field,device=d,site=s "),
            ("d/#no comment", "", "s", "tag#no\\ comment,device=d,site=s "), ("d/", "", "s", "tag,device=d,site=s "),
            ("d\\/t\\", "", "s\\", "t/,device=d/,site=s/ "), ("a\\ b/t\\,x", "", "s", "t/\\,x,device=a/\\ b,site=s "),
            ("d/a\nb\tc", "", "s", "a\\ b\\ c,device=d,site=s "),
        ])
    func names(tag: String, unit: String, site: String, start: String) {
        let line = line(row(.none, tag: tag, unit: unit), site: site)
        #expect(line.hasPrefix(start + "quality="), "\(line)")
        #expect(line.split(separator: "\n").count == 1)
    }

    @Test("Quality is a field; the clock is one only when the time was not known")
    func fields() {
        let bad = row(.none, quality: .badTimeout, at: -5, clock: .unset)
        #expect(line(bad).hasSuffix(" quality=\"BadTimeout\",clock=\"unset\" -5\n"))
        #expect(line(row(.real(1), clock: .rebased)).contains(",clock=\"rebased\" "))
    }
}
