// Real Modbus servers for the channels of a configuration: on TCP, on RTU over TCP and on a serial line.

internal import CModbus
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import ModbusDriver
internal import Synchronization

/// Why a simulated server could not be opened.
package struct SimulationError: Error, CustomStringConvertible {
    package var description: String
}

/// One simulated endpoint on its own thread: listens on loopback, or opens a serial port, and answers for its units.
/// For demo and tests only.
///
/// libmodbus' server is offered to loopback only: its history of holes is on this side.
package final class SimulatedEndpoint: Sendable {
    private let plan: SimulatedChannel
    /// Of a serial line the line itself.
    private let listener: Int32
    /// The port that was really opened: another one than planned when that was 0. 0 for a serial line.
    package let port: UInt16
    private let bell = WakeUp()
    private let clock = SystemClock()
    private let isStopping = Atomic(false)
    private let thread = Mutex<DedicatedThread?>(nil)

    /// An RTU frame that stays unfinished for so long never will be: 3.5 characters at 1,200 baud take 32 ms.
    private static let rest = Duration.milliseconds(40)
    /// An answer on a paced line goes out in pieces of about this length, as a USB adapter hands them on.
    private static let piece = Duration.milliseconds(2)

    /// One who asks: an accepted socket, or the serial line.
    private struct Client {
        let descriptor: Int32
        var bytes: [UInt8] = []
        /// When the first and the last of `bytes` came.
        var began = MonotonicTime(nanoseconds: 0)
        var latest = MonotonicTime(nanoseconds: 0)
    }

    package init(plan: SimulatedChannel) throws(SimulationError) {
        self.plan = plan
        switch plan.endpoint {
        case .tcp(let host, let wanted), .rtuOverTCP(let host, let wanted):
            guard host == "127.0.0.1" || host == "localhost" else {
                throw SimulationError(
                    description: "channel \(plan.name): \(host) is not this machine; simulate serves on 127.0.0.1 only")
            }
            (listener, port) = try Self.listen(on: wanted, name: plan.name)
        case .serial(let line): (listener, port) = (try Self.open(line, name: plan.name), 0)
        }
    }

    deinit { Glibc.close(listener) }

    package func start() {
        thread.withLock { $0 = DedicatedThread(name: "sim-\(plan.name)") { [self] in serve() } }
    }

    package func stop() {
        isStopping.store(true, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private static func listen(on port: UInt16, name: String) throws(SimulationError) -> (Int32, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var one: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = unsafe withUnsafeMutableBytes(of: &address) { raw in
            let pointer = unsafe raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return unsafe bind(descriptor, pointer, length) == 0 && Glibc.listen(descriptor, 16) == 0
                && getsockname(descriptor, pointer, &length) == 0
        }
        guard bound else {
            let reason = unsafe String(cString: strerror(errno))
            Glibc.close(descriptor)
            throw SimulationError(description: "channel \(name): cannot listen on 127.0.0.1:\(port): \(reason)")
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// libmodbus opens the port and sets it; the descriptor outlives the context.
    private static func open(_ line: SerialLine, name: String) throws(SimulationError) -> Int32 {
        let letter: Unicode.Scalar =
            switch line.parity {
            case .none: "N"
            case .even: "E"
            case .odd: "O"
            }
        let made = unsafe modbus_new_rtu(
            line.port, Int32(line.baud), CChar(letter.value), Int32(line.dataBits), Int32(line.stopBits))
        guard let context = unsafe made, unsafe modbus_connect(context) == 0 else {
            let reason = unsafe String(cString: strerror(errno))
            if let context = unsafe made { unsafe modbus_free(context) }
            throw SimulationError(description: "channel \(name): cannot open \(line.port): \(reason)")
        }
        defer {
            unsafe modbus_close(context)
            unsafe modbus_free(context)
        }
        return fcntl(unsafe modbus_get_socket(context), F_DUPFD_CLOEXEC, 3)
    }

    private func serve() {
        guard var server = SimulatedServer(plan: plan) else { return }
        var isSerial = false
        if case .serial = plan.endpoint { isSerial = true }
        var clients = isSerial ? [Client(descriptor: listener)] : []
        defer { for client in clients where client.descriptor != listener { Glibc.close(client.descriptor) } }
        while !isStopping.load(ordering: .acquiring) {
            var events = [pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0)]
            events.append(pollfd(fd: isSerial ? -1 : listener, events: Int16(POLLIN), revents: 0))
            for client in clients {
                events.append(pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0))
            }
            let isPending = plan.endpoint.framing == .rtu && clients.contains { !$0.bytes.isEmpty }
            let wait = isPending ? Int32(Self.rest.nanoseconds / 1_000_000) : -1
            guard unsafe poll(&events, UInt(events.count), wait) >= 0 else { continue }
            var gone: [Int32] = []
            for index in clients.indices {
                let isReadable = events[index + 2].revents != 0
                if !take(from: &clients[index], isReadable: isReadable, server: &server) {
                    gone.append(clients[index].descriptor)
                }
            }
            for descriptor in gone where descriptor != listener { Glibc.close(descriptor) }
            clients.removeAll { gone.contains($0.descriptor) }
            if events[1].revents != 0 {
                let accepted = accept(listener, nil, nil)
                if accepted >= 0 { clients.append(Client(descriptor: accepted)) }
            }
        }
    }

    /// Reads what has come and answers every whole request. False when the client has gone or spoke nonsense.
    private func take(from client: inout Client, isReadable: Bool, server: inout SimulatedServer) -> Bool {
        let now = clock.monotonic()
        if isReadable {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let got = unsafe read(client.descriptor, &bytes, bytes.count)
            guard got > 0 else { return got < 0 && (errno == EAGAIN || errno == EINTR) }
            if client.bytes.isEmpty { client.began = now }
            client.latest = now
            client.bytes += bytes[..<got]
        }
        guard !client.bytes.isEmpty else { return true }
        let framing = plan.endpoint.framing
        let isAtRest = now.duration(since: client.latest) >= Self.rest
        var answers: [UInt8] = []
        while !client.bytes.isEmpty {
            switch IncomingRequest.first(in: client.bytes, framing: framing, isAtRest: isAtRest) {
            case .incomplete: return answers.isEmpty || send(answers, to: client)
            case .nonsense:
                if framing == .tcp { return false }
                client.bytes = []
            case .frame(let request, let skipped):
                client.bytes.removeFirst(skipped + request.bytes.count)
                let answer = server.answer(to: request)
                if plan.isPaced, case .serial(let line) = plan.endpoint {
                    guard pace(answer, to: client, on: line, after: request.bytes.count) else { return false }
                } else {
                    answers += answer
                }
            }
        }
        return answers.isEmpty || send(answers, to: client)
    }

    /// Waits as long as the request would have taken to come in, then hands the answer out as slowly as the line would.
    private func pace(_ answer: [UInt8], to client: Client, on line: SerialLine, after requestBytes: Int) -> Bool {
        let received = client.began.advanced(by: line.characterTime * requestBytes + line.frameGap)
        let start = max(received, clock.monotonic()).advanced(by: plan.turnaround)
        let step = max(1, Int(Self.piece.nanoseconds / line.characterTime.nanoseconds))
        for first in stride(from: 0, to: answer.count, by: step) {
            let end = min(first + step, answer.count)
            // The bell rings for the end only.
            if bell.wait(until: start.advanced(by: line.characterTime * end), clock: clock) { return true }
            guard send(Array(answer[first..<end]), to: client) else { return false }
        }
        return true
    }

    private func send(_ bytes: [UInt8], to client: Client) -> Bool {
        if client.descriptor != listener {
            return unsafe Glibc.send(client.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        }
        // A line is never full: the other end waits for every answer. What does not fit is lost, as on a real one.
        let sent = unsafe write(client.descriptor, bytes, bytes.count)
        return sent >= 0 || errno == EAGAIN
    }
}
