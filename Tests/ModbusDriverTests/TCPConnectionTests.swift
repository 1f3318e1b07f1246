// The checked exchange on TCP, byte by byte: windows of requests, late and doubled answers, everything that is not one.

import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Testing

private let never = MonotonicTime(nanoseconds: .max / 2)

private func open(_ stream: CannedStream) throws -> ModbusConnection<CannedStream> {
    var connection = ModbusConnection(stream: stream, framing: .tcp)
    try connection.open(deadline: never)
    return connection
}

/// Reads of two registers each at addresses 0, 10, 20…
private func requests(_ count: Int) -> [ReadRequest] {
    (0..<count).map { ReadRequest(table: .holdingRegister, address: UInt16(10 * $0), count: 2, fields: $0..<$0 + 1) }
}

/// Sends a window and collects what comes, as (index, first register).
private func collect(
    _ connection: inout ModbusConnection<CannedStream>, _ count: Int
) throws(ModbusError) -> [(index: Int, register: Int)] {
    try connection.begin(requests(count), 0..<count, unit: 9, deadline: never)
    var answers: [(index: Int, register: Int)] = []
    while connection.isWaiting {
        let answer = try connection.next(now: never, deadline: never)
        if let error = answer.error { throw error }
        let data = answer.data.lowerBound
        answers.append((answer.index, Int(connection.buffer[data]) << 8 | Int(connection.buffer[data + 1])))
    }
    return answers
}

private func header(_ bytes: [UInt8]) -> TCPFrame.Header { TCPFrame.header(bytes.span) }

@Suite("TCP frames and their exchange")
struct TCPConnectionTests {
    @Test("A request is an MBAP header and the PDU; several can follow each other")
    func encoding() {
        var bytes: [UInt8] = []
        TCPFrame.encode(.read(.holdingRegister, address: 3, count: 2), unit: 17, transaction: 0x1501, into: &bytes)
        #expect(bytes == [0x15, 0x01, 0, 0, 0, 6, 17, 3, 0, 3, 0, 2])
        TCPFrame.encode(.writeRegisters(address: 1, [7]), unit: 1, transaction: 2, into: &bytes)
        #expect(bytes[12...] == [0, 2, 0, 0, 0, 9, 1, 16, 0, 1, 0, 1, 2, 0, 7])
    }

    @Test("A header says unit, transaction and length, or what is wrong with it")
    func headers() {
        let good: [UInt8] = [0xAB, 0xCD, 0, 0, 0, 5, 3]
        #expect(header(good) == .frame(transaction: 0xABCD, unit: 3, total: 11))
        for count in 0..<7 { #expect(header(Array(good[..<count])) == .incomplete) }
        for length in UInt16.min...UInt16.max {
            let bytes = [0, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), 1]
            let expected: TCPFrame.Header =
                (3...254).contains(length)
                ? .frame(transaction: 0, unit: 1, total: 6 + Int(length)) : .failed(.length)
            #expect(header(bytes) == expected)
        }
        for high in UInt8.min...UInt8.max where high != 0 {
            #expect(header([0, 0, high, 0, 0, 5, 1]) == .failed(.protocolID))
            #expect(header([0, 0, 0, high, 0, 5, 1]) == .failed(.protocolID))
        }
    }

    /// Bytes 0 to 8: transaction, protocol, length, unit, function, byte count.
    @Test("Every other value of every byte of an answer's header is refused and ends the connection", arguments: 0..<9)
    func otherBytes(index: Int) throws {
        for mask in UInt8(1)...UInt8.max {
            // Function | 0x80 with a byte count for a code is an exception of the wrong length: refused as well.
            let stream = CannedStream { sent, _ in
                var answer = rightAnswers(sent)[0]
                answer[index] ^= mask
                return [answer]
            }
            var connection = try open(stream)
            // A longer length could still be followed by more: then time decides, as for any part of an answer.
            #expect(throws: ModbusError.self) { try collect(&connection, 1) }
            #expect(!stream.isOpen)
        }
    }

