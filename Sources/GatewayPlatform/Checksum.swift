// CRC-32C over journal frames.

internal import CPlatform

package enum Checksum {
    /// CRC-32C (Castagnoli) of `bytes`, continued from `seed`. Detects every burst of up to 32 bits.
    package static func crc32c(_ bytes: RawSpan, seed: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe lineside_crc32c(seed, $0.baseAddress, $0.count) }
    }

    package static func crc32c(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        unsafe crc32c(bytes.span.bytes, seed: seed)
    }

    /// The same without the processor's own instruction, to check one against the other.
    package static func portableCRC32C(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        unsafe bytes.span.bytes.withUnsafeBytes { unsafe lineside_crc32c_portable(seed, $0.baseAddress, $0.count) }
    }
}
