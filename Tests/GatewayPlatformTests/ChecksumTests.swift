// CRC-32C against published values, and the processor's instruction against the table.

import GatewayPlatform
import Testing

@Suite("Checksum") struct ChecksumTests {
    /// RFC 3720, B.4, and the check value of the catalogue of parametrised CRC algorithms.
    @Test(
        "CRC-32C gives the published values",
        arguments: [
            ([UInt8](repeating: 0, count: 32), UInt32(0x8A91_36AA)),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            ([UInt8](0..<32), 0x46DD_794E),
            ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
            (Array("123456789".utf8), 0xE306_9283),
            ([], 0),
        ] as [([UInt8], UInt32)])
    func published(bytes: [UInt8], expected: UInt32) {
        #expect(Checksum.crc32c(bytes) == expected)
        #expect(Checksum.portableCRC32C(bytes) == expected)
    }

    @Test("The processor's instruction and the table agree for every length and seed")
    func agree() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 3) }
        for length in 0...300 {
            let part = Array(bytes.prefix(length))
            let seed = UInt32(truncatingIfNeeded: length &* 0x9E37_79B9)
            #expect(Checksum.crc32c(part, seed: seed) == Checksum.portableCRC32C(part, seed: seed))
        }
    }

    @Test("A checksum continued over two parts is that of the whole")
    func continued() {
        let bytes = (0..<100).map { UInt8($0) }
        for cut in 0...100 {
            let front = Checksum.crc32c(Array(bytes[..<cut]))
            #expect(Checksum.crc32c(Array(bytes[cut...]), seed: front) == Checksum.crc32c(bytes))
        }
    }
}
