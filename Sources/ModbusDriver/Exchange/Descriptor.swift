// What TCP connections and serial lines have in common: a descriptor that is waited for with our own deadline.

internal import GatewayModel
internal import GatewayPlatform
internal import Glibc

/// Waiting, reading and throwing away on a descriptor that is not blocking or is read without blocking. Pure functions
/// over the system; the descriptor belongs to the stream.
enum Descriptor {
    /// Waits with poll(), never with libmodbus' select(), which corrupts memory at descriptor 1024 and above.
    /// - Returns: false when the deadline came first.
    static func waitReadable(_ descriptor: Int32, deadline: MonotonicTime) -> Bool {
        let clock = SystemClock()
        while true {
            let left = deadline.duration(since: clock.monotonic()).nanoseconds
            guard left > 0 else { return false }
            var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&event, 1, Int32(min((left + 999_999) / 1_000_000, 60_000)))
            if ready > 0 { return true }
            if ready < 0 && errno != EINTR { return true }  // reading says what is wrong
        }
    }

    /// Reads what is there, without waiting: the number of bytes, 0 at the end, negative errno otherwise.
    static func read(_ descriptor: Int32, into buffer: inout [UInt8], at start: Int) -> Int {
        let got = unsafe buffer.withUnsafeMutableBytes { raw in
            unsafe Glibc.read(descriptor, raw.baseAddress! + start, raw.count - start)
        }
        return got < 0 ? -Int(errno) : got
    }

    /// libmodbus puts its descriptor into an fd_set of 1,024 bits; beyond, it writes past it (fixed in 3.1.12). The
    /// process caps its descriptors (`ProcessLimits`); this is the second lock on the same door.
    static func refuseHigh() throws(ModbusError) {
        let lowest = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard lowest >= 0 else { throw .outOfDescriptors }
        Glibc.close(lowest)
        // Room for the descriptors that other threads may open in between.
        guard lowest < 1024 - 16 else { throw .outOfDescriptors }
    }

    static func rest(until moment: MonotonicTime) {
        var time = timespec(
            tv_sec: Int(moment.nanoseconds / 1_000_000_000), tv_nsec: Int(moment.nanoseconds % 1_000_000_000))
        while unsafe clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
