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
        try refuseHighDescriptor()
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
        // A peer that vanished without a word must be noticed by the kernel too (libmodbus sets neither).
        setOption(SOL_SOCKET, SO_KEEPALIVE, 1)
        setOption(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, 10_000)
    }

    package func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        // A request of 12 bytes fits into an empty send buffer whole, or the connection is dead.
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let sent = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(socket, $0.baseAddress, $0.count, flags) }
        guard sent == bytes.count else { throw .closed(code: sent < 0 ? errno : ENOBUFS) }
    }

    package func receive(into bytes: inout [UInt8], limit: Int, deadline: MonotonicTime) throws(ModbusError) {
        while true {
            let left = deadline.duration(since: clock.monotonic()).nanoseconds
            guard left > 0 else { throw .timeout }
            var event = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&event, 1, Int32(min((left + 999_999) / 1_000_000, 60_000)))
            if ready < 0 && errno == EINTR { continue }
            guard ready != 0 else { throw .timeout }
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: limit))
            let got = unsafe bytes.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress! + start, limit, 0) }
            let code = errno
            bytes.removeLast(limit - max(0, got))
            if got < 0 && code == EINTR { continue }
            guard got > 0 else { throw .closed(code: got < 0 ? code : 0) }
            return
        }
    }

    package func hasUnaskedBytes() -> Bool {
        var byte: UInt8 = 0
        return unsafe recv(socket, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) > 0
    }

    package func rest(until moment: MonotonicTime) {
        let left = moment.duration(since: clock.monotonic()).nanoseconds
        guard left > 0 else { return }
        var time = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        unsafe nanosleep(&time, nil)
    }

    package func close() {
        guard let context = unsafe context else { return }
        unsafe modbus_close(context)
        unsafe modbus_free(context)
        unsafe self.context = nil
        socket = -1
    }

    /// modbus_connect puts its socket into an fd_set of 1,024 bits; beyond, it writes past it (fixed in 3.1.12). The
    /// process caps its descriptors (`ProcessLimits`); this is the second lock on the same door.
    private func refuseHighDescriptor() throws(ModbusError) {
        let lowest = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard lowest >= 0 else { throw .outOfDescriptors }
        Glibc.close(lowest)
        // Room for the sockets that other threads may open in between.
        guard lowest < 1024 - 16 else { throw .outOfDescriptors }
    }

    private func setOption(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        unsafe setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
