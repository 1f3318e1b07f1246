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
