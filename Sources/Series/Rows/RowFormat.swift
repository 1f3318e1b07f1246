// The row format: readings in order of arrival, one to a few bytes each, as a difference to what is known of their tag.

internal import GatewayModel

/// What encoder and decoder agree on. Documentation/Formats/journal.md draws the bytes.
///
/// A row is a control byte and the fields that its bits ask for, in this order: tag, time, device, quality and kind,
/// value. Nothing is aligned; numbers are little-endian, *counts* LEB128, *differences* zigzag in LEB128.
package enum RowFormat {
    /// Control byte, bits 0 to 2: how the value follows.
    enum Mode {
        /// The 64 bits of the tag's last value.
        static let same: UInt8 = 0
        // 1…6: a difference of 1, 2, 3, 4, 6 or 8 bytes in the tag's mapping.
        /// A code byte says how.
        static let coded: UInt8 = 7
        static let mask: UInt8 = 7
    }

    /// Control byte, bits 3 to 7: fields that follow. None of them does in most rows.
    enum Field {
        /// The difference to the tag before. Otherwise it is the tag that followed that one the last time.
        static let tag: UInt8 = 0x08
        /// The difference to the time that was expected: the one before, or for the first row of an answer what its
        /// tag's clock says (`TagClock`).
        static let time: UInt8 = 0x10
        /// Kind, and the quality unless it is still the tag's last.
        static let state: UInt8 = 0x20
        /// No field: the row is the first of an answer.
        static let batch: UInt8 = 0x40
        /// With `batch` only: the answer's device. Otherwise it is that of the last answer that began with this tag.
        static let device: UInt8 = 0x80
    }

    /// A device without an answer that begins: so many rows and one more of which each is as expected in everything.
    enum Run {
        static let mark: UInt8 = 0x80
        static let markMask: UInt8 = 0xC0
        static let countMask: UInt8 = 0x3F
        static let last: UInt8 = 0xBF
    }

    /// In the byte that tells the kind: the quality is the tag's last one, and does not follow.
    static let sameQuality: UInt8 = 0x08

    /// Code bytes of a value. 0…9: quotients n / 10ᵏ, and 10…19: products n × 10⁻ᵏ, both with n as a difference to 0.
    /// A quotient is what parsing "23.1" gives, a product what a driver gets from 231 × 0.1; one in six is not the same.
    enum Code {
        static let product: UInt8 = 10
        /// Codes below are decimal mappings.
        static let decimals: UInt8 = 20
        /// The 4 bytes of a binary32, which is the tag's mapping from here on.
        static let float: UInt8 = 20
        /// All 64 bits as a difference to 0; from here on the tag's mapping is the bits as they are.
        static let integer: UInt8 = 21
        /// All 64 bits, once: the mapping stays.
        static let once: UInt8 = 22
        /// A difference in the tag's decimal mapping, and by how many units in the last place (1 signed byte) the value
        /// is off: 23.1 − 40 is not always the nearest number to −16.9.
        static let near: UInt8 = 23
        /// Length and bytes.
        static let text: UInt8 = 24
        /// This and a decimal mapping: it is the tag's from here on, n follows as a difference to 0, and how far off.
        static let nearIn: UInt8 = 32
    }

    /// The most bytes of one row, text apart: control 1, tag 5, time 10, device 5, state 3, code 1, value 11.
    static let rowBytes = 40
    /// What may be written behind the last byte, because numbers are stored 8 bytes at a time.
    static let slackBytes = 8

    static let exponents = 10
    /// 10ᵏ, then 10⁻ᵏ as the compiler reads it: the nearest number.
    static let factors: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9,
    ]
    /// What `number` stands for in a decimal mapping.
    @inline(__always)
    static func value(_ number: Int64, _ mapping: UInt8, _ factors: UnsafePointer<Double>) -> Double {
        unsafe mapping >= Code.product
            ? Double(number) * factors[Int(mapping)] : Double(number) / factors[Int(mapping)]
    }

    /// Bytes of a difference by its mode.
    static let lengths: [UInt8] = [0, 1, 2, 3, 4, 6, 8, 0]
    /// By the highest bit of a difference that isn't its sign's: mode in the lower byte, bytes in the upper.
    static let widths: [UInt16] = (0..<64).map { bit in
        let mode = [7, 15, 23, 31, 47, 64].firstIndex { bit < $0 } ?? 0
        return UInt16(mode + 1) | UInt16(lengths[mode + 1]) << 8
    }
}

/// What is known of one tag since the keyframe. All zeros to begin with, in the encoder as in the decoder.
struct TagState: BitwiseCopyable, Sendable {
    /// The last value in the tag's mapping.
    var number: Int64 = 0
    /// The last value as it was.
    var bits: UInt64 = 0
    /// Quality, and above it the kind. A text is marked, so that it is never taken for the same again.
    var state: UInt32 = 0
    /// Which tag followed, less this tag's number, less one.
    var follower: UInt32 = 0
    /// Of the last answer that this tag began.
    var device: UInt32 = 0
    /// A code: 0…19 decimal, 20 binary32, 21 the bits themselves.
    var mapping: UInt8 = 0
    /// 1 while the tag's clock is nearer to the times of the answers that it begins than the answers before are.
    var isSteady: UInt8 = 0
    /// The encoder's own: values that fitted no mapping.
    var misfits: UInt8 = 0

    static let stateMask: UInt32 = 0xFF_FFFF
    static let text: UInt32 = 0x8000_0000

    /// Writes a reading as it lies in memory.
    @inline(__always)
    func tell(_ tag: UInt32, _ time: Int64, _ bits: UInt64, _ output: inout UnsafeMutableRawPointer) {
        unsafe output.storeBytes(of: time, as: Int64.self)
        unsafe output.storeBytes(of: bits, toByteOffset: 8, as: UInt64.self)
        unsafe output.storeBytes(of: UInt64(tag) | UInt64(state) &<< 32, toByteOffset: 16, as: UInt64.self)
        unsafe output += MemoryLayout<Reading>.stride
    }

    /// One whose value is the last one.
    @inline(__always)
    func tell(_ tag: UInt32, _ time: Int64, _ output: inout UnsafeMutableRawPointer) {
        unsafe tell(tag, time, bits, &output)
    }
}

/// When the answers came that began with one tag: devices are read at a steady pace.
struct TagClock: BitwiseCopyable, Sendable {
    var time: Int64 = 0
    var step: Int64 = 0

    var next: Int64 { time &+ step }

    /// The next answer came at `stamp`, and something else at `before`.
    /// - Returns: whether this clock was nearer than that.
    mutating func tick(_ stamp: Int64, before: Int64) -> Bool {
        let step = stamp &- time
        let (error, distance) = (step &- self.step, stamp &- before)
        (time, self.step) = (stamp, step)
        return (error ^ (error &>> 63)) < (distance ^ (distance &>> 63))
    }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    mutating func put(_ byte: UInt8) {
        unsafe storeBytes(of: byte, as: UInt8.self)
        unsafe self += 1
    }

    /// LEB128.
    mutating func put(count: UInt64) {
        var rest = count
        while rest >= 0x80 {
            unsafe put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        unsafe put(UInt8(truncatingIfNeeded: rest))
    }

    mutating func put(difference: Int64) {
        unsafe put(count: UInt64(bitPattern: (difference &<< 1) ^ (difference &>> 63)))
    }
}
