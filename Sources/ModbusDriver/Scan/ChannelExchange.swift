// The exchanges of a channel: what goes out, what its answers and their absence mean for unit, channel and tags.

internal import GatewayModel
internal import GatewayPlatform
internal import Glibc

extension ChannelScanner {
    /// Performs one job, before any scan. Nothing is tried twice: a write whose answer was lost may have been done.
    package mutating func perform(_ job: ModbusJob) -> Result<[[UInt8]], ModbusJob.Failure> {
        var answers: [[UInt8]] = []
        guard let unitIndex = plan.units.firstIndex(where: { $0.device == job.device }) else {
            return .failure(.init(operation: 0, error: .unreachable(code: 0)))
        }
        if let deadline = job.deadline, clock.monotonic() >= deadline {
            return .failure(.init(operation: -1, error: .timeout))
        }
        for (position, operation) in job.operations.enumerated() {
            do throws(ModbusError) {
                try connect()
                if let failure = prepare(job, position, unitIndex) { return .failure(failure) }
                rest(unitIndex)
                let sent = clock.monotonic()
                defer {
                    units[unitIndex].lastAnswer = clock.monotonic()
                    connection.noteEnd(units[unitIndex].lastAnswer)
                }
                statistics.units[unitIndex].requests += 1
                let unit = plan.units[unitIndex]
                answers.append(
                    try connection.perform(operation, unit: unit.unitID, deadline: sent.advanced(by: unit.timeout)))
            } catch {
                note(error, unitIndex)
                return .failure(.init(operation: position, error: error))
            }
        }
        statistics.isConnected = connection.isOpen
        return .success(answers)
    }

    /// Nothing is written to a device that is not the one that is meant.
    private mutating func prepare(_ job: ModbusJob, _ position: Int, _ unitIndex: Int) -> ModbusJob.Failure? {
        if units[unitIndex].identity.isTrusted { return nil }
        do throws(ModbusError) {
            try identify(unitIndex)
        } catch {
            note(error, unitIndex)
            // Nothing of the job was sent; other errors would leave that open.
            return .init(operation: position, error: error == .otherDevice ? error : .unreachable(code: ETIMEDOUT))
        }
        if position == 0, let deadline = job.deadline, clock.monotonic() >= deadline {
            return .init(operation: -1, error: .timeout)
        }
        return nil
    }

    /// Sends the next requests of a scan, as many as the unit takes at once, and takes their answers.
    mutating func exchangeWindow(_ index: Int) {
        let unitIndex = scans[index].unit
        let first = scans[index].position
        let width = plan.endpoint.framing == .tcp ? plan.units[unitIndex].limits.inFlight : 1
        let window = first..<min(scans[index].cycle.count, first + max(1, width))
        scans[index].position = window.upperBound
        /// Bit n is set while request `first + n` waits.
        var waiting: UInt32 = (1 << UInt32(window.count)) - 1
        var isSent = false
        do throws(ModbusError) {
            let wasOpen = connection.isOpen
            try connect()
            do throws(ModbusError) {
                try identify(unitIndex)
                isSent = true
                try exchange(index, window, &waiting)
            } catch {
                // Closed since the last scan: not the device's answer to this request. Once more, on a new connection.
                guard case .closed = error, wasOpen, connection.mayHaveBeenIdle, waiting.nonzeroBitCount == window.count
                else { throw error }
                isSent = false
                try connect()
                try identify(unitIndex)
                isSent = true
                try exchange(index, window, &waiting)
            }
        } catch {
            note(error, unitIndex)
            scans[index].hasFailed = true
            if error == .timeout, window.count == 1, isSent {
                scans[index].learner.silent(scans[index].cycle[window.lowerBound], plan: scans[index].plan)
            }
            for position in window where waiting >> UInt32(position - first) & 1 == 1 {
                fail(scans[index].cycle[position], of: index, with: error.quality)
            }
            // Asking on would cost a time-out for each request: the rest of the scan fails with the same reason.
            if error.meansSilence || error == .otherDevice { failRest(of: index, with: error.quality) }
        }
    }

