// A bounded queue between two threads: whoever is too fast waits.

internal import GatewayModel
public import Glibc

/// A queue of at most `capacity` elements from many producers to one consumer.
///
/// `put` waits while it is full: that is the gateway's back-pressure. After `close`, what is inside can still be
/// taken, and nothing is accepted any more.
///
/// Public and inlinable, so that each owner gets code for its own elements (what is `package` is not specialised elsewhere,
/// Swift 6.3): asking for the type's metadata with each call took a tenth of the pipeline's time.
@safe
public final class Mailbox<Element: Sendable>: @unchecked Sendable {
    // @unchecked: every stored property below is read and written under `mutex` only.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let notEmpty: UnsafeMutablePointer<pthread_cond_t>
    @usableFromInline let notFull: UnsafeMutablePointer<pthread_cond_t>
    @usableFromInline var elements: [Element] = []
    @usableFromInline var isClosed = false
    @usableFromInline var fullCount = 0
    @usableFromInline let capacity: Int

    public init(capacity: Int) {
        precondition(capacity > 0, "BUG: a mailbox holds at least one element")
        self.capacity = capacity
        unsafe mutex = .allocate(capacity: 1)
        unsafe notEmpty = .allocate(capacity: 1)
        unsafe notFull = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // Waits end by the monotonic clock, so that a clock step neither hangs nor hurries them.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(notEmpty, &attributes)
        unsafe pthread_cond_init(notFull, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(notEmpty)
        unsafe pthread_cond_destroy(notFull)
        unsafe pthread_mutex_destroy(mutex)
        unsafe notEmpty.deallocate()
        unsafe notFull.deallocate()
        unsafe mutex.deallocate()
    }

    /// Adds one element, waiting for room. Returns false when the mailbox is closed: the element was not taken.
    @discardableResult
    @inlinable
    public func put(_ element: Element) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        waitForRoom()
        guard !isClosed else { return false }
        elements.append(element)
        if elements.count == 1 { unsafe pthread_cond_signal(notEmpty) }
        return true
    }

    /// Moves several in at once and leaves `several` empty, waiting for room; together they may overshoot the capacity.
    /// They are moved while nobody can take them: what is taken out has no second owner. False when closed.
    @discardableResult
    @inlinable
    public func put<Source>(moving several: inout [Source], as element: (Source) -> Element) -> Bool {
        guard !several.isEmpty else { return true }
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        waitForRoom()
        guard !isClosed else { return false }
        let wasEmpty = elements.isEmpty
        for one in several { elements.append(element(one)) }
        several.removeAll(keepingCapacity: true)
        if wasEmpty { unsafe pthread_cond_signal(notEmpty) }
        return true
    }

    /// How often a producer had to wait.
    public var timesFull: Int {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return fullCount
    }

    /// Called with the mutex held.
    @inlinable
    func waitForRoom() {
        guard elements.count >= capacity && !isClosed else { return }
        fullCount += 1
        while elements.count >= capacity && !isClosed { unsafe pthread_cond_wait(notFull, mutex) }
    }

    /// Exchanges everything inside for the empty `taken`, so that its storage is used again.
    /// - Returns: false when nothing came within `timeout` (nil: wait for ever) or the mailbox is closed and empty.
    @inlinable
    public func takeAll(into taken: inout [Element], timeout: Duration? = nil) -> Bool {
        taken.removeAll(keepingCapacity: true)
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var deadline = timeout.map { monotonicDeadline(after: $0) } ?? timespec()
        while elements.isEmpty && !isClosed {
            if timeout != nil {
                if unsafe pthread_cond_timedwait(notEmpty, mutex, &deadline) == ETIMEDOUT { break }
            } else {
                unsafe pthread_cond_wait(notEmpty, mutex)
            }
        }
        guard !elements.isEmpty else { return false }
        swap(&elements, &taken)
        unsafe pthread_cond_broadcast(notFull)
        return true
    }

    /// True when `takeAll` will never return anything again.
    public var isFinished: Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return isClosed && elements.isEmpty
    }

    public func close() {
        unsafe pthread_mutex_lock(mutex)
        isClosed = true
        unsafe pthread_cond_broadcast(notEmpty)
        unsafe pthread_cond_broadcast(notFull)
        unsafe pthread_mutex_unlock(mutex)
    }
}

@usableFromInline
func monotonicDeadline(after timeout: Duration) -> timespec {
    let time = SystemClock().monotonic().advanced(by: timeout).nanoseconds
    return timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
}
