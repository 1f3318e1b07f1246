// An alarm bell for a thread that waits in poll(): an eventfd.

internal import GatewayModel
internal import CPlatform
internal import Glibc
internal import Synchronization

/// Rings from any thread; the one that owns the loop waits for it, alone or together with a socket.
package final class WakeUp: Sendable {
    package let descriptor: Int32
    private let isRung = Atomic(false)

    package init() {
        descriptor = lineside_event_open()
        precondition(descriptor >= 0, "BUG: no descriptor for an event")
    }

    deinit { close(descriptor) }

    /// Wakes the waiting thread; rings that were not heard yet count as one and cost no system call.
    package func ring() {
        guard !isRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        unsafe _ = write(descriptor, &one, 8)
    }

    /// What ended a wait.
    package struct Ended: Sendable {
        package var rung = false
        package var readable = false
        package var writable = false
    }

    /// Waits for the bell, for `socket` (negative: none) or for the time to pass, whichever is first, and hushes the
    /// bell. Errors and hang-ups of the socket count as readable: reading tells which.
    package func wait(timeout: Duration, socket: Int32 = -1, forWriting: Bool = false) -> Ended {
        // Round up, so that a wait never ends early and turns into a busy loop.
        let milliseconds = min(max(0, (timeout.nanoseconds &+ 999_999) / 1_000_000), 3_600_000)
        var events = (
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(POLLIN) | (forWriting ? Int16(POLLOUT) : 0), revents: 0)
        )
        let count = unsafe withUnsafeMutableBytes(of: &events) { raw in
            unsafe poll(
                raw.baseAddress!.assumingMemoryBound(to: pollfd.self), socket >= 0 ? 2 : 1, Int32(milliseconds))
        }
        guard count > 0 else { return Ended() }
        var ended = Ended()
        if events.0.revents != 0 {
            var counter: UInt64 = 0
            unsafe _ = read(descriptor, &counter, 8)
            isRung.store(false, ordering: .releasing)
            ended.rung = true
        }
        if socket >= 0 {
            ended.writable = events.1.revents & Int16(POLLOUT) != 0
            ended.readable = events.1.revents & ~Int16(POLLOUT) != 0
        }
        return ended
    }

    /// Waits until `deadline` with the precision of the clock (ppoll), or until the bell rings. Returns true when rung.
    package func wait(until deadline: MonotonicTime, clock: some GatewayClock) -> Bool {
        let left = deadline.duration(since: clock.monotonic())
        guard left > .zero else { return hush() }
        let nanoseconds = min(left.nanoseconds, 3_600_000_000_000)
        guard lineside_wait_readable(descriptor, nanoseconds) > 0 else { return false }
        return hush()
    }

    private func hush() -> Bool {
        guard isRung.load(ordering: .acquiring) else { return false }
        var counter: UInt64 = 0
        unsafe _ = read(descriptor, &counter, 8)
        isRung.store(false, ordering: .releasing)
        return true
    }
}
