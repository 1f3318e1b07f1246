// Names to addresses, with a deadline: getaddrinfo blocks as long as it likes.

internal import Glibc

package enum HostResolver {
    /// The numeric address of `host`, or nil when there is none within `timeout`.
    ///
    /// A numeric address is returned as it is, without asking anyone. A name is looked up on a thread of its own that
    /// is left behind when the time has passed: it ends when the resolver gives up.
    package static func address(of host: String, timeout: Duration) -> String? {
        if isNumeric(host) { return host }
        let answer = Mailbox<String>(capacity: 1)
        _ = DedicatedThread(name: "resolve") {
            if let address = lookUp(host) { answer.put(address) }
            answer.close()
        }
        var answers: [String] = []
        _ = answer.takeAll(into: &answers, timeout: timeout)
        return answers.first
    }

    package static func isNumeric(_ host: String) -> Bool {
        var v4 = in_addr()
        var v6 = in6_addr()
        return unsafe inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1
    }

    private static func lookUp(_ host: String) -> String? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &found) == 0, let first = unsafe found else { return nil }
        defer { unsafe freeaddrinfo(first) }
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = unsafe getnameinfo(
            first.pointee.ai_addr, first.pointee.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        guard status == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
