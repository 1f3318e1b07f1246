// RTU frames: the answer to a request is found among whatever else is on the line, and nothing else is ever taken for it.

import ModbusDriver
import Simulation
import Testing

private func framed(_ unit: UInt8, _ pdu: [UInt8]) -> [UInt8] {
    let frame = [unit] + pdu
    let crc = RTUFrame.checksum(frame.span)
    return frame + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
}

private func examine(_ bytes: [UInt8], unit: UInt8, _ operation: ModbusOperation) -> RTUFrame.Verdict {
    RTUFrame.examine(bytes.span, unit: unit, operation: operation)
}

/// A request and its right answer's PDU.
private let exchanges: [(operation: ModbusOperation, pdu: [UInt8])] = [
    (.read(.holdingRegister, address: 107, count: 3), [3, 6, 0x02, 0x2B, 0, 0, 0, 0x64]),
    (.read(.inputRegister, address: 8, count: 1), [4, 2, 0, 0x0A]),
    (.read(.coil, address: 19, count: 19), [1, 3, 0xCD, 0x6B, 0x05]),
    (.read(.discreteInput, address: 196, count: 22), [2, 3, 0xAC, 0xDB, 0x35]),
    (.writeCoil(address: 172, true), [5, 0, 0xAC, 0xFF, 0]),
    (.writeRegister(address: 1, 3), [6, 0, 1, 0, 3]),
    (.writeCoils(address: 19, Array(repeating: true, count: 10)), [15, 0, 19, 0, 10]),
    (.writeRegisters(address: 1, [10, 258]), [16, 0, 1, 0, 2]),
    (.maskRegister(address: 4, and: 0xF2, or: 0x25), [22, 0, 4, 0, 0xF2, 0, 0x25]),
    (.identify(category: 1, object: 0), [43, 14, 1, 1, 0, 0, 1, 0, 2, 0x41, 0x42]),
]

@Suite("RTU frames")
struct RTUFrameTests {
    /// Serial Line V1.02, 6.2.2: 02 07 has the CRC 0x1241, sent 41 12. The second: 01 03 00 00 00 0A ends C5 CD.
    @Test(
        "The checksum is the standard's",
        arguments: [
            ([0x02, 0x07] as [UInt8], [0x41, 0x12] as [UInt8]), ([0x01, 0x03, 0, 0, 0, 0x0A], [0xC5, 0xCD]),
            ([0x11, 0x03, 0x00, 0x6B, 0x00, 0x03], [0x76, 0x87]), ([], [0xFF, 0xFF]),
        ])
    func checksum(bytes: [UInt8], sent: [UInt8]) {
        let crc = RTUFrame.checksum(bytes.span)
        #expect([UInt8(crc & 0xFF), UInt8(crc >> 8)] == sent)
    }

