// A child process for tests and benchmarks: started with posix_spawn, ended and reaped by its id.

internal import Glibc
internal import Synchronization

/// One running program. Foundation's Process waits on run loops, which tests on a thread pool don't have.
package final class ChildProcess: Sendable {
    private let id: pid_t
    private let isReaped = Mutex(false)

    /// - Parameters:
    ///   - input: a descriptor that becomes its standard input; nil: nothing.
    ///   - output: a descriptor that becomes its standard output; nil: nowhere.
    package init(_ path: String, _ arguments: [String], input: Int32? = nil, output: Int32? = nil) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (descriptor, own) in [(input, Int32(0)), (output, Int32(1)), (nil, Int32(2))] {
            if let descriptor {
                unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, own)
            } else {
                unsafe posix_spawn_file_actions_addopen(&actions, own, "/dev/null", O_RDWR, 0)
            }
        }
        // A child that kept one of our pipes or sockets would keep its other end waiting. With every test at once there
        // are more than a thousand. glibc forgives the unopened.
        for descriptor in Int32(3)..<8192 { unsafe posix_spawn_file_actions_addclose(&actions, descriptor) }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([path] + arguments).map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        // The threads of a pool block signals, and a child would inherit that: it could not be ended politely.
        var attributes = posix_spawnattr_t()
        var nothing = sigset_t()
        unsafe posix_spawnattr_init(&attributes)
        unsafe posix_spawnattr_setsigmask(&attributes, &nothing)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var started: pid_t = 0
        let status = unsafe posix_spawn(&started, path, &actions, &attributes, &words, environ)
        precondition(status == 0, "BUG: cannot start \(path): error \(status)")
        id = started
    }

    /// Sends `signal` and waits for the end.
    package func end(_ signal: Int32) {
        send(signal)
        wait()
    }

    package func send(_ signal: Int32) {
        if !isReaped.withLock({ $0 }) { kill(id, signal) }
    }

    /// False once it has ended by itself.
    var isRunning: Bool {
        isReaped.withLock { isReaped in
            guard !isReaped else { return false }
            var status: Int32 = 0
            if unsafe waitpid(id, &status, WNOHANG) == id { isReaped = true }
            return !isReaped
        }
    }

    package func wait() {
        isReaped.withLock { isReaped in
            guard !isReaped else { return }
            var status: Int32 = 0
            while unsafe waitpid(id, &status, 0) < 0 && errno == EINTR {}
            isReaped = true
        }
    }
}

/// A pipe between a child and us.
package enum ChildPipe {
    package static func make() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        unsafe pipe(&ends)
        // What is started meanwhile must not keep an end; the child that it is for gets a copy.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}

/// What a program prints, for tools that check our bytes with code that isn't ours.
package enum ProgramOutput {
    package static func of(_ path: String, _ arguments: [String]) -> String {
        let pipe = ChildPipe.make()
        let process = ChildProcess(path, arguments, output: pipe.write)
        close(pipe.write)
        var (output, bytes) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while case let count = unsafe read(pipe.read, &bytes, bytes.count), count > 0 { output += bytes[..<count] }
        close(pipe.read)
        process.wait()
        return String(decoding: output, as: UTF8.self)
    }
}