    mutating func exchange(
        _ index: Int, _ window: Range<Int>, _ waiting: inout UInt32
    ) throws(ModbusError) {
        let unitIndex = scans[index].unit
        rest(unitIndex)
        let unitID = plan.units[unitIndex].unitID
        let sent = clock.monotonic()
        let timeout = self.timeout(of: unitIndex)
        var deadline = sent.advanced(by: timeout)
        statistics.units[unitIndex].requests += window.count
        defer {
            let ended = clock.monotonic()
            units[unitIndex].lastAnswer = ended
            connection.noteEnd(ended)
            statistics.busy += ended.duration(since: sent)
        }
        var steps = 0
        if window.count == 1 {
            let request = scans[index].cycle[window.lowerBound]
            steps = try connection.begin(
                request.operation, index: window.lowerBound, mayExtend: mayExtend(request, unitIndex), unit: unitID,
                deadline: deadline)
        } else {
            try connection.begin(scans[index].cycle, window, unit: unitID, deadline: deadline)
        }
        var (previous, received) = (sent, sent)
        var timestamp = Timestamp(nanoseconds: 0)
        var isFirst = true
        while waiting != 0 {
            let receipt = connection.receipts
            let answer = try connection.next(now: received, deadline: deadline)
            if connection.receipts != receipt || received == sent {
                (previous, received) = (received, clock.monotonic())
                // The device took the values between request and answer: the middle is off by half of that at most. What came
                // with one receive has one time. Whole numbers: dividing a duration takes 128 bits and some calls.
                timestamp = clock.wall()
                timestamp.nanoseconds &-= (received.nanoseconds &- previous.nanoseconds) / 2
            }
            waiting &= ~(1 << UInt32(answer.index - window.lowerBound))
            let request = scans[index].cycle[answer.index]
            if let error = answer.error {
                take(error, request, index, longerBy: steps)
            } else {
                let roundTrip = received.duration(since: sent)
                let held = connection.buffer
                let data = unsafe held.span.bytes.extracting(unchecked: answer.data)
                scans[index].add(request, data: data, at: timestamp, to: &batches[index])
                scans[index].learner.answered(request, plan: scans[index].plan)
                noteAnswer(of: unitIndex)
                if isFirst { units[unitIndex].roundTrips.note(roundTrip, registers: Int(request.count)) }
                statistics.units[unitIndex].lastRoundTrip = roundTrip
                statistics.units[unitIndex].lastGood = timestamp
                statistics.units[unitIndex].lastError = nil
                statistics.roundTrips += roundTrip
            }
            // In a window each answer moves the deadline: a device works on one request after the other.
            isFirst = false
            deadline = received.advanced(by: timeout)
        }
    }

    /// An exception: an answer that says no.
    mutating func take(_ error: ModbusError, _ request: ReadRequest, _ index: Int, longerBy steps: Int) {
        let unitIndex = scans[index].unit
        switch error {
        case .exception(2), .exception(3):
            noteAnswer(of: unitIndex)
            if steps > 0 {
                units[unitIndex].mostExtension = steps - 1
                scans[index].cycle.append(request)
                return
            }
            let halves = scans[index].learner.refused(request, exception: error.code, plan: scans[index].plan)
            if halves.isEmpty { break }
            scans[index].cycle.append(contentsOf: halves)
            statistics.units[unitIndex].exceptions += 1
            return
        case .exception(5), .exception(6):
            noteAnswer(of: unitIndex)
            guard scans[index].retries > 0 else { break }
            scans[index].retries -= 1
            scans[index].cycle.append(request)
            statistics.units[unitIndex].exceptions += 1
            connection.rest(until: clock.monotonic().advanced(by: Self.busyPause))
            return
        case .exception(0x0A), .exception(0x0B):
            // A gateway says in the unit's place that it does not answer: the unit's silence, not the channel's.
            note(error, unitIndex)
            fail(request, of: index, with: error.quality)
            failRest(of: index, with: error.quality)
            return
        default: noteAnswer(of: unitIndex)
        }
        // Refusals of the address are asked again in their own time.
        if !(1...3).contains(error.code) { scans[index].hasFailed = true }
        statistics.units[unitIndex].count(error)
        fail(request, of: index, with: error.quality)
    }

