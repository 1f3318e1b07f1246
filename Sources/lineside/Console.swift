// What people read: standard output and standard error, a line at a time.

import GatewayPlatform

internal import Glibc

enum Console {
    static func out(_ line: String) { write(line, to: 1) }
    static func error(_ line: String) { write(line, to: 2) }

    /// All of them to standard output. Throws when nobody takes them any more.
    static func write(_ bytes: [UInt8]) throws(DiskError) {
        let code: Int32 = unsafe bytes.withUnsafeBytes { raw in
            var done = 0
            while done < raw.count {
                let count = unsafe Glibc.write(1, raw.baseAddress! + done, raw.count - done)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { return count < 0 ? errno : EIO }
                done += count
            }
            return 0
        }
        guard code == 0 else { throw DiskError(operation: "write", file: "standard output", code: code) }
    }

    /// One write per line; a reader that has gone is not our failure.
    private static func write(_ line: String, to descriptor: Int32) {
        let bytes = Array((line + "\n").utf8)
        unsafe bytes.withUnsafeBytes { unsafe _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
