// Sinks over HTTP and of files, as the site file has them.

import GatewayModel
import Testing
import Upstream

@testable import GatewayConfiguration

@Suite("Sinks of a site")
struct SinkTests {
    private static let environment = ["TOKEN": "t0ken", "PASSWORD": "pass"]

    private func plan(_ receiver: String) throws -> ReceiverPlan? {
        let sinks = "sinks: { s: { \(receiver) } }\n"
        return try SiteFolder(Sample.site("devices:", sinks + "devices:")).load(environment: Self.environment).plan
            .sinks
            .first?.receiver
    }

    private func problems(_ receiver: String) throws -> [String] {
        let sinks = "sinks: { s: { \(receiver) } }\n"
        return try SiteFolder(Sample.site("devices:", sinks + "devices:")).problems(environment: Self.environment)
    }

    @Test(
        "the address of a request is made of the version's keys",
        arguments: [
            (
                "url: \"https://tsdb:8086\", org: acme, bucket: plant",
                "https://tsdb:8086/api/v2/write?org=acme&bucket=plant&precision=ns"
            ),
            (
                "url: \"http://127.0.0.1:8428/insert/\", version: 2, bucket: \"a b&c\"",
                "http://127.0.0.1:8428/insert/api/v2/write?org=&bucket=a%20b%26c&precision=ns"
            ),
            ("url: \"http://tsdb\", database: plant", "http://tsdb/write?db=plant&precision=ns"),
            (
                "url: \"http://[::1]:8086\", version: 1, database: plant, retention_policy: year",
                "http://[::1]:8086/write?db=plant&rp=year&precision=ns"
            ),
        ])
    func address(keys: String, url: String) throws {
        #expect(
            try plan("influx: { \(keys) }")
                == .http(HTTPReceiverPlan(url: url, content: .lines(measurement: "lineside"))))
    }

    @Test("every key of a sink over HTTP has its effect")
    func everyKey() throws {
        var plan = HTTPReceiverPlan(
            url: "https://tsdb/api/v2/write?org=o&bucket=b&precision=ns", content: .lines(measurement: "machines"))
        plan.headers = [
            .init("X-Plant", Secret("north")), .init("X-Key", Secret("pass")),
            .init("Authorization", Secret("Token t0ken")),
        ]
        plan.isGzipped = true
        plan.authorities = "/etc/lineside/ca.pem"
        plan.proxy = HTTPReceiverPlan.Proxy(host: "proxy", port: 3128)
        plan.timeout = .seconds(30)
        plan.requests = 2
        plan.linger = .seconds(2)
        plan.bounds = ParcelBounds(pieces: 1000, bytes: 64 << 10)
        let keys = """
            url: "https://tsdb", org: o, bucket: b, token: { env: TOKEN }, measurement: machines, batch: 1000, size: 64KiB, \
            every: 2s, gzip: true, timeout: 30s, requests: 2, ca: /etc/lineside/ca.pem, proxy: "proxy:3128", \
            headers: { X-Plant: north, X-Key: { env: PASSWORD } }
            """
        #expect(try self.plan("influx: { \(keys) }") == .http(plan))
    }

    @Test("a webhook has a secret of its own, and an address that is used as it is")
    func webhook() throws {
        var plan = HTTPReceiverPlan(url: "https://h/hook/?a=b", content: .messages(signedWith: Secret("t0ken")))
        plan.bounds = ParcelBounds(pieces: 100, bytes: 256 << 10)
        plan.linger = .seconds(1)
        // RFC 4648, 10: the pads.
        plan.headers = [.init("Authorization", Secret("Basic bWU6cGFzcw=="))]
        let keys = "url: \"https://h/hook/?a=b\", secret: { env: TOKEN }, username: me, password: { env: PASSWORD }"
        #expect(try self.plan("webhook: { \(keys) }") == .http(plan))
    }

    @Test(
        "base64 is as RFC 4648 has it",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64(text: String, spelled: String) { #expect(HTTPSinkSection.base64(text) == spelled) }

    @Test("every key of a sink of files has its effect")
    func files() throws {
        var plan = FileReceiverPlan(directory: "/media/usb")
        #expect(try self.plan("file: { directory: /media/usb }") == .file(plan))
        plan.format = .influx
        plan.fileBytes = 1 << 20
        plan.age = .seconds(600)
        plan.isGzipped = true
        plan.totalBytes = 8 << 20
        plan.removesOldest = true
        plan.commit = .seconds(5)
        plan.measurement = "m"
        let keys = """
            directory: /media/usb, format: influx, size: 1MiB, age: 10m, gzip: true, total: 8MiB, delete_oldest: true, \
            commit: 5s, measurement: m
            """
        #expect(try self.plan("file: { \(keys) }") == .file(plan))
    }

    @Test(
        "what is wrong is said where it stands",
        arguments: [
            (
                "influx: { bucket: b }",
                ["5:15: error: an InfluxDB sink needs 'url': an address such as https://tsdb.example:8086"]
            ),
            (
                "influx: { url: \"ftp://h\", bucket: b }",
                ["5:30: error: expected an address such as https://tsdb.example:8086, found 'ftp://h'"]
            ),
            (
                "influx: { url: \"http://me:pass@h\", bucket: b }",
                ["5:30: error: a login in the address: give it as a key of its own"]
            ),
            (
                "influx: { url: \"http://h?db=x\", bucket: b }",
                ["5:30: error: expected an address such as https://tsdb.example:8086, found 'http://h?db=x'"]
            ),
            (
                "influx: { url: \"http://h\" }",
                ["5:15: error: an InfluxDB sink needs 'org' and 'bucket' (version 2) or 'database' (version 1)"]
            ),
            (
                "influx: { url: \"http://h\", bucket: b, database: d }",
                ["5:63: error: either 'bucket' (version 2) or 'database' (version 1)"]
            ),
            (
                "influx: { url: \"http://h\", bucket: b, version: 1 }",
                ["5:50: error: a bucket is of version 2; version 1 has a 'database'"]
            ),
            (
                "influx: { url: \"http://h\", database: d, token: { env: TOKEN } }",
                ["5:62: warning: goes over the network for all to read: use https"]
            ),
            (
                "influx: { url: \"https://h\", database: d, token: t0ken }",
                ["5:63: error: a secret in the open; give {credential: name}, {file: path} or {env: NAME} instead"]
            ),
            (
                "influx: { url: \"https://h\", database: d, username: me }",
                ["5:66: error: 'username' and 'password' go together"]
            ),
            (
                "influx: { url: \"https://h\", database: d, headers: { Host: x } }",
                ["5:67: error: expected the name of a header that the gateway doesn't set itself, found 'Host'"]
            ),
            (
                "influx: { url: \"https://h\", database: d, bach: 5 }",
                ["5:56: error: unknown key 'bach' in an InfluxDB sink; did you mean 'batch'?"]
            ),
            ("file: { format: csv }", ["5:15: error: a file sink needs 'directory': an absolute path"]),
            (
                "file: { directory: /x, size: 1MiB, total: 2MiB }",
                ["5:57: error: files of 1MiB in 2MiB: it must hold three"]
            ),
            (
                "file: { directory: /x, measurement: m }",
                ["5:51: error: only 'format: influx' has a measurement"]
            ),
            (
                "file: { directory: /x }, webhook: { url: \"https://h\" }",
                ["5:49: error: a sink has one receiver; 'file' and 'webhook' are two sinks"]
            ),
        ])
    func wrong(keys: String, expected: [String]) throws {
        #expect(try problems(keys) == expected.map { "site.yaml:\($0)" })
    }
}
