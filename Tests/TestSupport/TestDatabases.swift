// Real time-series databases for tests, on free ports of the loopback: VictoriaMetrics and InfluxDB 1.

internal import Foundation
internal import Glibc

/// One database process with a folder of its own; both go with it.
package final class TestDatabase: Sendable {
    package enum Kind: String, Sendable {
        case victoriaMetrics = "victoria-metrics"
        case influxDB = "influxd"
    }

    package let port: UInt16
    private let process: ChildProcess
    private let folder: URL

    /// Whether Debian's package is installed; without it tests are skipped.
    package static func isInstalled(_ kind: Kind) -> Bool {
        unsafe access("/usr/bin/\(kind.rawValue)", X_OK) == 0
    }

    /// Starts and waits until it listens.
    package init(_ kind: Kind) throws {
        port = TestPort.free()
        folder = URL(filePath: NSTemporaryDirectory()).appending(
            path: "lineside-db-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.path()
        switch kind {
        case .victoriaMetrics:
            process = ChildProcess(
                "/usr/bin/victoria-metrics",
                [
                    "-storageDataPath=\(path)/data", "-httpListenAddr=127.0.0.1:\(port)", "-retentionPeriod=100y",
                    "-memory.allowedBytes=64MB",
                ])
        case .influxDB:
            let configuration = """
                reporting-disabled = true
                bind-address = "127.0.0.1:\(TestPort.free())"
                [meta]
                  dir = "\(path)/meta"
                [data]
                  dir = "\(path)/data"
                  wal-dir = "\(path)/wal"
                [http]
                  bind-address = "127.0.0.1:\(port)"
                """
            let file = folder.appending(path: "influxdb.conf")
            try configuration.write(to: file, atomically: true, encoding: .utf8)
            process = ChildProcess("/usr/bin/influxd", ["run", "-config", file.path()])
        }
        for _ in 0..<4000 {
            if TestPort.isOpen(port) { return }
            usleep(5000)
        }
    }

    deinit {
        process.end(SIGKILL)
        try? FileManager.default.removeItem(at: folder)
    }

    /// What it answers to GET (or POST) of a path with a query; by a plain socket, so that no client of ours is trusted.
    package func ask(_ target: String, method: String = "GET") -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        guard unsafe TestSocket.withAddress(port, { unsafe connect(descriptor, $0, $1) }) == 0 else { return "" }
        let request = Array(
            "\(method) \(target) HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        _ = unsafe send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
        var answer: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe recv(descriptor, &bytes, bytes.count, 0), count > 0 { answer += bytes[..<count] }
        let text = String(decoding: answer, as: UTF8.self)
        return text.range(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
    }
}
