// gzip (RFC 1952) by zlib, a piece at a time.

internal import CZlib

/// One gzip stream. Owned by one thread; its memory (about 270 KB, zlib.h) goes with it.
/// The pointer never leaves it.
@safe
package struct Gzip: ~Copyable {
    /// On the heap: zlib keeps a pointer to it, and refuses one that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    private var room = [UInt8](repeating: 0, count: 32 * 1024)

    /// - Parameter level: 1 is four times as fast as 6 and saves almost as much on lines that resemble each other.
    package init(level: Int32 = 1) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 15 bits of window, and 16 more say gzip instead of zlib (zlib.h, deflateInit2).
        let status = unsafe deflateInit2_(
            stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "BUG: zlib doesn't start: \(status)")
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Appends to `output` what `input` became so far; with `ends` all of it, and nothing may follow.
    package mutating func compress(_ input: [UInt8], into output: inout [UInt8], ends: Bool) {
        var input = input
        unsafe input.withUnsafeMutableBufferPointer { source in
            unsafe stream.pointee.next_in = source.baseAddress
            unsafe stream.pointee.avail_in = UInt32(source.count)
            var isFull = true
            while isFull {
                let written: Int = unsafe room.withUnsafeMutableBufferPointer { target in
                    unsafe stream.pointee.next_out = target.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(target.count)
                    unsafe deflate(stream, ends ? Z_FINISH : Z_NO_FLUSH)
                    return unsafe target.count - Int(stream.pointee.avail_out)
                }
                output += room[..<written]
                isFull = written == room.count
            }
        }
    }

    /// All of `bytes` at once.
    package static func compressed(_ bytes: [UInt8]) -> [UInt8] {
        var gzip = Gzip()
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count / 6 + 64)
        gzip.compress(bytes, into: &output, ends: true)
        return output
    }
}
