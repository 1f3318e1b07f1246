// TLS before a plain server of the loopback: socat, with a certificate that openssl makes for it.

internal import Foundation
internal import Glibc

/// Takes TLS connections and passes on what is in them.
package final class TestTLSFront: Sendable {
    package let port: UInt16
    private let process: ChildProcess
    private let folder: URL
    /// PEM of the certificate, which is its own authority.
    package var certificate: String { folder.appending(path: "cert.pem").path() }

    /// - Parameters:
    ///   - target: the port of the plain server.
    ///   - name: whom the certificate is for: `IP:127.0.0.1`, `DNS:other.example`.
    package init(to target: UInt16, for name: String) throws {
        port = TestPort.free()
        folder = URL(filePath: NSTemporaryDirectory()).appending(
            path: "lineside-tls-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.path()
        _ = ProgramOutput.of(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=lineside test", "-addext", "subjectAltName=\(name)", "-keyout", "\(path)/key.pem", "-out",
                "\(path)/cert.pem",
            ])
        process = ChildProcess(
            "/usr/bin/socat",
            [
                "OPENSSL-LISTEN:\(port),bind=127.0.0.1,cert=\(path)/cert.pem,key=\(path)/key.pem,verify=0,fork,reuseaddr",
                "TCP:127.0.0.1:\(target)",
            ])
        for _ in 0..<4000 {
            if TestPort.isOpen(port) { return }
            usleep(5000)
        }
    }

    deinit {
        process.end(SIGKILL)
        try? FileManager.default.removeItem(at: folder)
    }
}
