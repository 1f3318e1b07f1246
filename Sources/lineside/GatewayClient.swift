// Asks a running gateway over HTTP: one request, one answer. For the commands.

import GatewayPlatform

internal import Glibc

/// Why there is no answer.
struct GatewayClientError: Error, CustomStringConvertible {
    let description: String
}

/// `http://127.0.0.1:8080`. Plain HTTP/1.1, as the gateway speaks it.
struct GatewayClient {
    private let host: String
    private let port: String
    private static let mostBytes = 64 << 20
    private static let patienceSeconds = 15

    init(url: String) throws(GatewayClientError) {
        guard url.hasPrefix("http://") else {
            throw GatewayClientError(description: "'\(url)' is no address of a gateway: http://127.0.0.1:8080")
        }
        let authority = url.dropFirst(7).prefix { $0 != "/" }
        let colon = authority.last == "]" ? nil : authority.lastIndex(of: ":")
        host = String(colon.map { authority[..<$0] } ?? authority)
        port = colon.map { String(authority[authority.index(after: $0)...]) } ?? "80"
        guard !host.isEmpty, UInt16(port) != nil else {
            throw GatewayClientError(description: "'\(url)' is no address of a gateway: http://127.0.0.1:8080")
        }
    }

    /// The body of a page.
    func get(_ path: String) throws(GatewayClientError) -> [UInt8] {
        let answer = try exchange("GET \(path) HTTP/1.1\r\nHost: \(host):\(port)\r\nConnection: close\r\n\r\n")
        guard let end = Self.find([13, 10, 13, 10], in: answer, from: 0) else { throw failed("the answer is no HTTP") }
        let head = String(decoding: answer[..<end], as: UTF8.self).split(separator: "\r\n")
        let status = head.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        let isChunked = head.contains {
            $0.lowercased().hasPrefix("transfer-encoding:") && $0.lowercased().contains("chunked")
        }
        let raw = Array(answer[(end + 4)...])
        let body = isChunked ? try Self.unchunked(raw) : raw
        guard status == 200 else {
            throw failed(
                "\(status.map(String.init) ?? "no status"): \(String(decoding: body.prefix(500), as: UTF8.self))")
        }
        return body
    }

    private func failed(_ why: String) -> GatewayClientError {
        GatewayClientError(description: "\(host):\(port): \(why)")
    }

    private func exchange(_ request: String) throws(GatewayClientError) -> [UInt8] {
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        guard let address = HostLookup.address(of: name, timeout: .seconds(5)) else {
            throw failed("the name has no address")
        }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address, port, &hints, &found) == 0, let info = unsafe found else {
            throw failed("no such address")
        }
        defer { unsafe freeaddrinfo(info) }
        let descriptor = unsafe socket(
            info.pointee.ai_family, info.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failed("no socket") }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard unsafe connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0 else {
            throw failed(unsafe String(cString: strerror(errno)))
        }
        let bytes = Array(request.utf8)
        let sent = unsafe bytes.withUnsafeBytes {
            unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == bytes.count else { throw failed("the request could not be sent") }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while answer.count <= Self.mostBytes {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failed("no answer in \(Self.patienceSeconds) s") }
            if count == 0 { return answer }
            answer += buffer[..<count]
        }
        throw failed("the answer is larger than \(Self.mostBytes >> 20) MiB")
    }

    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= pattern.count + start else { return nil }
        return (start...bytes.count - pattern.count).first { bytes[$0..<$0 + pattern.count] == pattern[...] }
    }

    /// RFC 9112, 7.1.
    private static func unchunked(_ bytes: [UInt8]) throws(GatewayClientError) -> [UInt8] {
        var (body, at) = ([UInt8](), 0)
        while let line = find([13, 10], in: bytes, from: at) {
            let size = Int(String(decoding: bytes[at..<line], as: UTF8.self).prefix { $0 != ";" }, radix: 16)
            guard let size, size <= bytes.count - line - 2 else { break }
            if size == 0 { return body }
            body += bytes[line + 2..<line + 2 + size]
            at = line + 2 + size + 2
        }
        throw GatewayClientError(description: "the answer ends in the middle")
    }
}
