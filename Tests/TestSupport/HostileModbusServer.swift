// A Modbus server on a real socket or a pseudo terminal that answers as badly as it is told to.

internal import Foundation
internal import Glibc
internal import Synchronization

/// Answers reads with `HostileTruth`, and one request now and then with a `HostileAnswer`. Threads of its own.
package final class HostileModbusServer: Sendable {
    package enum Medium: String, Sendable, CaseIterable { case tcp, rtu }

    package let medium: Medium
    package let truth: HostileTruth
    /// TCP only.
    package let port: UInt16
    /// RTU only: the terminal that the client opens.
    package let path: String
    private let timeoutMilliseconds: Int
    private let listener: Int32
    private struct State {
        /// Number of requests so far, of all units.
        var requests = 0
        /// Unit of each request, by its number.
        var units: [UInt8] = []
        /// The last request that asked for a group or a bit of a unit, under unit << 17 | bit? << 16 | number.
        var latest: [Int: Int] = [:]
        var armed: (unit: UInt8, answer: HostileAnswer)?
        /// The number of the last request that was answered badly; -1 before.
        var fired = -1
        var peers: [HostilePeer] = []
        var isStopped = false
    }
    private let state = Mutex(State())

    package init(_ medium: Medium, seed: UInt64, timeoutMilliseconds: Int) {
        self.medium = medium
        self.timeoutMilliseconds = timeoutMilliseconds
        truth = HostileTruth(seed: seed)
        switch medium {
        case .tcp:
            (listener, port) = TestSocket.listen(port: 0)
            path = ""
            Thread.detachNewThread { self.acceptAll() }
        case .rtu:
            let (terminal, path) = Self.terminal()
            (listener, port, self.path) = (-1, 0, path)
            let peer = HostilePeer(terminal, isSocket: false)
            state.withLock { $0.peers = [peer] }
            Thread.detachNewThread { self.serveLine(peer) }
        }
    }

    /// Answers the next request of `unit` with `answer`; those after it well again.
    package func arm(_ answer: HostileAnswer, unit: UInt8) { state.withLock { $0.armed = (unit, answer) } }

    /// The number of the last request that was answered badly; -1 before.
    package var fired: Int { state.withLock(\.fired) }
    package var requests: Int { state.withLock(\.requests) }

    /// How many requests of `unit` came after the one numbered `first` up to the one numbered `last`.
    package func count(unit: UInt8, after first: Int, through last: Int) -> Int {
        state.withLock { state in
            guard first >= 0, first < last, last < state.units.count else { return 0 }
            return state.units[first + 1...last].count { $0 == unit }
        }
    }

    /// The last request that asked for all of the group; nil when none has.
    package func latest(unit: UInt8, group: Int) -> Int? { state.withLock { $0.latest[Int(unit) << 17 | group] } }
    package func latest(unit: UInt8, bit: Int) -> Int? {
        state.withLock { $0.latest[Int(unit) << 17 | 1 << 16 | bit] }
    }

    package func stop() {
        let peers = state.withLock { state in
            state.isStopped = true
            return state.peers
        }
        if listener >= 0 {
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
        }
        for peer in peers { peer.close() }
    }

    // MARK: serving

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            var yes: Int32 = 1
            unsafe setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
            let peer = HostilePeer(client, isSocket: true)
            let isStopped = state.withLock { state in
                state.peers.removeAll { $0.isClosed }
                state.peers.append(peer)
                return state.isStopped
            }
            if isStopped { peer.close() }
            Thread.detachNewThread {
                self.serveConnection(peer)
                peer.close()
            }
        }
    }

    private func serveConnection(_ peer: HostilePeer) {
        var bytes: [UInt8] = []
        while peer.read(into: &bytes) {
            while bytes.count >= 7 {
                let total = 6 + (Int(bytes[4]) << 8 | Int(bytes[5]))
                guard bytes.count >= total else { break }
                let frame = Array(bytes[..<total])
                bytes.removeFirst(total)
                serve(
                    peer, transaction: UInt16(frame[0]) << 8 | UInt16(frame[1]), unit: frame[6], pdu: Array(frame[7...])
                )
            }
        }
    }

    private func serveLine(_ peer: HostilePeer) {
        var bytes: [UInt8] = []
        while peer.read(into: &bytes) {
            // Reads only: eight bytes each. Anything else is stepped over.
            while bytes.count >= 8 {
                let crc = UInt16(bytes[6]) | UInt16(bytes[7]) << 8
                guard HostileFrame.checksum(bytes.prefix(6)) == crc else {
                    bytes.removeFirst()
                    continue
                }
                let (unit, pdu) = (bytes[0], Array(bytes[1..<6]))
                bytes.removeFirst(8)
                serve(peer, transaction: 0, unit: unit, pdu: pdu)
            }
        }
    }

    private func serve(_ peer: HostilePeer, transaction: UInt16, unit: UInt8, pdu: [UInt8]) {
        let (number, answer) = state.withLock { note(pdu, unit: unit, in: &$0) }
        let good = truth.answer(to: pdu, unit: unit, request: number)
        guard let answer else {
            let frame =
                medium == .tcp ? HostileFrame.tcp(transaction, unit, good) : HostileFrame.rtu(unit, good)
            return peer.send(frame)
        }
        var random = Seeded(seed: truth.seed &+ UInt64(number))
        let poison = truth.poison(for: pdu, unit: unit, request: number, random: &random)
        var exchange = HostileExchange(
            transaction: transaction, unit: unit, pdu: pdu, good: good, poison: poison,
            timeoutMilliseconds: timeoutMilliseconds, random: random)
        for step in answer.steps(&exchange) { perform(step, peer) }
    }

    private func note(_ pdu: [UInt8], unit: UInt8, in state: inout State) -> (Int, HostileAnswer?) {
        let number = state.requests
        state.requests += 1
        state.units.append(unit)
        if pdu.count == 5 {
            let (address, count) = (Int(pdu[1]) << 8 | Int(pdu[2]), Int(pdu[3]) << 8 | Int(pdu[4]))
            if pdu[0] <= 2 {
                for bit in address..<address + count { state.latest[Int(unit) << 17 | 1 << 16 | bit] = number }
            } else {
                // Groups that are read whole; a register more at the end asks for no group.
                var group = (address + 3) / 4
                while 4 * group + 4 <= address + count {
                    state.latest[Int(unit) << 17 | group] = number
                    group += 1
                }
            }
        }
        guard let armed = state.armed, armed.unit == unit else { return (number, nil) }
        state.armed = nil
        state.fired = number
        return (number, armed.answer)
    }

    private func perform(_ step: HostileStep, _ peer: HostilePeer) {
        switch step {
        case .send(let bytes): peer.send(bytes)
        case .pause(let milliseconds): usleep(UInt32(milliseconds) * 1000)
        case .close: peer.close()
        case .reset: peer.reset()
        case .later(let milliseconds, let bytes):
            Thread.detachNewThread {
                usleep(UInt32(milliseconds) * 1000)
                peer.send(bytes)
            }
        case .endless(let bytes, let every, let time):
            Thread.detachNewThread {
                for _ in 0..<max(1, time / every) where !peer.isClosed {
                    peer.send(bytes)
                    usleep(UInt32(every) * 1000)
                }
            }
        }
    }

    /// A pseudo terminal: the end that we hold, and the path of the other. Kept open here too, so that a client may come
    /// and go.
    private static func terminal() -> (Int32, String) {
        let own = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var (number, locked) = (Int32(0), Int32(0))
        // Unlocking, and asking for the other end's number: <asm/ioctls.h> TIOCSPTLCK and TIOCGPTN.
        _ = unsafe ioctl(own, 0x4004_5431, &locked)
        _ = unsafe ioctl(own, 0x8004_5430, &number)
        let path = "/dev/pts/\(number)"
        let other = unsafe open(path, O_RDWR | O_NOCTTY)
        var mode = termios()
        unsafe tcgetattr(other, &mode)
        unsafe cfmakeraw(&mode)
        unsafe tcsetattr(other, TCSANOW, &mode)
        _ = fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK)
        return (own, path)
    }
}

