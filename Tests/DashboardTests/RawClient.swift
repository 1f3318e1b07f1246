// A client of few words: HTTP/1.1 over a socket, without a library that would be forgiving.

import Glibc
import Testing

/// One connection. Never blocks a thread: Hummingbird's requests run on the same pool as the tests.
final class RawConnection {
    struct TimedOut: Error { var soFar: String }
    struct Response {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    private let descriptor: Int32
    private(set) var received: [UInt8] = []
    private(set) var isClosed = false

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "cannot connect to port \(port)")
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        let count = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        try #require(count == bytes.count)
    }

    /// Waits until `isEnough` of what has been received, or the other side closes.
    func receive(until isEnough: (String) -> Bool) async throws -> String {
        let deadline = ContinuousClock.now.advanced(by: .seconds(20))
        while true {
            drain()
            let text = String(decoding: received, as: UTF8.self)
            if isEnough(text) || isClosed { return text }
            guard ContinuousClock.now < deadline else { throw TimedOut(soFar: text) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func forget() { received = [] }

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while !isClosed {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count > 0 {
                received += buffer[..<count]
            } else if count == 0 || errno != EAGAIN {
                isClosed = true
            } else {
                return
            }
        }
    }

    /// One request and its whole answer.
    func exchange(
        _ target: String, method: String = "GET", host: String? = "localhost", headers: [String] = [], body: String = ""
    ) async throws -> Response {
        forget()
        let lines = ["\(method) \(target) HTTP/1.1"] + (host.map { ["Host: \($0)"] } ?? []) + headers + ["", body]
        try send(lines.joined(separator: "\r\n"))
        let head = try await receive { $0.contains("\r\n\r\n") }
        let response = Self.parse(head)
        let length =
            method == "HEAD" || response.status == 304 ? 0 : Int(response.headers["content-length"] ?? "0") ?? 0
        let text = try await receive { Self.parse($0).body.utf8.count >= length }
        return Self.parse(text)
    }

    private static func parse(_ text: String) -> Response {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return Response(status: 0, headers: [:], body: "") }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return Response(status: status, headers: headers, body: String(text[end.upperBound...]))
    }
}
