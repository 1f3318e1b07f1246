// Walks over the frames of a segment and finds the way again after damaged bytes.

internal import GatewayModel
internal import GatewayPlatform

/// One frame whose checksum was right, inside somebody's bytes.
struct ScannedFrame {
    let header: FrameHeader
    let bytes: [UInt8]
    let start: Int

    /// Without the padding.
    var payload: Range<Int> {
        let first = start + FrameHeader.byteCount
        return first..<first + header.payloadBytes
    }
    var end: UInt64 { header.end(in: bytes, at: start) }
}

/// Reads a segment's file from one offset on, in pieces.
///
/// Whatever doesn't verify is stepped over, eight bytes at a time, until a frame does: zeros, frames of the slot's
/// former life, torn and flipped bytes. What is missing then shows in the sequence numbers.
struct FrameScanner {
    static let pieceBytes = 128 << 10

    /// How often a read is tried. One that fails for a moment at the start would hide what lies behind it for good.
    var attempts = 1
    private let file: any DiskFile
    private let seed: UInt32
    private let end: Int64
    private(set) var offset: Int64
    /// Bytes stepped over so far.
    private(set) var skippedBytes = 0
    private var window: [UInt8] = []
    private var windowStart: Int64 = 0

    init(file: any DiskFile, seed: UInt32, from offset: Int64, to end: Int64) {
        self.file = file
        self.seed = seed
        self.offset = offset
        self.end = end
    }

    /// The next frame that verifies; nil at the end. `offset` is then behind it.
    mutating func next() throws(DiskError) -> ScannedFrame? {
        while try load(FrameHeader.byteCount) {
            let at = Int(offset - windowStart)
            if let header = FrameHeader(window, at: at), try load(header.byteCount) {
                let start = Int(offset - windowStart)
                let checksum = FrameHeader.checksum(window, at: start, of: header, seed: seed)
                if checksum == window.number(at: start + 8, as: UInt32.self) {
                    offset += Int64(header.byteCount)
                    return ScannedFrame(header: header, bytes: window, start: start)
                }
            }
            skipToMagic()
        }
        return nil
    }

    /// True when `count` bytes from `offset` on are in the window.
    private mutating func load(_ count: Int) throws(DiskError) -> Bool {
        guard offset + Int64(count) <= end else { return false }
        if offset >= windowStart && Int(offset - windowStart) + count <= window.count { return true }
        let wanted = min(max(count, Self.pieceBytes), Int(end - offset))
        window = try file.read(count: wanted, at: offset, attempts: attempts)
        windowStart = offset
        return count <= window.count
    }

    /// Moves at least one step, and on to the next place in the window that could be a frame.
    private mutating func skipToMagic() {
        var at = Int(offset - windowStart) + FrameHeader.alignment
        unsafe window.withUnsafeBytes { raw in
            while at + 2 <= raw.count {
                let magic = unsafe UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt16.self))
                if magic == FrameHeader.magic { break }
                at += FrameHeader.alignment
            }
        }
        skippedBytes += Int(windowStart) + at - Int(offset)
        offset = windowStart + Int64(at)
    }
}

extension DiskFile {
    func read(count: Int, at offset: Int64, attempts: Int) throws(DiskError) -> [UInt8] {
        for _ in 1..<max(1, attempts) {
            do throws(DiskError) { return try read(count: count, at: offset) } catch { continue }
        }
        return try read(count: count, at: offset)
    }

    func size(attempts: Int) throws(DiskError) -> Int64 {
        for _ in 1..<max(1, attempts) {
            do throws(DiskError) { return try size() } catch { continue }
        }
        return try size()
    }
}

extension Disk {
    /// Opens a file that is there.
    func open(_ name: String, attempts: Int) throws(DiskError) -> File {
        for _ in 1..<max(1, attempts) {
            do throws(DiskError) { return try open(name, create: false) } catch { continue }
        }
        return try open(name, create: false)
    }
}
