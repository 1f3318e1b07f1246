// Every way in which a device, a network or a line answers wrongly: as steps, seeded.

/// What a hostile server does next on a connection.
package enum HostileStep: Sendable {
    case send([UInt8])
    case pause(milliseconds: Int)
    /// Sent by and by, whatever happens in between.
    case later(milliseconds: Int, [UInt8])
    /// Again and again, until the connection is gone or the time is over.
    case endless([UInt8], everyMilliseconds: Int, forMilliseconds: Int)
    case close
    case reset
}

/// One request, and what an answer to it can be made of.
package struct HostileExchange {
    package var transaction: UInt16
    package var unit: UInt8
    /// The request's PDU.
    package var pdu: [UInt8]
    package var good: [UInt8]
    /// Of the right shape, but nothing in it is right.
    package var poison: [UInt8]
    /// The client waits this long at most.
    package var timeoutMilliseconds: Int
    package var random: Seeded

    package init(
        transaction: UInt16, unit: UInt8, pdu: [UInt8], good: [UInt8], poison: [UInt8], timeoutMilliseconds: Int,
        random: Seeded
    ) {
        self.transaction = transaction
        self.unit = unit
        self.pdu = pdu
        self.good = good
        self.poison = poison
        self.timeoutMilliseconds = timeoutMilliseconds
        self.random = random
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    mutating func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
    /// Longer than the client waits, shorter than twice that again.
    mutating func tooLong() -> Int { number(timeoutMilliseconds * 11 / 10...timeoutMilliseconds * 3) }

    /// The poison with its data `change` bytes longer or shorter, and the byte count as given or true.
    func resized(by change: Int, byteCount: Int? = nil) -> [UInt8] {
        var pdu = poison
        if change >= 0 {
            pdu += [UInt8](repeating: 0xDE, count: change)
        } else {
            pdu.removeLast(min(-change, pdu.count - 2))
        }
        pdu[1] = UInt8(truncatingIfNeeded: byteCount ?? pdu.count - 2)
        return pdu
    }
    func ofFunction(_ function: UInt8) -> [UInt8] { [function] + poison.dropFirst() }
    /// The function that reads the other table of the same width.
    var otherFunction: UInt8 { [1: 2, 2: 1, 3: 4][pdu[0]] ?? 3 }
}

package struct HostileAnswer: Sendable, CustomStringConvertible {
    package enum Expectation: String, Sendable {
        /// Legal, however slow or torn: the value must be taken.
        case value
        /// Nothing of it may be taken.
        case reject
        /// Taken or not, but never wrong.
        case either
    }
    package let name: String
    package let expectation: Expectation
    package let steps: @Sendable (inout HostileExchange) -> [HostileStep]
    /// The exception that it is, if it is one.
    package var exception: UInt8?

    init(
        _ name: String, _ expectation: Expectation,
        _ steps: @escaping @Sendable (inout HostileExchange) -> [HostileStep]
    ) {
        self.name = name
        self.expectation = expectation
        self.steps = steps
    }
    package var description: String { name }
    /// True for exceptions 2 and 3, from which a driver learns for good.
    package var teaches: Bool { exception == 2 || exception == 3 }

    /// One byte at a time, or in two parts with a pause.
    static func pieces(_ bytes: [UInt8], at cut: Int, pause: Int) -> [HostileStep] {
        let cut = min(max(cut, 1), bytes.count - 1)
        return [.send(Array(bytes[..<cut])), .pause(milliseconds: pause), .send(Array(bytes[cut...]))]
    }
    static func singly(_ bytes: [UInt8]) -> [HostileStep] {
        bytes.flatMap { [.send([$0]), .pause(milliseconds: 1)] as [HostileStep] }
    }
}

/// Frames of the two framings, right or bent.
package enum HostileFrame {
    package static func tcp(
        _ transaction: UInt16, _ unit: UInt8, _ pdu: [UInt8], protocolID: UInt16 = 0, length: Int? = nil
    ) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: length ?? pdu.count + 1)
        return [transaction, protocolID, length].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } + [unit] + pdu
    }

    package static func rtu(_ unit: UInt8, _ pdu: [UInt8]) -> [UInt8] {
        let bytes = [unit] + pdu
        let crc = checksum(bytes)
        return bytes + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
    }

    /// CRC-16 of Modbus, bit by bit: not the driver's own code.
    package static func checksum(_ bytes: some Sequence<UInt8>) -> UInt16 {
        var crc: UInt16 = 0xFFFF
        for byte in bytes {
            crc ^= UInt16(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
        }
        return crc
    }
}
