// Receivers that are not ours: Python programs with libraries from PyPI.

internal import Foundation
internal import Glibc
internal import Synchronization

/// A Python program of `Tests/Peers`, and every line that it has printed, as JSON.
package final class PythonPeer: Sendable {
    /// The interpreter with the libraries: `scripts/test` makes it. Nil when it could not be had.
    package static let interpreter: String? = {
        let own = root.appending(path: ".build/python/bin/python3").path()
        let candidates = [own, ProcessInfo.processInfo.environment["LINESIDE_PYTHON"]].compactMap(\.self)
        return candidates.first { prints($0, "from paho.mqtt.client import CallbackAPIVersion; print(1)") }
    }()
    package static let reason = "paho-mqtt is not there: scripts/test installs it from PyPI into .build/python"

    /// The interpreter with pysparkplug, which wants another paho-mqtt.
    package static let sparkplug: String? = {
        let own = root.appending(path: ".build/test-python/bin/python3").path()
        let candidates = [ProcessInfo.processInfo.environment["LINESIDE_PYTHON"], own].compactMap(\.self)
        return candidates.first { prints($0, "import paho.mqtt.client, pysparkplug; print(1)") }
    }()
    package static let sparkplugReason =
        "pysparkplug is not there: scripts/test installs it from PyPI into .build/test-python"

    /// `Tests/Peers/sparkplug_host.py`.
    package static func host(port: Int, group: String, node: String) -> TestLines {
        TestLines(
            sparkplug ?? "/bin/false",
            [root.appending(path: "Tests/Peers/sparkplug_host.py").path(), String(port), group, node])
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func prints(_ interpreter: String, _ program: String) -> Bool {
        guard FileManager.default.isExecutableFile(atPath: interpreter) else { return false }
        let pipe = ChildPipe.make()
        let process = ChildProcess(interpreter, ["-c", program], output: pipe.write)
        close(pipe.write)
        process.wait()
        var byte: UInt8 = 0
        defer { close(pipe.read) }
        return unsafe read(pipe.read, &byte, 1) == 1
    }

    private let process: ChildProcess
    private let output = Mutex<[UInt8]>([])

    package init(_ program: String, _ arguments: [String]) {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let pipe = ChildPipe.make()
        process = ChildProcess(
            Self.interpreter ?? "/bin/false", [folder.appending(path: "Peers/\(program)").path()] + arguments,
            output: pipe.write)
        close(pipe.write)
        Thread.detachNewThread { [weak self] in
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = unsafe read(pipe.read, &bytes, bytes.count), count > 0 {
                self?.output.withLock { $0.append(contentsOf: bytes[..<count]) }
            }
            close(pipe.read)
        }
    }

    deinit { process.end(SIGKILL) }

    package var lines: [[String: Any]] {
        String(decoding: output.withLock { $0 }, as: UTF8.self).split(separator: "\n").compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
        }
    }
}