    @Test("An answer in pieces of any size is an answer", arguments: 1...13)
    func pieces(size: Int) throws {
        let stream = CannedStream { sent, _ in
            let answer = rightAnswers(sent)[0]
            return stride(from: 0, to: answer.count, by: size).map { Array(answer[$0..<min(answer.count, $0 + size)]) }
        }
        var connection = try open(stream)
        for _ in 0..<5 { #expect(try collect(&connection, 1).map(\.register) == [0]) }
    }

    @Test("The answers of a window may come in any order, in one piece or in many", arguments: 0..<100)
    func anyOrder(seed: UInt64) throws {
        let stream = CannedStream { sent, number in
            var random = SeededGenerator(seed: seed << 8 | UInt64(number))
            let answers = rightAnswers(sent).shuffled(using: &random)
            let all = answers.flatMap(\.self)
            let cut = Int.random(in: 1...40, using: &random)
            return stride(from: 0, to: all.count, by: cut).map { Array(all[$0..<min(all.count, $0 + cut)]) }
        }
        var connection = try open(stream)
        for count in [1, 2, 4, 8, 16, 3] {
            let answers = try collect(&connection, count)
            #expect(answers.count == count && Set(answers.map(\.index)).count == count)
            #expect(answers.allSatisfy { $0.register == 10 * $0.index })
        }
        #expect(stream.opened == 1)
    }

    @Test("A second copy of an answer and one that comes late are stepped over and counted")
    func lateAndDoubled() throws {
        let late: [UInt8] = rightAnswers([0, 0, 0, 0, 0, 6, 9, 3, 0, 0, 0, 2])[0]
        let stream = CannedStream { sent, number in
            let right = rightAnswers(sent)[0]
            return switch number {
            case 0: [right + right]
            case 1: [right]
            case 2: []
            default: [right]
            }
        }
        var connection = try open(stream)
        #expect(try collect(&connection, 1).count == 1)
        #expect(try collect(&connection, 1).count == 1)
        #expect(connection.counts.lateAnswers == 1)
        #expect(throws: ModbusError.timeout) { try collect(&connection, 1) }
        #expect(stream.isOpen, "one silence is not yet a dead connection")
        #expect(late.count == 13)
        #expect(try collect(&connection, 1).count == 1)
    }

    @Test("The answer of a request that was given up comes during the next, and is not taken for it")
    func givenUp() throws {
        let stream = CannedStream { sent, number in
            // Request 0 gets no answer; with request 1 comes the answer to 0, whose transaction is one step earlier.
            guard number == 1 else { return [] }
            let transaction = (UInt16(sent[0]) << 8 | UInt16(sent[1])) &- 0x9E37
            var old = rightAnswers(sent)[0]
            (old[0], old[1], old[9], old[10]) = (UInt8(transaction >> 8), UInt8(transaction & 0xFF), 0xDE, 0xAD)
            return [old, rightAnswers(sent)[0]]
        }
        var connection = try open(stream)
        #expect(throws: ModbusError.timeout) { try collect(&connection, 1) }
        #expect(try collect(&connection, 1).map(\.register) == [0])
        #expect(connection.counts.lateAnswers == 1)
    }

    @Test("Two silences in a row end the connection")
    func twoSilences() throws {
        let stream = CannedStream { _, _ in [] }
        var connection = try open(stream)
        #expect(throws: ModbusError.timeout) { try collect(&connection, 1) }
        #expect(stream.isOpen)
        #expect(throws: ModbusError.timeout) { try collect(&connection, 1) }
        #expect(!stream.isOpen)
    }

    @Test("A part of an answer, and then nothing, ends the connection: its rest would be the next one's beginning")
    func part() throws {
        let stream = CannedStream { sent, _ in [Array(rightAnswers(sent)[0].prefix(10))] }
        var connection = try open(stream)
        #expect(throws: ModbusError.timeout) { try collect(&connection, 1) }
        #expect(!stream.isOpen)
    }

    @Test("A part of an answer and a late one behind it do not make an answer together", arguments: 9..<13)
    func twoHalves(length: Int) throws {
        let stream = CannedStream { sent, number in
            guard number == 1 else { return [] }
            let transaction = (UInt16(sent[0]) << 8 | UInt16(sent[1])) &- 0x9E37
            var old = rightAnswers(sent)[0]
            (old[0], old[1]) = (UInt8(transaction >> 8), UInt8(transaction & 0xFF))
            // An exception is the shortest: the least is left of it.
            if length % 2 == 0 { old = Array(old[..<4]) + [0, 3, 9, 0x83, 2] }
            return [Array(rightAnswers(sent)[0].prefix(length)), old]
        }
        var connection = try open(stream)
        #expect(throws: ModbusError.timeout) { try collect(&connection, 1) }
        #expect(throws: ModbusError.malformed(.unasked)) { try collect(&connection, 1) }
        #expect(!stream.isOpen)
    }

    @Test("Garbage of any length ends the connection", arguments: 0..<200)
    func garbage(seed: UInt64) throws {
        let stream = CannedStream { _, _ in
            var random = SeededGenerator(seed: seed)
            return [
                (0..<Int.random(in: 7...6000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            ]
        }
        var connection = try open(stream)
        #expect(throws: ModbusError.self) { try collect(&connection, 1) }
        #expect(!stream.isOpen)
    }

    @Test("An exception in a window is the answer to its request; the others are not touched by it")
    func exceptionInWindow() throws {
        let stream = CannedStream { sent, _ in
            var answers = rightAnswers(sent)
            answers[1] = Array(answers[1][..<4]) + [0, 3, 9, 0x83, 2]
            return answers
        }
        var connection = try open(stream)
        try connection.begin(requests(3), 0..<3, unit: 9, deadline: never)
        var errors: [Int: ModbusError?] = [:]
        while connection.isWaiting {
            let answer = try connection.next(now: never, deadline: never)
            errors[answer.index] = .some(answer.error)
        }
        #expect(errors == [0: nil, 1: .exception(2), 2: nil])
        #expect(stream.isOpen)
    }

    @Test("No exchange of a random peer ever gives another register than was asked for", arguments: 0..<200)
    func randomPeer(seed: UInt64) throws {
        let stream = CannedStream { sent, number in
            var random = SeededGenerator(seed: seed << 10 | UInt64(number))
            var pieces = rightAnswers(sent)
            for index in pieces.indices {
                switch Int.random(in: 0..<8, using: &random) {
                case 0:
                    pieces[index][Int.random(in: 0..<9, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
                case 1: pieces[index] += pieces[index]
                case 2: pieces[index].removeLast(Int.random(in: 1...13, using: &random))
                case 3: pieces[index] = []
                default: break
                }
            }
            return pieces.shuffled(using: &random).filter { !$0.isEmpty }
        }
        var connection = try open(stream)
        for round in 0..<40 {
            if !stream.isOpen { try connection.open(deadline: never) }
            guard let answers = try? collect(&connection, 1 + round % 4) else { continue }
            #expect(answers.allSatisfy { $0.register == 10 * $0.index })
        }
    }
}
