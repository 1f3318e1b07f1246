// A field stream that gives what a test has put into it, for the tests of the exchange itself.

import GatewayModel
import GatewayPlatform
import ModbusDriver
import Synchronization

/// Answers each send with the bytes that `answer` makes of it, a piece per receive.
final class CannedStream: FieldStream {
    private struct State {
        var isOpen = false
        var sent: [[UInt8]] = []
        var pieces: [[UInt8]] = []
        var opened = 0
    }
    private let state = Mutex(State())
    private let answer: @Sendable (_ sent: [UInt8], _ number: Int) -> [[UInt8]]

    /// - Parameter answer: what comes after the n-th send (from 0), piece by piece; then silence.
    init(answer: @escaping @Sendable (_ sent: [UInt8], _ number: Int) -> [[UInt8]]) { self.answer = answer }

    var sent: [[UInt8]] { state.withLock(\.sent) }
    var opened: Int { state.withLock(\.opened) }

    var isOpen: Bool { state.withLock(\.isOpen) }
    func open(deadline: MonotonicTime) throws(ModbusError) {
        state.withLock { state in
            state.isOpen = true
            state.opened += 1
            state.pieces = []
        }
    }
    func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        state.withLock { state in
            state.pieces += answer(bytes, state.sent.count)
            state.sent.append(bytes)
        }
    }
    func receive(into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime) throws(ModbusError) -> Int {
        let room = buffer.count - start
        let piece = state.withLock { state -> [UInt8]? in
            guard let first = state.pieces.first else { return nil }
            if first.count <= room { return state.pieces.removeFirst() }
            state.pieces[0].removeFirst(room)
            return Array(first[..<room])
        }
        guard let piece else { throw .timeout }
        for (index, byte) in piece.enumerated() { buffer[start + index] = byte }
        return piece.count
    }
    func drain(quiet: Duration, deadline: MonotonicTime) -> Int {
        state.withLock { state in
            defer { state.pieces = [] }
            return state.pieces.reduce(0) { $0 + $1.count }
        }
    }
    func close() { state.withLock { $0.isOpen = false } }
    func rest(until moment: MonotonicTime) {}
}

/// The right answer of a TCP device to each request in `sent`: the registers hold their address.
func rightAnswers(_ sent: [UInt8]) -> [[UInt8]] {
    stride(from: 0, to: sent.count, by: 12).map { start in
        let request = Array(sent[start..<start + 12])
        let (address, count) = (Int(request[8]) << 8 | Int(request[9]), Int(request[10]) << 8 | Int(request[11]))
        let data = (address..<address + count).flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        let length = 3 + data.count
        return request[..<4] + [UInt8(length >> 8), UInt8(length & 0xFF), request[6], request[7], UInt8(data.count)]
            + data
    }
}
