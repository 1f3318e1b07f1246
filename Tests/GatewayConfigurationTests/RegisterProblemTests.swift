// What is said of a register's tag that can't be right.

import Testing

@testable import GatewayConfiguration

@Suite("Problems of registers")
struct RegisterProblemTests {
    private static let file = "profiles/x/meter.yaml"
    /// The last line of the sample: `  temp: { at: "hr 20", type: i16, unit: °C, group: fast, scale: 0.1 }`.
    private static func temp(_ keys: String) -> [String: String] {
        Sample.profile("\"hr 20\", type: i16, unit: °C, group: fast, scale: 0.1", keys)
    }
    /// The same with a signal for it.
    private static func simulated(_ keys: String, _ signal: String) -> [String: String] {
        var files = temp(keys)
        files[file, default: ""] += "\nsimulate: { temp: \(signal) }"
        return files
    }
    private static func frame(_ lines: String) -> [String: String] { Sample.profile("tags:", lines + "\ntags:") }

    @Test(
        "a mistake is named where it stands",
        arguments: [
            Row(
                "exponent in another table", temp("hr 20, type: i16, unit: °C, group: fast, exponent: ir 21"),
                "\(file):10:66: error: 'exponent' must lie in the holding registers, as its value does: "
                    + "one request reads both"),
            Row(
                "exponent of a bit field", temp("hr 20.0-3, group: fast, exponent: hr 21"),
                "\(file):10:49: error: 'exponent' is for numbers in whole registers; this tag is a part of a register"),
            Row(
                "exponent of a text", temp("hr 20, type: string, length: 2, group: fast, exponent: hr 25"),
                "\(file):10:70: error: 'exponent' is for numbers in whole registers; this tag is string"),
            Row(
                "exponent that is a bit", temp("hr 20, type: i16, unit: °C, group: fast, exponent: hr 21.3"),
                "\(file):10:66: error: 'exponent' is a whole register, not a part of one"),
            Row(
                "exponent inside the value", temp("hr 20, type: i32, unit: °C, group: fast, decimals: hr 21"),
                "\(file):10:66: error: 'decimals' at hr 20 · 40021 · 400021 · 0x0014 is a register of the value itself"),
            Row(
                "both ways to say it",
                temp("hr 20, type: i16, unit: °C, group: fast, exponent: hr 22, decimals: hr 22"),
                "\(file):10:83: error: 'exponent' and 'decimals' say the same thing; keep one"),
            Row(
                "exponent too far away", temp("hr 20, type: i16, unit: °C, group: fast, exponent: hr 200"),
                "\(file):10:3: error: 'temp' and its exponent take 181 registers; 'limits.words' lets only 125 be read at once"
            ),
            Row(
                "exponent beyond forbidden ground",
                Sample.profile("scale: 0.1", "exponent: hr 24").merging(
                    frame("limits: { forbidden: [hr 22] }").mapValues {
                        $0.replacing("scale: 0.1", with: "exponent: hr 24")
                    }
                ) { $1 },
                "\(file):11:3: error: 'temp' and its exponent are read in one request, which would carry addresses of "
                    + "'limits.forbidden'"),
            Row(
                "eight letters for 32 bits", temp("hr 20, type: i32, unit: °C, group: fast, order: EFGHABCD"),
                "\(file):10:63: error: EFGHABCD is an order of 64-bit values; i32 takes ABCD, CDAB, BADC or DCBA"),
            Row(
                "type of a byte", temp("hr 20.high, type: i16, group: fast"),
                "\(file):10:33: error: a byte of a register is u8, i8 or u16, not i16"),
            Row(
                "bytes without length", temp("hr 20, type: bytes, group: fast"),
                "\(file):10:3: error: a tag needs 'length': a whole number from 1 to 125"),
            Row(
                "encoding of a whole number",
                temp("hr 20, type: i16, unit: \"1\", group: fast, encoding: four-quadrant"),
                "\(file):10:67: error: 'four-quadrant' is an encoding of real numbers; this tag is a whole number"),
            Row(
                "encoding with a scale",
                temp("hr 20, type: f32, unit: \"1\", group: fast, scale: 2, encoding: four-quadrent"),
                "\(file):10:77: error: expected plain or four-quadrant, found 'four-quadrent'"),
            Row(
                "scaled quadrants",
                temp("hr 20, type: f32, unit: \"1\", group: fast, scale: 2, encoding: four-quadrant"),
                "\(file):10:77: error: a number that is 'four-quadrant' has neither 'scale' nor 'offset'"),
            Row(
                "counter of a gauge", temp("hr 20, type: u32, unit: Wh, group: fast, counter: { wraps_at: 10 }"),
                "\(file):10:65: error: 'counter' needs 'kind: counter' or 'kind: increments'"),
            Row(
                "increments with an offset", temp("hr 20, type: u32, unit: Wh, group: fast, kind: increments, offset: 5"),
                "\(file):10:82: error: increments have no 'offset': the difference of two counts has none"),
            Row(
                "increments with a deadband",
                temp("hr 20, type: u32, unit: Wh, group: fast, kind: increments, deadband: 5"),
                "\(file):10:84: error: increments have no 'deadband': what is left out would be lost"),
            Row(
                "counter that can't count so far",
                temp("hr 20, type: u16, unit: Wh, group: fast, kind: counter, counter: { wraps_at: 100000 }"),
                "\(file):10:92: error: the tag's type counts to 65535; it can't wrap at 100000"),
            Row(
                "counter that wraps at nothing",
                temp("hr 20, type: u16, unit: Wh, group: fast, kind: counter, counter: { wraps_at: 0 }"),
                "\(file):10:92: error: expected a number above 0, found 0"),
            Row(
                "key of a counter",
                temp("hr 20, type: u16, unit: Wh, group: fast, kind: counter, counter: { wrap_at: 9 }"),
                "\(file):10:82: error: unknown key 'wrap_at' in what is known of a counter; did you mean 'wraps_at'?"),
            Row(
                "alone", temp("hr 20, type: u16, unit: Wh, group: fast, alone: maybe"),
                "\(file):10:63: error: expected true or false, found 'maybe'"),
            Row(
                "a register that is read alone may overlap", temp("hr 2, type: u16, unit: Wh, group: fast, alone: true")
            ),
            Row(
                "flag beyond the word", temp("hr 20, type: u16, unit: \"1\", group: fast, flags: { 16: late }"),
                "\(file):10:66: error: expected a bit from 0 to 15, found '16'"),
            Row(
                "flags of a float", temp("hr 20, type: f32, unit: \"1\", group: fast, flags: { 1: late }"),
                "\(file):10:64: error: 'flags' names the bits of a u16 or u32; this tag is f32"),
            Row(
                "flags of a bit field", temp("hr 20.0-3, group: fast, flags: { 1: late }"),
                "\(file):10:46: error: 'flags' names the bits of a u16 or u32; this tag is a bit field"),
            Row(
                "flag named as a tag",
                temp("hr 20, type: u16, unit: \"1\", group: fast, flags: { 0: name, 1: x, 2: x }"),
                "\(file):10:66: error: 'name' is already a tag (line 8)",
                "\(file):10:81: error: 'x' is already a tag (line 10)"),
            Row(
                "states of a real number", temp("hr 20, type: f32, unit: \"1\", group: fast, states: { 1: on }"),
                "\(file):10:65: error: 'states' names whole numbers; this tag is f32"),
            Row(
                "states of a scaled number",
                temp("hr 20, type: u16, unit: \"1\", scale: 2, group: fast, states: { 1: on }"),
                "\(file):10:75: error: 'states' names whole numbers as they stand in the register; this tag has a scale, "
                    + "an offset, a table or another unit"),
            Row(
                "state without a number", temp("hr 20, type: u16, unit: \"1\", group: fast, states: { on: 1 }"),
                "\(file):10:67: error: expected the number of a state, found 'on'"),
            Row(
                "sentinel of no type", frame("invalid: { i17: 0x8000 }"),
                "\(file):6:12: error: unknown key 'i17' in the sentinels by type; did you mean 'i16'?"),
            Row(
                "sentinel too wide for its type", frame("invalid: { i16: 0x80000 }"),
                "\(file):6:17: error: '0x80000' doesn't fit into i16"),
            Row(
                "limits", frame("limits: { bits: 2001, in_flight: 17, alignment: 3 }"),
                "\(file):6:17: error: expected a whole number from 1 to 2000, found '2001'",
                "\(file):6:34: error: expected a whole number from 1 to 16, found '17'",
                "\(file):6:49: error: expected a whole number from 1 to 2, found '3'"),
            Row(
                "identify",
                frame("identify: { model: { at: hr 90, type: u16, expect: [PM, 1] }, serial: { typ: u16 } }"),
                "\(file):6:53: error: expected a whole number such as 15240 or 0x3B88, found 'PM'",
                "\(file):6:63: error: an identifying register needs 'at': an address such as hr 3000, ir 5, co 1 or hr 100.5",
                "\(file):6:73: error: unknown key 'typ' in an identifying register; did you mean 'type'?"),
            Row(
                "time that is none",
                simulated("hr 20, type: time-6, group: fast", "{ text: \"2026-13-01T00:00:00\" }"),
                "\(file):11:19: error: expected a time such as 2026-11-24T06:00:00, found '2026-13-01T00:00:00'"),
            Row(
                "bytes that are none",
                simulated("hr 20, type: bytes, length: 2, group: fast", "{ text: \"xyz\" }"),
                "\(file):11:19: error: expected 4 bytes in hexadecimal, found 'xyz'"),
        ])
    func mistake(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test(
        "what may be written is limited to what the register bears",
        arguments: [
            Row(
                "a number",
                temp(
                    "hr 20, type: u16, unit: °C, scale: 0.1, group: fast, writable: { range: [0, 6553.5], step: 0.5, every: 10s, per_day: 50, max_change: 20 }"
                )),
            Row("a coil", Sample.profile("at: \"co 1\"", "at: \"co 1\", writable: { every: 1s }")),
            Row("a pulse", Sample.profile("at: \"co 1\"", "at: \"co 1\", writable: { reads_back: cleared }")),
            Row("an echo", Sample.profile("at: \"co 1\"", "at: \"co 1\", writable: { reads_back: no }")),
            Row(
                "a change from nowhere",
                temp(
                    "hr 20, type: u16, unit: °C, group: fast, writable: { range: [0, 9], max_change: 2, reads_back: cleared }"
                ),
                "\(file):10:95: error: a register that does not keep what was written has no present value to change from"
            ),
            Row(
                "another way to read back",
                Sample.profile("at: \"co 1\"", "at: \"co 1\", writable: { reads_back: clear }"),
                "\(file):9:47: error: expected same, cleared or no, found 'clear'"),
            Row(
                "an input register", temp("ir 20, type: u16, unit: °C, group: fast, writable: { range: [0, 1] }"),
                "\(file):10:56: error: an input register can't be written"),
            Row(
                "a text", temp("hr 20, type: string, length: 2, group: fast, writable: {}"),
                "\(file):10:60: error: only numbers and flags can be written; this tag is string"),
            Row(
                "a number of changing scale",
                temp("hr 20, type: u16, unit: °C, group: fast, exponent: hr 21, writable: { range: [0, 1] }"),
                "\(file):10:73: error: a number whose scale the device chooses can't be written"),
            Row(
                "no range", temp("hr 20, type: u16, unit: °C, group: fast, writable: { step: 1 }"),
                "\(file):10:56: error: a writable tag needs 'range': what may be written, such as [0, 200]"),
            Row(
                "more than the register holds",
                temp("hr 20, type: u16, unit: °C, scale: 0.1, group: fast, writable: { range: [-1, 100] }"),
                "\(file):10:87: error: the register holds 0 to 6553.5 °C; a range beyond would write another number"),
            Row(
                "range of a flag", Sample.profile("at: \"co 1\"", "at: \"co 1\", writable: { range: [0, 1] }"),
                "\(file):9:42: error: 'range' is for numbers; this tag is a flag"),
            Row(
                "no step",
                temp("hr 20, type: u16, unit: °C, group: fast, writable: { range: [0, 1], step: 0, per_dya: 5 }"),
                "\(file):10:89: error: expected a number above 0, found 0",
                "\(file):10:92: error: unknown key 'per_dya' in a writable tag; did you mean 'per_day'?"),
        ])
    func writable(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }
}
