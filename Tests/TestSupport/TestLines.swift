// A program that tests listen to, line by line.

internal import Foundation
internal import Glibc
internal import Synchronization

/// One running program and every whole line that it has written so far. Killed with the last reference.
package final class TestLines: Sendable {
    private let process: ChildProcess
    private let output = Mutex<[UInt8]>([])

    package init(_ path: String, _ arguments: [String]) {
        let pipe = ChildPipe.make()
        process = ChildProcess(path, arguments, output: pipe.write)
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

    package var lines: [String] {
        let bytes = output.withLock { $0 }
        let end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? bytes.startIndex
        return bytes[..<end].split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A `mosquitto_sub` that shows payloads byte by byte.
package final class TestByteSubscriber: Sendable {
    package struct Message: Sendable, Equatable {
        package var topic: String
        package var qos: Int
        package var isRetained: Bool
        package var payload: [UInt8]
    }

    private let program: TestLines

    /// Subscribes with QoS 2, so that each message comes with its own, and waits until the broker has confirmed it.
    package init(port: UInt16, topic: String) throws {
        program = TestLines(
            "/usr/bin/mosquitto_sub",
            [
                "-h", "127.0.0.1", "-p", "\(port)", "-t", topic, "-t", "ready/peer", "-q", "2", "-F", "%t\t%q\t%r\t%x",
                "-i", "peer-\(UInt32.random(in: 0...UInt32.max))",
            ])
        let deadline = Date(timeIntervalSinceNow: 20)
        while messages(all: true).allSatisfy({ $0.topic != "ready/peer" }) && Date() < deadline {
            try TestPublisher.publish(port: port, topic: "ready/peer", payload: "1")
        }
    }

    /// Every message so far, in the order of arrival.
    package var messages: [Message] { messages(all: false) }

    private func messages(all: Bool) -> [Message] {
        program.lines.compactMap { line in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard parts.count == 4, all || parts[0] != "ready/peer" else { return nil }
            return Message(
                topic: String(parts[0]), qos: Int(parts[1]) ?? -1, isRetained: parts[2] == "1",
                payload: Self.bytes(parts[3]))
        }
    }

    private static func bytes(_ digits: Substring) -> [UInt8] {
        let nibbles = digits.utf8.map { $0 > 0x39 ? $0 & 7 + 9 : $0 & 15 }
        return stride(from: 0, to: nibbles.count - 1, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
    }
}

extension TestPublisher {
    /// Publishes bytes with QoS 0, as Sparkplug's hosts do.
    package static func publish(port: UInt16, topic: String, bytes: [UInt8], isRetained: Bool = false) throws {
        let pipe = ChildPipe.make()
        let process = ChildProcess(
            "/usr/bin/mosquitto_pub",
            ["-h", "127.0.0.1", "-p", "\(port)", "-t", topic, "-q", "0", "-s"] + (isRetained ? ["-r"] : []),
            input: pipe.read)
        close(pipe.read)
        _ = unsafe write(pipe.write, bytes, bytes.count)
        close(pipe.write)
        process.wait()
    }

    /// Connects as somebody else: the broker ends the other's connection and tells its will.
    package static func takeOver(port: UInt16, clientID: String) {
        ChildProcess(
            "/usr/bin/mosquitto_pub",
            ["-h", "127.0.0.1", "-p", "\(port)", "-t", "taken/over", "-m", "1", "-i", clientID]
        ).wait()
    }
}
