// A real mosquitto broker for tests, on a free port of the loopback.

internal import Foundation
internal import Glibc
internal import Synchronization

/// One broker process, ended by its id. Keeps sessions over a restart, so that a peer misses nothing in between.
package final class TestBroker: Sendable {
    package let port: UInt16
    private let folder: URL
    private let process = Mutex<ChildProcess?>(nil)
    private let more: String

    /// - Parameter more: lines of its configuration: limits, or another listener.
    package init(port: UInt16 = TestPort.free(), more: String = "") throws {
        self.port = port
        self.more = more
        folder = TestBroker.buildFolder.appending(path: "test-brokers/\(port)-\(UInt32.random(in: 0...UInt32.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Starts (again) and waits until it listens.
    package func start() throws {
        let configuration = """
            listener \(port) 127.0.0.1
            allow_anonymous true
            user root
            max_queued_messages 0
            max_inflight_messages 0
            persistence true
            persistence_location \(folder.path())/
            autosave_on_changes true
            autosave_interval 1
            \(more)
            """
        let file = folder.appending(path: "mosquitto.conf")
        try configuration.write(to: file, atomically: true, encoding: .utf8)
        let broker = ChildProcess("/usr/sbin/mosquitto", ["-c", file.path()])
        process.withLock { $0 = broker }
        for _ in 0..<4000 {
            if TestPort.isOpen(port) { return }
            usleep(5000)
        }
    }

    /// Ends it the polite way: sessions and queued messages are kept for the next start.
    package func stop() { end(SIGTERM) }

    /// Ends it in the middle of whatever it does.
    package func kill() { end(SIGKILL) }

    /// Stops it from doing anything, with its connections open: what is sent stays on its way.
    package func suspend() { process.withLock { $0?.send(SIGSTOP) } }

    private func end(_ signal: Int32) {
        let broker = process.withLock { process in
            defer { process = nil }
            return process
        }
        broker?.end(signal)
    }

    /// Inside the package, where nothing else looks.
    private static var buildFolder: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: ".build")
    }
}

package enum TestPort {
    /// A port of the loopback that nobody listens on.
    package static func free() -> UInt16 {
        let listener = TestSocket.listen(port: 0)
        defer { close(listener.descriptor) }
        return listener.port
    }

    /// Several of them, no two the same.
    package static func free(_ count: Int) -> [UInt16] {
        let listeners = (0..<count).map { _ in TestSocket.listen(port: 0) }
        defer { for listener in listeners { close(listener.descriptor) } }
        return listeners.map(\.port)
    }

    package static func isOpen(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        return unsafe TestSocket.withAddress(port) { unsafe connect(descriptor, $0, $1) } == 0
    }
}

/// The few socket calls of the tests.
package enum TestSocket {
    /// Listens on the loopback; port 0 takes any.
    package static func listen(port: UInt16) -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        let status = unsafe withAddress(port) { unsafe bind(descriptor, $0, $1) }
        precondition(status == 0, "BUG: port \(port) is taken")
        Glibc.listen(descriptor, 16)
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutableBytes(of: &bound) { raw in
            unsafe getsockname(descriptor, raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
        }
        return (descriptor, UInt16(bigEndian: bound.sin_port))
    }

    static func withAddress(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return unsafe withUnsafeBytes(of: &address) { raw in
            unsafe body(
                raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
