// An HTTP receiver for tests that answers as it is told, rightly or not, byte by byte.

internal import Foundation
internal import Glibc
internal import Synchronization

/// Listens on the loopback, one thread a connection, and keeps what it was sent.
package final class TestHTTPServer: Sendable {
    /// One request, as it came.
    package struct Request: Sendable {
        package var target: String
        /// Names in lower case.
        package var headers: [String: String]
        package var body: [UInt8]
        /// How many had come before it.
        package var index: Int
        /// Which connection it came on, counted from 0.
        package var connection: Int
    }

    /// What it does about a request.
    package enum Reaction: Sendable {
        case answer(Int, headers: [String: String] = [:], text: String = "")
        /// These bytes, then the end of the connection.
        case raw(String)
        /// The end of the connection without a word; with a reset.
        case hangUp
        /// Nothing at all, with the connection open.
        case silence
        /// The same bytes, one every ten milliseconds.
        case trickle(String)
    }

    package let port: UInt16
    private let listener: Int32
    private let react: @Sendable (Request) -> Reaction
    private struct State {
        var requests: [Request] = []
        /// Those that are open: a number that was closed may already be somebody else's.
        var open: Set<Int32> = []
        var connections = 0
        var isStopped = false
    }
    private let state = Mutex(State())

    private let keepsBodies: Bool

    /// - Parameter keepsBodies: false: requests are forgotten; for benchmarks.
    package init(port: UInt16 = 0, keepsBodies: Bool = true, _ react: @escaping @Sendable (Request) -> Reaction) {
        self.react = react
        self.keepsBodies = keepsBodies
        (listener, self.port) = TestSocket.listen(port: port)
        Thread.detachNewThread { self.serve() }
    }

    package var requests: [Request] { state.withLock { $0.requests } }
    /// Connections so far.
    package var connections: Int { state.withLock { $0.connections } }

    package func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            for connection in state.open { shutdown(connection, Int32(SHUT_RDWR)) }
            return !state.isStopped
        }
        guard isFirst else { return }
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func serve() {
        while !state.withLock({ $0.isStopped }) {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { continue }
            let number = state.withLock { state in
                state.open.insert(connection)
                state.connections += 1
                return state.connections - 1
            }
            Thread.detachNewThread {
                self.talk(on: connection, number)
                self.state.withLock { state in
                    state.open.remove(connection)
                    close(connection)
                }
            }
        }
        close(listener)
    }

    private func talk(on connection: Int32, _ number: Int) {
        var pending: [UInt8] = []
        while let request = Self.read(connection, &pending) {
            let whole = state.withLock { state in
                var request = request
                (request.index, request.connection) = (state.requests.count, number)
                if keepsBodies { state.requests.append(request) }
                return request
            }
            switch react(whole) {
            case .answer(let status, let headers, let text):
                var head = "HTTP/1.1 \(status) Said\r\n"
                for (name, value) in headers { head += "\(name): \(value)\r\n" }
                if status != 204 { head += "Content-Length: \(text.utf8.count)\r\n" }
                Self.write(connection, head + "\r\n" + (status == 204 ? "" : text))
            case .raw(let bytes):
                Self.write(connection, bytes)
                shutdown(connection, Int32(SHUT_RDWR))
                return
            case .hangUp:
                var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
                unsafe setsockopt(
                    connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
                return
            case .silence:
                var byte: UInt8 = 0
                while unsafe recv(connection, &byte, 1, 0) > 0 {}
                return
            case .trickle(let bytes):
                for byte in bytes.utf8 {
                    guard !state.withLock({ $0.isStopped }),
                        unsafe send(connection, [byte], 1, Int32(MSG_NOSIGNAL)) == 1
                    else { return }
                    usleep(10_000)
                }
            }
        }
    }

    /// The next request; nil at the end of the connection.
    private static func read(_ connection: Int32, _ pending: inout [UInt8]) -> Request? {
        let end = Array("\r\n\r\n".utf8)
        var headEnd: Int?
        while headEnd == nil {
            headEnd = pending.firstRange(of: end)?.upperBound
            if headEnd == nil { guard more(connection, &pending) else { return nil } }
        }
        guard let headEnd else { return nil }
        let lines = String(decoding: pending[..<(headEnd - 4)], as: UTF8.self).components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1] }
        }
        let length = Int(headers["content-length"] ?? "0") ?? 0
        while pending.count < headEnd + length { guard more(connection, &pending) else { return nil } }
        let body = Array(pending[headEnd..<headEnd + length])
        pending.removeFirst(headEnd + length)
        let target = lines[0].split(separator: " ").dropFirst().first.map(String.init) ?? ""
        return Request(target: target, headers: headers, body: body, index: 0, connection: 0)
    }

    private static func more(_ connection: Int32, _ pending: inout [UInt8]) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe recv(connection, &bytes, bytes.count, 0)
        if count > 0 { pending += bytes[..<count] }
        return count > 0
    }

    private static func write(_ connection: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe send(connection, Array(bytes[sent...]), bytes.count - sent, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return }
            sent += count
        }
    }
}
