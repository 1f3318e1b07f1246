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

@Suite("Line protocol of an export") struct LineProtocolTests {
    private let series = "lineside,area=hall,device=press,enterprise=acme,line=line-1,site=lyon "

    private func lines(_ rows: [ExportRow], site: String = "acme/lyon") -> [String] {
        text(LineProtocolEncoder(site: site), rows).split(separator: "\n").map(String.init)
    }

    @Test(
        "is in the fields of a sink, with no number that was not read",
        arguments: [
            (Value.real(21.5), "oil_temp=21.5"), (.real(20), "oil_temp=20"), (.integer(-7), "oil_temp=-7i"),
            (.boolean(true), "oil_temp=true"), (.boolean(false), "oil_temp=false"), (.text("run"), "oil_temp=\"run\""),
            (.text("a \"b\" \\ c,d=e"), "oil_temp=\"a \\\"b\\\" \\\\ c,d=e\""), (.text("a\nb"), "oil_temp=\"a b\""),
            (.real(.nan), "oil_temp_quality=2147942400i"),
            (.real(-.infinity), "oil_temp_quality=2147942400i"),
        ])
    func values(_ value: Value, _ field: String) {
        // The first line of a tag tells its quality; the second is the one that is looked at.
        #expect(
            lines([row(.real(1)), row(value)]) == [
                series + "oil_temp=1,oil_temp_quality=0i 1795000000120000001",
                series + field + " 1795000000120000001",
            ])
    }

    @Test(
        "tells the quality while it is not good and once when it is good again, for each tag; and a clock that was not set"
    )
    func quality() {
        let rows = [
            row(.real(1)), row(.none, quality: .badTimeout, at: -5, clock: .unset), row(.real(2)),
            row(.real(3), clock: .rebased),
            row(.real(4), tag: "press/other"),
        ]
        #expect(
            lines(rows).map { $0.split(separator: " ")[1] } == [
                "oil_temp=1,oil_temp_quality=0i", "oil_temp_quality=2148139008i,clock=1i",
                "oil_temp=2,oil_temp_quality=0i", "oil_temp=3,clock=2i", "other=4,other_quality=0i",
            ])
        #expect(lines(rows)[1].hasSuffix(" -5"))
    }

    @Test(
        "names are escaped where the protocol reads them",
        arguments: [
            ("a b/c,d=e", "s", "lineside,device=a\\ b,site=s c\\,d\\=e_quality=0i"),
            ("temp", "", "lineside temp_quality=0i"), ("d/time", "s", "lineside,device=d,site=s tag_time_quality=0i"),
            ("d/", "s", "lineside,device=d,site=s tag__quality=0i"),
            ("d\\/t", "s", "lineside,device=d/,site=s t_quality=0i"),
        ])
    func names(tag: String, site: String, start: String) {
        #expect(lines([row(.none, tag: tag, unit: "")], site: site) == [start + " 1795000000120000001"])
    }
}
