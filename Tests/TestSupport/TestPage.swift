// Pages of servers on the loopback, fetched by the plainest client there is.

internal import Foundation
internal import Glibc

package enum TestPage {
    /// The body of a page; empty when it does not answer within 5 s.
    package static func get(_ port: UInt16, _ path: String) -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard unsafe TestSocket.withAddress(port, { unsafe connect(descriptor, $0, $1) }) == 0 else { return "" }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8)
        unsafe _ = request.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let got = unsafe recv(descriptor, &buffer, buffer.count, 0), got > 0 { answer += buffer[..<got] }
        let text = String(decoding: answer, as: UTF8.self)
        guard let head = text.firstRange(of: "\r\n\r\n") else { return "" }
        let body = text[head.upperBound...]
        return text[..<head.lowerBound].lowercased().contains("transfer-encoding: chunked")
            ? joined(body) : String(body)
    }

    /// RFC 9112, 7.1: size in hexadecimal, line end, so many bytes, line end; the last is empty.
    private static func joined(_ chunks: Substring) -> String {
        var (rest, whole) = (chunks.utf8, "")
        while let line = rest.firstIndex(of: UInt8(ascii: "\r")),
            let size = Int(String(Substring(rest[..<line])), radix: 16), size > 0
        {
            let start = rest.index(line, offsetBy: 2, limitedBy: rest.endIndex) ?? rest.endIndex
            let end = rest.index(start, offsetBy: size, limitedBy: rest.endIndex) ?? rest.endIndex
            whole += String(Substring(rest[start..<end]))
            rest = rest[(rest.index(end, offsetBy: 2, limitedBy: rest.endIndex) ?? rest.endIndex)...]
        }
        return whole
    }
}
