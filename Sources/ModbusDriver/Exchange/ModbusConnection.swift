// The checked exchange: requests go out, each answer comes back within the deadline, or a reason does.

internal import GatewayModel
package import GatewayPlatform

/// A stream with the rules that keep a late, doubled or foreign answer from ever being taken for the present one.
///
/// Owned by the channel's thread. Buffers are used again for every exchange: nothing is allocated.
///
/// TCP: several requests may be under way; an answer belongs to the one whose transaction it carries. Answers to requests
/// that were given up, and second copies, are stepped over. Anything else that is not expected closes the connection.
///
/// RTU: one request at a time; `RTUFrame.examine` finds its answer among foreign bytes. Two requests that only differ in
/// their address could not be told apart by their answers, so one asks for a register more where it may (`AnswerFence`).
package struct ModbusConnection<Stream: FieldStream>: Sendable {
    private var stream: Stream
    private let framing: ModbusFraming
    /// Silence before a request: 3.5 characters on a serial line (Serial Line V1.02, 2.5.1.1).
    private let frameGap: Duration
    /// What was sent last, framing included.
    package private(set) var request: [UInt8] = []
    /// What has come; `start..<end` is not judged yet.
    package private(set) var buffer = [UInt8](repeating: 0, count: 16 * TCPFrame.longest)
    private var start = 0
    private var end = 0
    private var flying: [Flying] = []
    private var transaction: UInt16
    /// Transactions that were answered or given up lately: their answers are late or doubled, and harmless.
    private var recent = [Recent](repeating: Recent(transaction: 0, total: 0), count: 32)
    private var recentCount = 0
    private var recentNext = 0
    /// Exchanges in a row on which nothing at all came back.
    private var silences = 0
    /// How many answers the present connection has given: a first request that finds it closed may try once more.
    private var served = 0
    private var fence = AnswerFence()
    private var lastEnd = MonotonicTime(nanoseconds: 0)
    package private(set) var counts = ExchangeCounts()
    /// Changes with each receive: answers that came with the same one came at the same time.
    package private(set) var receipts: UInt64 = 0

    private struct Recent: Sendable {
        var transaction: UInt16
        /// Bytes of its right answer.
        var total: Int
    }

    private struct Flying: Sendable {
        var transaction: UInt16
        var index: Int
        var operation: ModbusOperation
    }

    /// An answer, judged: of the request with `index`.
    package struct Answer: Sendable {
        package var index: Int
        /// Where the PDU lies in `buffer`; valid until the next call.
        package var pdu: Range<Int>
        /// An exception is an answer too.
        package var error: ModbusError?
        /// The data of a read: what follows function and byte count.
        package var data: Range<Int> { pdu.lowerBound + 2..<pdu.upperBound }
    }

    private static var exceptionBytes: Int { 9 }
    /// Nothing came on two exchanges in a row: the other end may be gone without a word.
    private static var silencesBeforeClosing: Int { 2 }
    /// After a broken RTU exchange: how long the line must be silent, and how long we wait for that at most.
    private static var quiet: Duration { .milliseconds(20) }
    private static var longestDrain: Duration { .milliseconds(300) }

    package init(stream: Stream, framing: ModbusFraming, frameGap: Duration = .zero) {
        self.stream = stream
        self.framing = framing
        self.frameGap = frameGap
        var random = SystemRandomNumberGenerator()
        transaction = random.next()
        request.reserveCapacity(16 * TCPFrame.longest)
        flying.reserveCapacity(16)
    }

    package var isOpen: Bool { stream.isOpen }
    package mutating func open(deadline: MonotonicTime) throws(ModbusError) {
        (served, silences, start, end) = (0, 0, 0, 0)
        flying.removeAll(keepingCapacity: true)
        // The fence stays: what a line's other end still holds back does not know that the port was opened anew.
        try stream.open(deadline: deadline)
    }
    package mutating func close() { stream.close() }
    package mutating func rest(until moment: MonotonicTime) { stream.rest(until: moment) }

    /// True when a connection that worked before was found closed: many devices drop idle clients, and that is no
    /// reason for a bad reading.
    package var mayHaveBeenIdle: Bool { served > 0 }
    package var isWaiting: Bool { !flying.isEmpty }
    /// What came last, framing included: for a trace.
    package var answer: [UInt8] { Array(buffer[..<end]) }

    /// Sends the requests `indices` together; their answers come from `next`.
    package mutating func begin(
        _ requests: [ReadRequest], _ indices: Range<Int>, unit: UInt8, deadline: MonotonicTime
    ) throws(ModbusError) {
        prepare()
        for index in indices { add(requests[index].operation, index: index, unit: unit) }
        try send(deadline: deadline)
    }

    /// Sends one request; its answer comes from `next`.
    /// - Parameter mayExtend: so many registers after the last (or eight times as many bits) may be read along, at most
    ///   `AnswerFence.most`, to tell two answers apart (RTU only).
    /// - Returns: by how many steps it was made longer.
    @discardableResult
    package mutating func begin(
        _ operation: ModbusOperation, index: Int = 0, mayExtend: Int = 0, unit: UInt8, deadline: MonotonicTime
    ) throws(ModbusError) -> Int {
        prepare()
        var sent = operation
        var step = 0
        if framing == .rtu {
            counts.foreignBytes += stream.drain(quiet: .zero, deadline: lastEnd)
            if frameGap > .zero { stream.rest(until: lastEnd.advanced(by: frameGap)) }
            step = fence.step(for: operation, unit: unit, most: mayExtend, at: deadline)
            sent = operation.extended(by: step)
        }
        add(sent, index: index, unit: unit)
        try send(deadline: deadline)
        return step
    }

    /// The next answer to what is under way.
    /// - Throws: what fails everything that is still under way. On TCP the connection is then closed, unless nothing but
    ///   time is amiss.
    package mutating func next(now: MonotonicTime, deadline: MonotonicTime) throws(ModbusError) -> Answer {
        do throws(ModbusError) {
            var seen: ModbusError.Malformation?
            while true {
                if let answer = try framing == .tcp ? tcpAnswer() : rtuAnswer(&seen) { return answer }
                if start == end { (start, end) = (0, 0) }
                if end == buffer.count { try makeRoom() }
                do throws(ModbusError) {
                    end += try stream.receive(into: &buffer, at: end, deadline: deadline)
                    receipts &+= 1
                } catch {
                    // The line was not silent: what stood there says more than that time ran out.
                    if error == .timeout, let seen { throw .malformed(seen) }
                    throw error
                }
            }
        } catch {
            giveUp(error, deadline)
            throw error
        }
    }

    /// One request and its answer's PDU; an exception is thrown.
    package mutating func perform(
        _ operation: ModbusOperation, unit: UInt8, deadline: MonotonicTime
    ) throws(ModbusError) -> [UInt8] {
        try begin(operation, unit: unit, deadline: deadline)
        let answer = try next(now: deadline, deadline: deadline)
        if let error = answer.error { throw error }
        return Array(buffer[answer.pdu])
    }

    /// When the last answer ended: the pause before the next request counts from there.
    package mutating func noteEnd(_ moment: MonotonicTime) { lastEnd = moment }

    // MARK: sending

    private mutating func prepare() {
        precondition(flying.isEmpty, "BUG: an exchange is still under way")
        request.removeAll(keepingCapacity: true)
        if start > 0 {
            if start < end { for index in start..<end { buffer[index - start] = buffer[index] } }
            (start, end) = (0, end - start)
        }
        if framing == .rtu { (start, end) = (0, 0) }
    }

    private mutating func add(_ operation: ModbusOperation, index: Int, unit: UInt8) {
        // Steps of a large odd number visit all 65,536 and are hard to guess for a confused device.
        transaction = transaction &+ 0x9E37
        flying.append(Flying(transaction: transaction, index: index, operation: operation))
        switch framing {
        case .tcp: TCPFrame.encode(operation, unit: unit, transaction: transaction, into: &request)
        case .rtu: RTUFrame.encode(operation, unit: unit, into: &request)
        }
        self.unit = unit
    }
    private var unit: UInt8 = 0

    private mutating func send(deadline: MonotonicTime) throws(ModbusError) {
        do throws(ModbusError) {
            try stream.send(request, deadline: deadline)
        } catch {
            flying.removeAll(keepingCapacity: true)
            stream.close()
            throw error
        }
    }

    // MARK: receiving

    private mutating func tcpAnswer() throws(ModbusError) -> Answer? {
        // A second reference, so that bytes can be looked at while the rest of `self` changes. Nothing is copied.
        let held = buffer
        while true {
            let bytes = held.span.extracting(start..<end)
            switch TCPFrame.header(bytes) {
            case .incomplete: return nil
            case .failed(let what): throw .malformed(what)
            case .frame(let transaction, let unit, let total):
                guard let position = position(of: transaction) else {
                    guard isLate(transaction, total) else { throw .malformed(.transaction) }
                    guard bytes.count >= total else { return nil }
                    counts.lateAnswers += 1
                    start += total
                    continue
                }
                guard unit == self.unit else { throw .malformed(.unit) }
                let operation = flying[position].operation
                let pdu = bytes.extracting(TCPFrame.headerBytes..<min(bytes.count, total))
                switch operation.length(of: pdu) {
                case .exactly(let count):
                    guard count == total - TCPFrame.headerBytes else { throw .malformed(.length) }
                case .atLeast(let count):
                    guard count <= total - TCPFrame.headerBytes else { throw .malformed(.length) }
                case .wrong(let what): throw .malformed(what)
                }
                guard bytes.count >= total else { return nil }
                let error = operation.isRead && pdu[0] & 0x80 == 0 ? nil : operation.verdict(on: pdu)
                if let error, !error.keepsConnection { throw error }
                guard mayFollow(bytes.extracting(total..<bytes.count)) else { throw .malformed(.unasked) }
                let answer = Answer(
                    index: flying[position].index, pdu: start + TCPFrame.headerBytes..<start + total, error: error)
                remember(flying[position])
                flying.remove(at: position)
                start += total
                (served, silences) = (served + 1, 0)
                return answer
            }
        }
    }

    /// By hand: `firstIndex(where:)` is not specialised here and allocates with every answer (measured).
    private func position(of transaction: UInt16) -> Int? {
        for index in 0..<flying.count where flying[index].transaction == transaction { return index }
        return nil
    }

    /// Only as long as its answer must be: a wrong length would lead into the middle of the next frame.
    private func isLate(_ transaction: UInt16, _ total: Int) -> Bool {
        for index in 0..<recentCount where recent[index].transaction == transaction {
            if recent[index].total == total || total == Self.exceptionBytes { return true }
        }
        return false
    }

    /// Whether `bytes` can stand behind an answer. A device that stops in the middle of one and goes on with another makes
    /// a frame of two halves; what is left of the second then shows it, as soon as it is two bytes.
    private func mayFollow(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= 2 else { return true }
        let transaction = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        guard position(of: transaction) != nil || isRecent(transaction) else { return false }
        // Protocol, and a length below 256.
        for index in 2..<min(bytes.count, 5) where bytes[index] != 0 { return false }
        return true
    }

    private func isRecent(_ transaction: UInt16) -> Bool {
        for index in 0..<recentCount where recent[index].transaction == transaction { return true }
        return false
    }

    private mutating func rtuAnswer(_ seen: inout ModbusError.Malformation?) throws(ModbusError) -> Answer? {
        switch RTUFrame.examine(buffer.span.extracting(start..<end), unit: unit, operation: flying[0].operation) {
        case .incomplete(let what):
            seen = what
            return nil
        case .complete(let pdu, let foreign):
            return rtuAnswer(pdu.lowerBound + start..<pdu.upperBound + start, nil, foreign: foreign)
        case .failed(let error):
            guard error.keepsConnection else { throw error }
            return rtuAnswer(start..<start, error, foreign: 0)
        }
    }

    private mutating func rtuAnswer(_ pdu: Range<Int>, _ error: ModbusError?, foreign: Int) -> Answer {
        counts.foreignBytes += foreign
        (served, silences) = (served + 1, 0)
        return Answer(index: flying.removeLast().index, pdu: pdu, error: error)
    }

    private mutating func remember(_ request: Flying) {
        let data = request.operation.isRead ? 2 + request.operation.dataBytes : 5
        recent[recentNext] = Recent(transaction: request.transaction, total: TCPFrame.headerBytes + data)
        recentNext = (recentNext + 1) % recent.count
        recentCount = min(recentCount + 1, recent.count)
    }
    /// More has come than any answer can be: on RTU the oldest half can hold no answer any more.
    private mutating func makeRoom() throws(ModbusError) {
        if framing == .tcp && start == 0 { throw .malformed(.unasked) }
        let from = framing == .rtu ? max(start, end - 2 * RTUFrame.longest) : start
        counts.foreignBytes += from - start
        for index in from..<end { buffer[index - from] = buffer[index] }
        (start, end) = (0, end - from)
    }

    private mutating func giveUp(_ error: ModbusError, _ deadline: MonotonicTime) {
        for request in flying { remember(request) }
        flying.removeAll(keepingCapacity: true)
        switch framing {
        case .tcp:
            silences += 1
            let mayGoOn = error == .timeout && start == end && silences < Self.silencesBeforeClosing
            if !mayGoOn { stream.close() }
        case .rtu:
            (start, end) = (0, 0)
            fence.failed(at: deadline)
            guard error == .timeout || error.isMalformed else { return stream.close() }
        }
    }

    /// After a broken RTU exchange: waits until the line is silent, so that the next answer is not taken from its rest.
    package mutating func settle(now: MonotonicTime) { settle(quiet: Self.quiet, now: now) }

    /// The same, for a client that cannot make its next request longer: waits for `quiet`, as long as an answer may take.
    package mutating func settle(quiet: Duration, now: MonotonicTime) {
        guard framing == .rtu, stream.isOpen else { return }
        let longest = max(Self.longestDrain, quiet * 2)
        counts.foreignBytes += stream.drain(quiet: quiet, deadline: now.advanced(by: longest))
    }
}

/// What a connection had to step over.
package struct ExchangeCounts: Sendable, Equatable {
    /// Answers to requests that had been given up, or second copies.
    package var lateAnswers = 0
    /// Bytes of others on the line, noise, and what was drained.
    package var foreignBytes = 0
    package init() {}
}

extension ModbusOperation {
    @inline(__always) var isRead: Bool { if case .read = self { true } else { false } }
}