    @Test("The checksum of the table is the one of the standard's bit by bit procedure")
    func bitByBit() {
        var random = SeededGenerator(seed: 3)
        for length in 0..<200 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            var crc: UInt16 = 0xFFFF
            for byte in bytes {
                crc ^= UInt16(byte)
                for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
            }
            let tabled = RTUFrame.checksum(bytes.span)
            #expect(tabled == crc)
        }
    }

    @Test("A request is unit, PDU and checksum, low byte first")
    func requests() {
        var bytes: [UInt8] = [1, 2, 3]
        RTUFrame.encode(.read(.holdingRegister, address: 107, count: 3), unit: 0x11, into: &bytes)
        #expect(bytes == [0x11, 0x03, 0x00, 0x6B, 0x00, 0x03, 0x76, 0x87])
    }

    @Test("The right answer is taken, also an exception", arguments: exchanges.indices)
    func right(index: Int) {
        let (operation, pdu) = exchanges[index]
        #expect(examine(framed(7, pdu), unit: 7, operation) == .complete(pdu: 1..<1 + pdu.count, foreign: 0))
        #expect(examine(framed(7, [pdu[0] | 0x80, 2]), unit: 7, operation) == .failed(.exception(2)))
    }

    @Test("Not one flipped bit of an answer goes unseen", arguments: exchanges.indices)
    func flippedBits(index: Int) {
        let (operation, pdu) = exchanges[index]
        for frame in [framed(7, pdu), framed(7, [pdu[0] | 0x80, 2])] {
            for bit in 0..<frame.count * 8 {
                var wrong = frame
                wrong[bit / 8] ^= 1 << UInt8(bit % 8)
                guard case .incomplete(let seen) = examine(wrong, unit: 7, operation) else {
                    Issue.record("bit \(bit) of \(frame) was not missed")
                    continue
                }
                #expect(seen != nil)
            }
        }
    }

    @Test("Of a part of an answer nothing is taken, of the whole everything", arguments: exchanges.indices)
    func pieces(index: Int) {
        let (operation, pdu) = exchanges[index]
        let frame = framed(7, pdu)
        for count in 0..<frame.count {
            guard case .incomplete = examine(Array(frame[..<count]), unit: 7, operation) else {
                Issue.record("\(count) bytes were taken for \(frame.count)")
                continue
            }
        }
    }

    @Test("Foreign bytes before and after an answer are stepped over", arguments: 0..<200)
    func foreign(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let (operation, pdu) = exchanges.randomElement(using: &random)!
        let before = (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
        }
        let after = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let verdict = examine(before + framed(7, pdu) + after, unit: 7, operation)
        #expect(verdict == .complete(pdu: before.count + 1..<before.count + 1 + pdu.count, foreign: before.count))
    }

    @Test("Valid frames of others are never the answer: another unit's, another function's, another length's")
    func otherFrames() {
        let operation = ModbusOperation.read(.holdingRegister, address: 10, count: 2)
        let right = framed(7, [3, 4, 1, 2, 3, 4])
        for other in [
            framed(8, [3, 4, 9, 9, 9, 9]), framed(7, [4, 4, 9, 9, 9, 9]), framed(7, [3, 2, 9, 9]),
            framed(7, [3, 6, 9, 9, 9, 9, 9, 9]), framed(7, [3, 0, 10, 0, 2]), framed(7, [0x84, 2]),
        ] {
            guard case .incomplete(let seen) = examine(other, unit: 7, operation) else {
                Issue.record("\(other) was taken")
                continue
            }
            #expect(seen != nil)
            #expect(
                examine(other + right, unit: 7, operation)
                    == .complete(pdu: other.count + 1..<other.count + 7, foreign: other.count))
        }
    }

    @Test("A write whose echo is not the request is no success")
    func wrongEcho() {
        let operation = ModbusOperation.writeRegister(address: 1, 3)
        #expect(examine(framed(7, [6, 0, 1, 0, 4]), unit: 7, operation) == .failed(.malformed(.echo)))
    }

    @Test("Whatever is taken is byte for byte a valid frame of that unit, function and length", arguments: 0..<300)
    func property(seed: UInt64) {
        var random = SeededGenerator(seed: 1000 + seed)
        let (operation, pdu) = exchanges.randomElement(using: &random)!
        // Bytes that come close: parts of right answers with a change here and there.
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            var part = framed(
                UInt8.random(in: 6...8, using: &random), Bool.random(using: &random) ? pdu : [pdu[0] | 0x80, 2])
            if Bool.random(using: &random) {
                part[part.indices.randomElement(using: &random)!] ^= 1 << UInt8.random(in: 0...7, using: &random)
            }
            if Bool.random(using: &random) { part.removeLast(Int.random(in: 0...part.count, using: &random)) }
            bytes += part
        }
        switch examine(bytes, unit: 7, operation) {
        case .complete(let range, let foreign):
            #expect(foreign + 1 == range.lowerBound)
            let frame = Array(bytes[foreign..<range.upperBound + 2])
            #expect(frame == framed(7, pdu))
        case .failed(let error):
            #expect(error == .exception(2))
            #expect(contains(bytes, framed(7, [pdu[0] | 0x80, 2])))
        case .incomplete: #expect(!contains(bytes, framed(7, pdu)))
        }
    }

    private func contains(_ bytes: [UInt8], _ frame: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: frame) }
    }

    @Test("Every pair of bytes after unit and exception code but the right one is refused")
    func exhaustive() {
        let operation = ModbusOperation.read(.holdingRegister, address: 0, count: 1)
        let right = framed(1, [0x83, 2])
        var taken = 0
        for crc in 0...UInt16.max {
            let frame = [1, 0x83, 2, UInt8(crc & 0xFF), UInt8(crc >> 8)]
            if case .incomplete = examine(frame, unit: 1, operation) { continue }
            taken += 1
            #expect(frame == right)
        }
        #expect(taken == 1)
    }
}
