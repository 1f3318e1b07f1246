// Certificates for tests, made by the openssl command: an authority, a broker, a client, and strangers.

internal import Foundation

/// A folder of PEM files that goes with it. Keys are for us alone.
package final class TestCertificates: Sendable {
    private let folder: URL

    /// - Parameter names: what the broker's certificate is for, as in `DNS:localhost,IP:127.0.0.1`.
    package init(names: String = "DNS:localhost,DNS:broker.plant,IP:127.0.0.1") throws {
        folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: ".build/test-certificates/\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for authority in ["authority", "stranger"] { make(authority, ["-addext", "basicConstraints=critical,CA:TRUE"]) }
        sign("broker", by: "authority", names: names)
        sign("client", by: "authority", names: "DNS:gateway")
        sign("impostor", by: "stranger", names: "DNS:gateway")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    package func certificate(_ name: String) -> String { folder.appending(path: "\(name).pem").path() }
    package func key(_ name: String) -> String { folder.appending(path: "\(name).key").path() }

    private func sign(_ name: String, by authority: String, names: String) {
        make(
            name,
            [
                "-CA", certificate(authority), "-CAkey", key(authority), "-addext", "subjectAltName=\(names)", "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
    }

    private func make(_ name: String, _ more: [String]) {
        ChildProcess(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=\(name)", "-keyout", key(name), "-out", certificate(name),
            ] + more
        ).wait()
        try? FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key(name))
    }
}