/// The other end of one connection: closed once, written to by several threads.
private final class HostilePeer: Sendable {
    private let descriptor: Mutex<Int32>
    private let isSocket: Bool
    init(_ descriptor: Int32, isSocket: Bool) {
        self.descriptor = Mutex(descriptor)
        self.isSocket = isSocket
    }

    var isClosed: Bool { descriptor.withLock { $0 < 0 } }

    /// All of it, or nothing more: a client that does not read must not hold us.
    func send(_ bytes: [UInt8]) {
        descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return }
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            _ =
                unsafe isSocket
                ? Glibc.send(descriptor, bytes, bytes.count, flags) : write(descriptor, bytes, bytes.count)
        }
    }

    /// Waits for bytes; false at the end.
    func read(into bytes: inout [UInt8]) -> Bool {
        var scrap = [UInt8](repeating: 0, count: 1024)
        while true {
            let socket = descriptor.withLock { $0 }
            guard socket >= 0 else { return false }
            var event = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&event, 1, 50) > 0 else { continue }
            let got = descriptor.withLock { descriptor in
                descriptor < 0 ? 0 : unsafe Glibc.read(descriptor, &scrap, scrap.count)
            }
            if got < 0 && (errno == EAGAIN || errno == EINTR) { continue }
            guard got > 0 else { return false }
            bytes += scrap[..<got]
            return true
        }
    }

    func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    /// Closes without a word: the client's next call fails with "connection reset".
    func reset() {
        descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return }
            var linger = linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            Glibc.close(descriptor)
            descriptor = -1
        }
    }
}
