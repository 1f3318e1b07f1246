// A small valid configuration, from which each test makes its own mistake.

import Testing

/// Valid files. `site(_:)` and `profile(_:)` put lines where a test needs them.
enum Sample {
    static let site = """
        kind: Site
        id: acme/lyon
        channels:
          net: { tcp: { host: 10.0.0.1 } }
        devices:
          a/b/c/meter:
            profile: meter@1
            channel: net
            unit: 1
        """

    static let profile = """
        kind: DeviceProfile
        id: meter
        version: 1.2.0
        addressing: register-1
        groups: { fast: 1s, slow: 1m }
        tags:
          current: { at: "hr 1", type: f32, unit: A, group: fast }
          name: { at: "hr 10", type: string, length: 4, group: slow }
          flag: { at: "co 1", group: slow }
          temp: { at: "hr 20", type: i16, unit: °C, group: fast, scale: 0.1 }
        """

    static let source = """
        kind: Site
        id: acme/lyon
        mqtt:
          floor:
            broker: mqtt://127.0.0.1
            subscribe:
              - topic: t/1
                device: a/s1
                tags:
                  rms: { at: $.rms, unit: mm/s }
        """

    /// A site and a profile in which every key of a register and of a channel occurs.
    static let everything = [
        "site.yaml": """
        kind: Site
        id: acme/lyon
        channels:
          bus: { serial: { port: /dev/ttyUSB0, baud: 9600, parity: none, data: 8, stop: 1 } }
          net: { tcp: { host: 10.0.0.1, port: 4001, mode: rtu-over-tcp } }
        devices:
          a/b/c/one: { profile: all@1, channel: bus, unit: 1, timeout: auto }
          a/b/c/two: { profile: all@1, channel: net, unit: 247, override: { tags.word.flags.2: late } }
        writes:
          allow: ["a/b/*/one/set_point", "**/pump"]
          http: { token: { env: DEMO_STORE_TOKEN } }
          mqtt: { broker: mqtt://127.0.0.1, topic: "x/{site}", senders: { scada: { key: { env: DEMO_STORE_TOKEN } } } }
        """,
        "all.yaml": """
        kind: DeviceProfile
        id: all
        version: 1.0.0
        addressing: modicon-6
        byte_order: CDAB
        limits: { words: 60, bits: 100, pause: 1ms, gap: 4, in_flight: 1, alignment: 1, connections: 1, forbidden: [hr 900-910] }
        groups: { fast: 500ms, normal: 5s, once: on-connect }
        invalid: { i16: 0x8000, u16: [0xFFFF], u32: 0xFFFFFFFF, f32: nan }
        identify: { model: { at: "400090", type: u16, expect: [1, 0x2] }, maker: { at: "400091", type: string, length: 4 } }
        tags:
          word: { at: "400001", type: u32, unit: "1", group: fast, kind: state, flags: { 0: ready, 31: tripped } }
          mode: { at: "400003.0-3", group: fast, states: { 0: stopped, 1: running } }
          temperature: { at: "400004.high", type: i8, unit: °C, invalid: 0x80 }
          power: { at: "400005", type: i16, unit: W, exponent: "400007", deadband: 1, max_age: 1m }
          level: { at: "400010", type: u16, unit: "%", decimals: "400011" }
          tank: { at: "400070", type: u16, unit: l, table: [[0, 0], [50, 120], [100, 340 l]], range: [0, 400], deadband: 1 % }
          factor: { at: "40012", type: f32, unit: "1", encoding: four-quadrant }
          energy: { at: "hr 14", type: u64, unit: Wh, order: EFGHABCD, kind: counter, counter: { wraps_at: 1e9 } }
          set_point: { at: "400020", type: u16, unit: °C, scale: 0.1, alone: true, writable: { range: [0, 200], step: 0.5, every: 10s, per_day: 50, max_change: 20 } }
          name: { at: "400030", type: string, length: 8, group: once }
          key: { at: "400040", type: bytes, length: 2, group: once }
          clock: { at: "400044", type: time-6, group: once }
          digits: { at: "400050", type: bcd32, unit: "1" }
          pump: { at: "000001", writable: { every: 1s } }
        simulate:
          clock: { text: "2026-11-24T06:00:00" }
          key: { text: "00ff00ff" }
          tripped: { constant: true }
        """,
    ]

    static func rules(_ lines: String) -> String { "kind: Rules\nrules:\n  r:\n" + lines }

    /// The files of the sample with some of them replaced.
    static func files(_ changed: [String: String] = [:]) -> [String: String] {
        ["site.yaml": site, "profiles/x/meter.yaml": profile].merging(changed) { $1 }
    }

    static func site(_ old: String, _ new: String) -> [String: String] {
        files(["site.yaml": site.replacing(old, with: new)])
    }

    static func profile(_ old: String, _ new: String) -> [String: String] {
        files(["profiles/x/meter.yaml": profile.replacing(old, with: new)])
    }

    static func source(_ old: String, _ new: String) -> [String: String] {
        ["site.yaml": source.replacing(old, with: new)]
    }
}

/// One row of a table: files, and all that is said about them.
struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var files: [String: String]
    var problems: [String]

    init(_ name: String, _ files: [String: String], _ problems: String...) {
        testDescription = name
        self.files = files
        self.problems = problems
    }
}