    mutating func note(_ error: ModbusError, _ unitIndex: Int) {
        statistics.units[unitIndex].count(error)
        if error == .timeout { units[unitIndex].roundTrips.noteTimeout() }
        let now = clock.monotonic()
        if error.meansSilence {
            units[unitIndex].silence.failed(at: now.nanoseconds)
            if units[unitIndex].silence.isOpen { units[unitIndex].identity.doubt() }
        }
        guard plan.endpoint.framing == .rtu, error == .timeout || error.isMalformed else { return }
        connection.settle(now: now)
        let patience = max(units[unitIndex].roundTrips.longest * 3 / 2, .milliseconds(500))
        units[unitIndex].quarantineEnd = clock.monotonic().advanced(by: min(patience, .seconds(5))).nanoseconds
    }

    func timeout(of unitIndex: Int) -> Duration {
        let unit = plan.units[unitIndex]
        return unit.isTimeoutAdaptive ? units[unitIndex].roundTrips.timeout(cap: unit.timeout) : unit.timeout
    }

    /// A read may be longer when the device allows the length and nobody forbids the address.
    func mayExtend(_ request: ReadRequest, _ unitIndex: Int) -> Int {
        guard plan.endpoint.framing == .rtu, units[unitIndex].mostExtension > 0 else { return 0 }
        let limits = plan.units[unitIndex].limits
        let most = limits.extensions(of: request, knowledge: units[unitIndex].knowledge)
        return min(most, units[unitIndex].mostExtension)
    }

    mutating func rest(_ unitIndex: Int) {
        let pause = plan.units[unitIndex].limits.pause
        if pause > .zero { connection.rest(until: units[unitIndex].lastAnswer.advanced(by: pause)) }
    }

    mutating func connect() throws(ModbusError) {
        guard !connection.isOpen else { return }
        let now = clock.monotonic()
        guard link.allows(at: now.nanoseconds) else { throw lastLinkError }
        do throws(ModbusError) {
            try connection.open(deadline: now.advanced(by: Self.connectTimeout))
        } catch {
            link.failed(at: clock.monotonic().nanoseconds)
            lastLinkError = error
            throw error
        }
        link.succeeded()
        statistics.connections += 1
        for unitIndex in units.indices { units[unitIndex].identity.doubt() }
        // Another device may stand there now, or the same one with its configuration changed.
        for unitIndex in units.indices where now.nanoseconds &- units[unitIndex].lastRefusedTry > 60_000_000_000 {
            retryRefused(of: unitIndex, at: now.nanoseconds)
        }
        for index in scans.indices { scans[index].owe(at: now.nanoseconds) }
    }

    mutating func fail(_ request: ReadRequest, of index: Int, with quality: Quality) {
        scans[index].add(request, failedWith: quality, at: clock.wall(), to: &batches[index])
    }

    /// The unit has answered, be it with a refusal. After a silence it may be another device.
    mutating func noteAnswer(of unitIndex: Int) {
        if units[unitIndex].silence.isOpen {
            let now = clock.monotonic().nanoseconds
            for index in scans.indices where scans[index].unit == unitIndex { scans[index].owe(at: now) }
        }
        units[unitIndex].silence.succeeded()
    }

    mutating func failRest(of index: Int, with quality: Quality) {
        scans[index].breakOff()
        while scans[index].isUnderWay {
            fail(scans[index].cycle[scans[index].position], of: index, with: quality)
            scans[index].position += 1
        }
    }
}
