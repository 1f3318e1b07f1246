// What systemd is told: one datagram to $NOTIFY_SOCKET (sd_notify(3)); no libsystemd.

internal import GatewayModel
internal import Glibc

/// The service manager's ear. Does nothing when the process wasn't started by one.
package struct ServiceNotification: Sendable {
    private let socketPath: String?
    /// How often the service manager wants to hear of progress; nil when it doesn't (WATCHDOG_USEC, WATCHDOG_PID).
    package let watchdogInterval: Duration?

    package init(environment: [String: String]) {
        socketPath = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isForUs = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        watchdogInterval =
            isForUs
            ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.flatMap { $0 > 0 ? .microseconds($0) : nil } : nil
    }

    package func ready() { send("READY=1") }
    package func stopping() { send("STOPPING=1") }
    package func progress() { send("WATCHDOG=1") }
    /// The text isn't even made when nobody listens.
    package func status(_ text: @autoclosure () -> String) {
        if socketPath != nil { send("STATUS=\(text())") }
    }
    package func reloading() {
        send("RELOADING=1\nMONOTONIC_USEC=\(SystemClock().monotonic().nanoseconds / 1000)")
    }

    private func send(_ message: String) {
        guard let socketPath else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socketPath.utf8)
        // A leading @ means the abstract name space, where the first byte is zero.
        if name.first == UInt8(ascii: "@") { name[0] = 0 }
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard name.count < room else { return }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count + (name[0] == 0 ? 0 : 1))
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(message.utf8)
        unsafe withUnsafeBytes(of: &address) { raw in
            unsafe _ = bytes.withUnsafeBytes { payload in
                unsafe sendto(
                    descriptor, payload.baseAddress, payload.count, Int32(MSG_NOSIGNAL),
                    raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
            }
        }
    }
}
