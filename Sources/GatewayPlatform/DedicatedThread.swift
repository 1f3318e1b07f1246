// A named thread of its own for code that blocks: libmodbus, libmosquitto, the journal's disk, the pipeline.

internal import CPlatform
internal import Glibc
internal import Synchronization

/// One running thread. Whoever starts it must end its work and `join` it; it is never cancelled from outside.
@safe
package final class DedicatedThread: Sendable {
    /// 256 KiB: 500 threads of this size cost 14 MB resident (measured), and libmosquitto with TLS fits.
    package static let stackBytes = 256 * 1024

    private struct Start {
        let name: String
        let givesWay: Bool
        let body: @Sendable () -> Void
    }
    private final class StartBox {
        let start: Start
        init(_ start: Start) { self.start = start }
    }

    /// Nil once joined.
    private let handle: Mutex<pthread_t?>

    /// - Parameters:
    ///   - name: at most 15 bytes show in `top -H`.
    ///   - givesWay: takes the processor only when nobody else in the machine wants it much (nice 10).
    ///   - body: runs once on the new thread; the thread ends when it returns.
    package init(name: String, givesWay: Bool = false, body: @escaping @Sendable () -> Void) {
        let box = unsafe Unmanaged.passRetained(StartBox(Start(name: name, givesWay: givesWay, body: body)))
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setstacksize(&attributes, Self.stackBytes)
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                let start = unsafe Unmanaged<StartBox>.fromOpaque(argument!).takeRetainedValue().start
                unsafe lineside_name_thread(start.name)
                // Linux takes 0 for the calling thread alone (setpriority(2), "C library/kernel differences").
                if start.givesWay { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
                start.body()
                return nil
            }, box.toOpaque())
        unsafe pthread_attr_destroy(&attributes)
        // Out of threads at start-up: nothing can be served, and systemd's TasksMax says why.
        precondition(status == 0, "BUG: no thread for '\(name)': error \(status); is TasksMax too low?")
        handle = Mutex(thread)
    }

    /// Waits until the thread has ended. Further calls return at once.
    package func join() {
        let thread = handle.withLock { handle -> pthread_t? in
            defer { handle = nil }
            return handle
        }
        if let thread { pthread_join(thread, nil) }
    }

    deinit {
        if let thread = handle.withLock({ $0 }) { pthread_detach(thread) }
    }
}
