// How a thread that sleeps until its next deadline is told to end. A condition, not a descriptor: 500 channels would
// need 500 descriptors, and libmodbus allows no more than 1,024 in the whole process.

internal import Glibc

/// Raised once, by anyone; the thread that waits for a deadline sees it at once.
@safe
package final class StopSignal: @unchecked Sendable {
    // @unchecked: both flags are read and written under `mutex` only.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var isRaised = false
    private var isNudged = false

    package init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    package func raise() {
        unsafe pthread_mutex_lock(mutex)
        isRaised = true
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Ends the present or the next wait, once.
    package func nudge() {
        unsafe pthread_mutex_lock(mutex)
        isNudged = true
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    package var raised: Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return isRaised
    }

    /// Waits until `deadline` of the system's monotonic clock. Returns true, at once or later, when raised.
    /// A nudge ends it early.
    package func wait(until deadline: MonotonicTime) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var time = timespec()
        time.tv_sec = Int(deadline.nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(deadline.nanoseconds % 1_000_000_000)
        while !isRaised && !isNudged {
            if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { break }
        }
        isNudged = false
        return isRaised
    }
}
