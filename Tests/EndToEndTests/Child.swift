// Programs under test, started and ended by the tests; nothing of them is left behind.

import Foundation
import Synchronization

/// Why a program could not be started.
struct SpawnError: Error, CustomStringConvertible {
    let description: String
}

/// A running program. Its output goes to a file, so that no pipe can fill and stop it.
final class Child: Sendable {
    let pid: pid_t
    let outputFile: URL
    /// The exit code, or the negative number of the signal that ended it; nil while it runs.
    private let ended = Mutex<Int32?>(nil)

    init(_ program: String, _ arguments: [String], name: String, in folder: URL, environment: [String: String] = [:])
        throws
    {
        outputFile = folder.appending(path: "\(name)-\(UInt32.random(in: 0 ..< .max)).log")
        pid = try Self.spawn(
            program, arguments, ProcessInfo.processInfo.environment.merging(environment) { _, new in new },
            output: outputFile.path())
    }

    deinit {
        kill(SIGKILL)
        if exitCode == nil {
            var status: Int32 = 0
            unsafe waitpid(pid, &status, 0)
        }
    }

    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }
    var isRunning: Bool { exitCode == nil }

    /// What it holds in RAM; nil when it does not run.
    var residentMegabytes: Double? {
        let status = FileHandle(forReadingAtPath: "/proc/\(pid)/status").flatMap { try? $0.readToEnd() } ?? Data()
        let line = String(decoding: status, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line.flatMap { $0.split(whereSeparator: { !$0.isNumber }).first }.flatMap { Double($0) }.map { $0 / 1024 }
    }

    /// What it has put out since, as far as lines are whole. `taken` is how many bytes were taken before.
    func lines(after taken: inout Int) -> [Substring] {
        guard let file = try? FileHandle(forReadingFrom: outputFile) else { return [] }
        defer { try? file.close() }
        try? file.seek(toOffset: UInt64(taken))
        guard let bytes = try? file.readToEnd(), let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        taken += end - bytes.startIndex + 1
        return String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\n")
    }

    /// Which of these ports of the loopback it has a connection to.
    func connection(toOneOf ports: [UInt16]) -> UInt16? {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? []
        let sockets = Set(
            files.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\($0)") })
        // Not String(contentsOfFile:), which takes the first 4 KiB of a file that says it has none.
        let table = FileHandle(forReadingAtPath: "/proc/net/tcp").flatMap { try? $0.readToEnd() } ?? Data()
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            // proc(5): slot, local, remote as hexadecimal address:port, state (01: established), …, inode as tenth.
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "01", sockets.contains("socket:[\(fields[9])]"),
                let port = UInt16(fields[2].suffix(4), radix: 16), ports.contains(port)
            else { continue }
            return port
        }
        return nil
    }

    /// Nil while it runs.
    var exitCode: Int32? {
        ended.withLock { ended in
            var status: Int32 = 0
            if ended == nil, unsafe waitpid(pid, &status, WNOHANG) == pid {
                ended = status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
            }
            return ended
        }
    }

    func kill(_ signal: Int32) {
        if isRunning { _ = Foundation.kill(pid, signal) }
    }

    /// Waits until the program has ended; nil when it hasn't within `seconds`.
    func exitCode(within seconds: Double) async -> Int32? {
        await eventually(within: seconds) { !isRunning }
        return exitCode
    }

    /// Threads of a pool have signals blocked, and a child would inherit that (Foundation's Process lets it): a broker
    /// could not be stopped politely. So the mask is cleared.
    private static func spawn(
        _ program: String, _ arguments: [String], _ environment: [String: String], output: String
    ) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for descriptor in Int32(3)..<8192 { unsafe posix_spawn_file_actions_addclose(&actions, descriptor) }
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        unsafe posix_spawnattr_init(&attributes)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            unsafe environment.map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
        defer { unsafe (words + variables).forEach { unsafe free($0) } }
        var started: pid_t = 0
        let status = unsafe posix_spawn(&started, program, &actions, &attributes, &words, &variables)
        guard status == 0 else {
            throw SpawnError(description: "\(program): \(unsafe String(cString: strerror(status)))")
        }
        return started
    }
}

/// Waits until `condition` holds, asking every few milliseconds. A bound, not a time that is waited in any case.
@discardableResult
func eventually(within seconds: Double, _ condition: () throws -> Bool) async rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
        if try condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return try condition()
}

/// A port of 127.0.0.1 that was free a moment ago.
func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe _ = bind(descriptor, $0, length)
            unsafe _ = getsockname(descriptor, $0, &length)
        }
    }
    return Int(UInt16(bigEndian: address.sin_port))
}
