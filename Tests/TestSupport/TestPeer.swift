// Independent MQTT clients for tests: mosquitto_sub and mosquitto_pub.

internal import Foundation
internal import Glibc
internal import Synchronization

/// A `mosquitto_sub` that keeps its session, and every message it has printed.
package final class TestSubscriber: Sendable {
    package struct Message: Sendable {
        package var topic: String
        package var isRetained: Bool
        package var payload: String
        /// The payload as JSON; empty when it is none.
        package var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(payload.utf8))) as? [String: Any] ?? [:]
        }
    }

    private let process: ChildProcess
    private let output = Mutex<[UInt8]>([])

    /// Subscribes to `topic` and waits until the broker has confirmed it.
    package init(port: UInt16, topic: String = "#") throws {
        let pipe = ChildPipe.make()
        process = ChildProcess(
            "/usr/bin/mosquitto_sub",
            [
                "-h", "127.0.0.1", "-p", "\(port)", "-t", topic, "-t", "ready/peer", "-q", "1", "-c", "-i",
                "peer-\(UInt32.random(in: 0...UInt32.max))", "-F", "%r\t%t\t%p",
            ], output: pipe.write)
        close(pipe.write)
        Thread.detachNewThread { [weak self] in
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = unsafe read(pipe.read, &bytes, bytes.count), count > 0 {
                self?.output.withLock { $0.append(contentsOf: bytes[..<count]) }
            }
            close(pipe.read)
        }
        let deadline = Date(timeIntervalSinceNow: 20)
        while messages(all: true).allSatisfy({ $0.topic != "ready/peer" }) && Date() < deadline {
            try TestPublisher.publish(port: port, topic: "ready/peer", payload: "1")
        }
    }

    deinit { process.end(SIGKILL) }

    /// Every message so far, in the order of arrival.
    package var messages: [Message] { messages(all: false) }

    private func messages(all: Bool) -> [Message] {
        String(decoding: output.withLock { $0 }, as: UTF8.self).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3, all || parts[1] != "ready/peer" else { return nil }
            return Message(topic: parts[1], isRetained: parts[0] == "1", payload: parts[2])
        }
    }
}

package enum TestPublisher {
    /// Publishes one message with `mosquitto_pub` and waits until the broker has it.
    package static func publish(port: UInt16, topic: String, payload: String, isRetained: Bool = false) throws {
        let pipe = ChildPipe.make()
        let process = ChildProcess(
            "/usr/bin/mosquitto_pub",
            ["-h", "127.0.0.1", "-p", "\(port)", "-t", topic, "-q", "1", "-s"] + (isRetained ? ["-r"] : []),
            input: pipe.read)
        close(pipe.read)
        let bytes = Array(payload.utf8)
        var sent = 0
        while sent < bytes.count, case let count = unsafe write(pipe.write, Array(bytes[sent...]), bytes.count - sent),
            count > 0
        {
            sent += count
        }
        close(pipe.write)
        process.wait()
    }
}

/// Waits until `condition` holds, for as long as a busy machine may take. Returns whether it came to hold.
package func eventually(within seconds: Int = 60, _ condition: () throws -> Bool) async rethrows -> Bool {
    for _ in 0..<seconds * 200 {
        if try condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return try condition()
}
