// Names to addresses without holding up the thread that asks: the resolver may take half a minute to say no.

internal import Glibc
internal import Synchronization

/// One look-up of one name on a thread of its own, which ends with the resolver's answer.
///
/// Who asks rings nobody else and looks again when the bell has rung. A look-up that is given up ends by itself.
package final class HostLookup: Sendable {
    private enum Progress { case running, done([String]) }
    private let progress = Mutex(Progress.running)

    /// Starts; `bell` rings when the answer is there.
    package static func start(host: String, bell: WakeUp) -> HostLookup {
        let lookup = HostLookup()
        _ = DedicatedThread(name: "lookup") {
            let addresses = addresses(of: host)
            lookup.progress.withLock { $0 = .done(addresses) }
            bell.ring()
        }
        return lookup
    }

    /// The first address of `host`, waiting at most `timeout`; nil when there is none by then.
    package static func address(of host: String, timeout: Duration) -> String? {
        guard !isAddress(host) else { return host }
        let bell = WakeUp()
        let lookup = start(host: host, bell: bell)
        _ = bell.wait(timeout: timeout)
        return lookup.addresses?.first
    }

    /// Nil while the resolver is still busy; empty when the name has no address.
    package var addresses: [String]? {
        progress.withLock { progress in
            if case .done(let addresses) = progress { addresses } else { nil }
        }
    }

    /// True for `10.0.4.21` and `fe80::1`: nothing to look up.
    package static func isAddress(_ host: String) -> Bool {
        var address = in6_addr()
        return unsafe inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }

    private static func addresses(of host: String) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var first: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &first) == 0 else { return [] }
        defer { unsafe freeaddrinfo(first) }
        var found: [String] = []
        var next = unsafe first
        while let entry = unsafe next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let status = unsafe getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if status == 0 {
                found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            unsafe next = entry.pointee.ai_next
        }
        return found
    }
}
