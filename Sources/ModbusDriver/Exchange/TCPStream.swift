// A TCP connection made by libmodbus and spoken to by ourselves.

internal import CModbus
internal import GatewayModel
package import GatewayPlatform
internal import Glibc

/// The real field: libmodbus resolves nothing and exchanges nothing here, it makes the connection and owns the socket.
///
/// `@unchecked Sendable`: the context is made, used and freed by the one thread that owns the stream.
@safe
package final class TCPStream: FieldStream, @unchecked Sendable {
    private let host: String
    private let port: UInt16
    private let clock = SystemClock()
    private var context: OpaquePointer?
    private var socket: Int32 = -1
    /// What the kernel lets a blocking recv wait, as last set.
    private var receiveTimeout = Duration.zero

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    deinit { close() }

    package var isOpen: Bool { socket >= 0 }

    package func open(deadline: MonotonicTime) throws(ModbusError) {
        close()
        let timeout = deadline.duration(since: clock.monotonic())
        guard timeout > .zero else { throw .timeout }
        guard let address = HostLookup.address(of: host, timeout: timeout) else { throw .unknownHost }
        try Descriptor.refuseHigh()
        // modbus_new_tcp takes IPv4 addresses only; the other variant would resolve names, and blocks doing so.
        let made =
            address.contains(":")
            ? unsafe modbus_new_tcp_pi(address, String(port)) : unsafe modbus_new_tcp(address, Int32(port))
        guard let made = unsafe made else { throw .unreachable(code: errno) }
        let left = max(.milliseconds(1), deadline.duration(since: clock.monotonic()))
        let microseconds = left.nanoseconds / 1000
        unsafe modbus_set_response_timeout(made, UInt32(microseconds / 1_000_000), UInt32(microseconds % 1_000_000))
        guard unsafe modbus_connect(made) == 0 else {
            let code = errno
            unsafe modbus_free(made)
            throw .unreachable(code: code)
        }
        unsafe context = made
        socket = unsafe modbus_get_socket(made)
        // The first wait of an exchange is the kernel's own (SO_RCVTIMEO): one system call less than poll and recv.
        let flags = fcntl(socket, F_GETFL)
        _ = fcntl(socket, F_SETFL, flags & ~O_NONBLOCK)
        receiveTimeout = .zero
        // A peer that vanished without a word must be noticed by the kernel too (libmodbus sets neither).
        setOption(SOL_SOCKET, SO_KEEPALIVE, 1)
        setOption(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 10_000)
    }

    package func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        // A window of requests fits into an empty send buffer whole, or the connection is dead.
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let sent = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(socket, $0.baseAddress, $0.count, flags) }
        guard sent == bytes.count else { throw .closed(code: sent < 0 ? errno : ENOBUFS) }
    }

    package func receive(
        into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime
    ) throws(ModbusError) -> Int {
        while true {
            let left = deadline.duration(since: clock.monotonic())
            guard left > .zero else { throw .timeout }
            // Only a wait that is about as long as the kernel's setting can be left to the kernel; the rest of an
            // answer that drips is waited for with poll, to the millisecond.
            let isKernels = setReceiveTimeout(left)
            if !isKernels {
                guard Descriptor.waitReadable(socket, deadline: deadline) else { throw .timeout }
            }
            let flags = isKernels ? 0 : Int32(MSG_DONTWAIT)
            let got = unsafe buffer.withUnsafeMutableBytes { raw in
                unsafe recv(socket, raw.baseAddress! + start, raw.count - start, flags)
            }
            if got > 0 { return got }
            let code = errno
            if got < 0 && (code == EINTR || code == EAGAIN) { continue }
            throw .closed(code: got < 0 ? code : 0)
        }
    }

    /// The setting is a little longer than asked, so that the next wait of about this length needs no system call; it
    /// overshoots a deadline by a ninth at most.
    /// - Returns: true when a blocking recv ends close enough to `left`.
    private func setReceiveTimeout(_ left: Duration) -> Bool {
        let (left, present) = (left.nanoseconds, receiveTimeout.nanoseconds)
        if left <= present { return left >= present / 10 * 9 }
        let microseconds = left / 1000 * 51 / 50 + 1
        var time = timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
        unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        receiveTimeout = .microseconds(microseconds)
        return true
    }

    package func drain(quiet: Duration, deadline: MonotonicTime) -> Int {
        var drained = 0
        var scrap = [UInt8](repeating: 0, count: 1024)
        while isOpen {
            let got = unsafe recv(socket, &scrap, scrap.count, Int32(MSG_DONTWAIT))
            if got > 0 {
                drained += got
                continue
            }
            guard got < 0, errno == EAGAIN, quiet > .zero else { break }
            let now = clock.monotonic()
            guard now < deadline,
                Descriptor.waitReadable(socket, deadline: min(deadline, now.advanced(by: quiet)))
            else { break }
        }
        return drained
    }

    package func rest(until moment: MonotonicTime) { Descriptor.rest(until: moment) }

    package func close() {
        guard let context = unsafe context else { return }
        unsafe modbus_close(context)
        unsafe modbus_free(context)
        unsafe self.context = nil
        socket = -1
    }

    private func setOption(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        unsafe setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
