// A serial line opened and set by libmodbus and spoken to by ourselves.

internal import CModbus
internal import GatewayModel
package import GatewayPlatform
internal import Glibc

/// The real field on a serial line: libmodbus opens the port and sets speed, parity and raw mode; it exchanges nothing.
///
/// `@unchecked Sendable`: the context is made, used and freed by the one thread that owns the stream.
@safe
package final class SerialStream: FieldStream, @unchecked Sendable {
    private let line: SerialLine
    private let clock = SystemClock()
    private var context: OpaquePointer?
    private var descriptor: Int32 = -1

    package init(_ line: SerialLine) { self.line = line }

    deinit { close() }

    package var isOpen: Bool { descriptor >= 0 }

    package func open(deadline: MonotonicTime) throws(ModbusError) {
        close()
        try Descriptor.refuseHigh()
        let parity: CChar = switch line.parity {
        case .none: CChar(UInt8(ascii: "N"))
        case .even: CChar(UInt8(ascii: "E"))
        case .odd: CChar(UInt8(ascii: "O"))
        }
        let made = unsafe modbus_new_rtu(
            line.port, Int32(line.baud), parity, Int32(line.dataBits), Int32(line.stopBits))
        guard let made = unsafe made else { throw .unreachable(code: errno) }
        guard unsafe modbus_connect(made) == 0 else {
            let code = errno
            unsafe modbus_free(made)
            throw .unreachable(code: code)
        }
        let opened = unsafe modbus_get_socket(made)
        // Whatever name it was opened by: two who speak on one line take each other's answers.
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            unsafe modbus_close(made)
            unsafe modbus_free(made)
            throw .unreachable(code: EBUSY)
        }
        unsafe context = made
        descriptor = opened
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        tcflush(descriptor, TCIOFLUSH)
    }

    package func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        var done = 0
        while done < bytes.count {
            let sent = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.write(descriptor, raw.baseAddress! + done, raw.count - done)
            }
            if sent > 0 {
                done += sent
            } else if sent < 0 && errno == EAGAIN {
                guard clock.monotonic() < deadline else { throw .timeout }
                rest(until: clock.monotonic().advanced(by: .milliseconds(1)))
            } else if sent < 0 && errno != EINTR {
                throw .closed(code: errno)
            }
        }
    }

    package func receive(
        into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime
    ) throws(ModbusError) -> Int {
        while true {
            guard Descriptor.waitReadable(descriptor, deadline: deadline) else { throw .timeout }
            let got = Descriptor.read(descriptor, into: &buffer, at: start)
            if got > 0 { return got }
            guard got == -Int(EAGAIN) || got == -Int(EINTR) else { throw .closed(code: Int32(-got)) }
        }
    }

    package func drain(quiet: Duration, deadline: MonotonicTime) -> Int {
        var drained = 0
        var scrap = [UInt8](repeating: 0, count: 512)
        while isOpen {
            let got = Descriptor.read(descriptor, into: &scrap, at: 0)
            if got > 0 {
                drained += got
                // Zero means what is there already: a line that never falls silent must not hold us.
                if clock.monotonic() >= deadline { break }
                continue
            }
            guard got == -Int(EAGAIN), quiet > .zero else { break }
            let now = clock.monotonic()
            guard now < deadline,
                Descriptor.waitReadable(descriptor, deadline: min(deadline, now.advanced(by: quiet)))
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
        descriptor = -1
    }
}
