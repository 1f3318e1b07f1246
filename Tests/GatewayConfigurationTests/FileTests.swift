// Several files, variables, secrets: what is joined, filled in and kept away.

import Foundation
import GatewayModel
import Journal
import MQTTDriver
import MQTTLink
import ModbusDriver
import Testing

@testable import GatewayConfiguration

@Suite("Files")
struct FileTests {
    @Test("drop-ins are joined to the site in lexical order")
    func dropIns() throws {
        let folder = try SiteFolder(
            Sample.files([
                "site.d/20-more.yaml": "kind: Site\ndevices: { z/two: { profile: meter@1, channel: net, unit: 2 } }",
                "site.d/10-store.yaml":
                    "store: { disk: 1GiB }\ndevices: { y/one: { profile: meter@1, channel: net, unit: 3 } }",
                "site.d/30-store.yaml": "store: { commit: 2s }", "site.d/README.md": "not read",
            ]))
        let loaded = try folder.load()
        #expect(loaded.plan.tags.devices.map(\.path) == ["a/b/c/meter", "y/one", "z/two"])
        #expect(loaded.plan.store.diskBytes == 1 << 30)
        #expect(loaded.plan.store.commitWindow == .seconds(2))
        #expect(
            loaded.files.map { $0.replacing(folder.path + "/", with: "") } == [
                "site.yaml", "site.d/10-store.yaml", "site.d/20-more.yaml", "site.d/30-store.yaml",
                "profiles/x/meter.yaml",
            ])
    }

    @Test("lists of drop-ins are appended")
    func lists() throws {
        let more =
            "mqtt: { floor: { subscribe: [{ topic: t/2, device: a/s2, tags: { x: { at: $.x, type: text } } }] } }"
        let loaded = try SiteFolder(["site.yaml": Sample.source, "site.d/a.yaml": more]).load()
        #expect(loaded.plan.sources[0].subscriptions.map(\.topic) == ["t/1", "t/2"])
    }

    @Test("the same key in two files is an error that names both places")
    func twice() throws {
        let folder = try SiteFolder(
            Sample.files(["site.d/a.yaml": "channels: { net: { tcp: { host: 10.0.0.2 } } }\nid: acme/paris"]))
        #expect(
            folder.problems()
                == [
                    "site.d/a.yaml:1:27: error: 'channels.net.tcp.host' "
                        + "is already set at \(folder.path)/site.yaml:4:17",
                    "site.d/a.yaml:2:1: error: 'id' is already set at \(folder.path)/site.yaml:2:1",
                ].map { $0.replacingOccurrences(of: folder.path + "/", with: "") })
    }

    @Test("problems of all files come at once, sorted by file and line")
    func allAtOnce() throws {
        let folder = try SiteFolder(
            Sample.files([
                "site.yaml": Sample.site.replacing("unit: 1", with: "unit: 300"),
                "profiles/x/meter.yaml": Sample.profile.replacing("1.2.0", with: "1.two"),
                "rules.yaml": "kind: Rules\nrules: { r: { when: nonsense } }", "rules/b.yaml": "kind: [",
                "site.d/c.yaml": "- 1",
            ]))
        let places = folder.problems().map { $0.split(separator: ":").prefix(3).joined(separator: ":") }
        #expect(
            places == [
                "profiles/x/meter.yaml:3:10", "rules.yaml:2:21", "rules/b.yaml:1:8", "site.d/c.yaml:1:1",
                "site.yaml:9:11",
            ])
    }

    @Test("a site file that doesn't exist is a problem of that file")
    func missing() throws {
        #expect(
            try SiteFolder().problems() == ["site.yaml:1:1: error: can't be read: No such file or directory"])
    }

    @Test(
        "variables are filled in",
        arguments: [
            ("plain", "plain"), ("${A}", "1"), ("x${A}y${B}", "x1y"), ("${C:-c}", "c"), ("${B:-b}", "b"),
            ("${A:-b}", "1"),
            ("$${A}", "${A}"), ("$.rms", "$.rms"), ("cost: 5$", "cost: 5$"), ("${A:?needed}", "1"), ("$$", "$"),
            ("", ""),
            ("${C:-}", ""), ("{device}", "{device}"),
        ])
    func variables(_ text: String, _ result: String) throws {
        #expect(try Interpolation(environment: ["A": "1", "B": ""]).filled(text) == result)
    }

    @Test(
        "a variable that can't be filled in says why",
        arguments: [
            ("${C}", "the environment variable C isn't set; ${C:-default} would give it a default"),
            ("${C:?set the port}", "C: set the port"), ("${B:?empty}", "B: empty"),
            ("a ${A", "'${' without '}'; write '$$' for a plain '$'"),
            ("${1A}", "expected a variable such as ${NAME} or ${NAME:-default}, found '${1A}'"),
            ("${A+b}", "expected a variable such as ${NAME} or ${NAME:-default}, found '${A+b}'"),
            ("${}", "expected a variable such as ${NAME} or ${NAME:-default}, found '${}'"),
        ])
    func badVariables(_ text: String, _ message: String) {
        #expect(
            performing: { try Interpolation(environment: ["A": "1", "B": ""]).filled(text) },
            throws: {
                ($0 as? Interpolation.Problem)?.message == message
            })
    }

    @Test("a variable never changes the structure of a file")
    func noInjection() throws {
        let folder = try SiteFolder(Sample.site("host: 10.0.0.1", "host: \"${HOST}\""))
        #expect(
            folder.problems(environment: ["HOST": "x, port: 1 }\nid: evil"]) == [
                "site.yaml:4:23: error: expected a host name or address, found 'x, port: 1 }\nid: evil'"
            ])
        #expect(
            try folder.load(environment: ["HOST": "plc-1"]).plan.channels[0].endpoint == .tcp(host: "plc-1", port: 502))
    }

    private func password(_ reference: String, _ environment: [String: String] = [:], in folder: SiteFolder) throws
        -> Secret?
    {
        let login = "mqtt://127.0.0.1\n    username: me\n    password: \(reference)"
        try folder.write(Sample.source.replacing("mqtt://127.0.0.1", with: login), to: "site.yaml")
        return try folder.load(environment: environment).plan.sources[0].broker.password
    }

    @Test("a password comes from a credential, a file of its own or the environment")
    func secrets() throws {
        let folder = try SiteFolder(["secrets/secret_pw": "one\n", "secrets/own": "two\n"])
        let credentials = ["CREDENTIALS_DIRECTORY": folder.path + "/secrets"]
        #expect(try password("{credential: pw}", credentials, in: folder)?.revealed == "one")
        #expect(try password("{credential: own}", credentials, in: folder)?.revealed == "two")
        #expect(try password("{env: PW}", ["PW": "three"], in: folder)?.revealed == "three")
        let file = folder.path + "/secrets/own"
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        #expect(try password("{file: \(file)}", in: folder)?.revealed == "two")
    }

    @Test(
        "a password that isn't safe or isn't there is refused, and never repeated",
        arguments: [
            ("hunter2", "a secret in the open; give {credential: name}, {file: path} or {env: NAME} instead"),
            ("{env: NONE}", "the environment variable NONE isn't set"),
            ("{credential: pw}", "the credential 'pw' needs $CREDENTIALS_DIRECTORY, which systemd sets for a service"),
            ("{credential: ../x}", "expected the name of a credential, found '../x'"),
            ("{env: A, file: /x}", "expected one of {credential: name}, {file: path} and {env: NAME}"),
            ("{file: /nonexistent}", "/nonexistent can't be read: No such file or directory"),
            ("{plain: hunter2}", "unknown key 'plain' in a reference to a secret; it takes credential, file and env"),
        ])
    func badSecrets(_ reference: String, _ message: String) throws {
        let folder = try SiteFolder()
        _ = try? password(reference, in: folder)
        let found = folder.problems()
        #expect(found.contains { $0.hasSuffix("error: \(message)") }, "\(found)")
        #expect(!found.contains { $0.contains("hunter2") })
    }

    @Test("a secret file that others can read is refused")
    func openSecret() throws {
        let folder = try SiteFolder(["pw": "two"])
        let file = folder.path + "/pw"
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file)
        _ = try? password("{file: \(file)}", in: folder)
        #expect(folder.problems().first?.hasSuffix("pw can be read or written by others; chmod 600 pw") == true)
    }
}
