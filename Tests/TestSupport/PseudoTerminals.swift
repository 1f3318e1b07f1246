// A serial line without wires: two pseudo terminals that socat ties together.

internal import Glibc

/// What is written to `a` comes out at `b` and the other way round, at once, whatever baud rate is set.
package final class PseudoTerminals: Sendable {
    package let a: String
    package let b: String
    private let folder: String
    private let process: ChildProcess

    /// Starts socat and waits until both ends are there.
    package init() throws {
        var template = Array("/tmp/lineside-pty-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw POSIXFailure(code: errno) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        (a, b) = ("\(folder)/a", "\(folder)/b")
        process = ChildProcess("/usr/bin/socat", ["pty,raw,echo=0,link=\(a)", "pty,raw,echo=0,link=\(b)"])
        for _ in 0..<4000 where unsafe access(a, F_OK) != 0 || access(b, F_OK) != 0 { usleep(5000) }
    }

    deinit {
        process.end(SIGTERM)
        unsafe unlink(a)
        unsafe unlink(b)
        unsafe rmdir(folder)
    }
}
