// What people read: standard output and standard error, a line at a time.

internal import Glibc

enum Console {
    static func out(_ line: String) { write(line, to: 1) }
    static func error(_ line: String) { write(line, to: 2) }

    /// One write per line; a reader that has gone is not our failure.
    private static func write(_ line: String, to descriptor: Int32) {
        let bytes = Array((line + "\n").utf8)
        unsafe bytes.withUnsafeBytes { unsafe _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
