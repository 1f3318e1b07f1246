// A broker that misbehaves in one named way until it is told to be good, and keeps account of what it has taken.

internal import Foundation
internal import Glibc
internal import Synchronization

/// Listens on a port of the loopback until `stop`, a thread a connection, MQTT 3.1.1 and 5. As a good broker it accepts
/// everybody and acknowledges everything; it hands nothing on.
package final class HostileBroker: Sendable {
    package let port: UInt16
    private let listener: Int32
    private struct State {
        var behaviour: Misbehaviour?
        /// A real broker that has the next connections.
        var successor: UInt16?
        /// Those that are open: a number that was closed may already be somebody else's.
        var open: Set<Int32> = []
        var connections = 0
        var receipts = Receipts()
        var isStopped = false
        var isClosed = false
    }
    private let state: Mutex<State>

    /// - Parameter behaviour: nil: a good broker.
    package init(_ behaviour: Misbehaviour?, port: UInt16 = 0) {
        state = Mutex(State(behaviour: behaviour))
        (listener, self.port) = TestSocket.listen(port: port)
        Thread.detachNewThread { self.serve() }
    }

    /// Clients so far, also those that it closed at once.
    package var connections: Int { state.withLock { $0.connections } }

    /// What it has acknowledged.
    package var receipts: Receipts { state.withLock { $0.receipts } }

    /// From now on it does this, also to those who are connected; nil: it is good. What it has already done to them stays.
    package func turn(to behaviour: Misbehaviour?) { state.withLock { $0.behaviour = behaviour } }

    /// From now on whoever comes is connected with the broker at this port.
    package func giveWay(to port: UInt16) { state.withLock { $0.successor = port } }

    /// Ends every connection.
    package func kick() {
        state.withLock { state in for client in state.open { shutdown(client, Int32(SHUT_RDWR)) } }
    }

    /// Closes the port and every connection. The port may be another test's at once: use `giveWay` where it matters.
    package func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        guard isFirst else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        kick()
        // The thread that accepts closes the port: a number closed beside it might be another test's at once.
        while !state.withLock({ $0.isClosed }) { usleep(1000) }
    }

    var behaviour: Misbehaviour? { state.withLock { $0.behaviour } }
    var isStopped: Bool { state.withLock { $0.isStopped } }
    func acknowledged(_ numbers: Range<Int>) { state.withLock { $0.receipts.take(numbers) } }

    private func serve() {
        while !isStopped {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { continue }
            state.withLock { state in
                state.connections += 1
                state.open.insert(client)
            }
            Thread.detachNewThread {
                if let successor = self.state.withLock({ $0.successor }) {
                    Relay.run(client, to: successor)
                } else {
                    Conversation(client, broker: self).run()
                }
                self.state.withLock { state in
                    state.open.remove(client)
                    close(client)
                }
            }
        }
        close(listener)
        state.withLock { $0.isClosed = true }
    }
}

/// Which sequence numbers came, and were acknowledged.
package struct Receipts: Sendable {
    /// Index: the number. Streams of tests begin near zero.
    private var has: [Bool] = []
    package private(set) var distinct = 0
    package private(set) var duplicates = 0

    package init() {}

    /// Numbers from the first to this one, it included, that never came.
    package func missing(through last: Int) -> Int {
        guard let first = has.firstIndex(of: true), first <= last else { return last }
        return (first...last).count { $0 >= has.count || !has[$0] }
    }

    mutating func take(_ numbers: Range<Int>) {
        if numbers.upperBound > has.count { has += Array(repeating: false, count: numbers.upperBound - has.count) }
        for number in numbers {
            if has[number] { duplicates += 1 } else { distinct += 1 }
            has[number] = true
        }
    }

    /// The numbers of a message in our own words (Documentation/Formats/payload.md): all that tells it apart stands at its
    /// beginning.
    static func numbers(in payload: ArraySlice<UInt8>) -> Range<Int> {
        let head = String(decoding: payload.prefix(400), as: UTF8.self)
        func number(after key: String) -> Int? {
            head.range(of: key).flatMap { Int(head[$0.upperBound...].prefix { $0.isNumber }) }
        }
        if head.contains("\"gap\":"), let first = number(after: "\"first\":"), let last = number(after: "\"last\":") {
            return first..<max(first, last + 1)
        }
        guard let first = number(after: "\"seq\":") else { return 0..<0 }
        return first..<first + (number(after: "\"count\":") ?? 1)
    }
}

/// One connection, on a thread of its own.
private final class Conversation {
    private let client: Int32
    private let broker: HostileBroker
    private var pending: [UInt8] = []
    private var isNew = false
    private var published = 0
    /// PUBACKs that are kept back, and since when.
    private var held: [(packet: [UInt8], numbers: Range<Int>, since: Date)] = []

    init(_ client: Int32, broker: HostileBroker) {
        self.client = client
        self.broker = broker
    }

    func run() {
        if case .closesAtOnce = broker.behaviour?.act { return }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while !broker.isStopped {
            sendLate()
            var wait = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&wait, 1, 100) > 0 else { continue }
            let count = unsafe recv(client, &bytes, bytes.count, 0)
            guard count > 0 else { return }
            pending += bytes[..<count]
            while let packet = nextPacket() { guard answer(packet) else { return } }
        }
    }

    private func nextPacket() -> (head: UInt8, body: ArraySlice<UInt8>)? {
        var (length, shift, place) = (0, 0, 1)
        repeat {
            guard place < pending.count else { return nil }
            length |= Int(pending[place] & 0x7F) << shift
            (shift, place) = (shift + 7, place + 1)
        } while pending[place - 1] & 0x80 != 0
        guard pending.count >= place + length else { return nil }
        defer { pending.removeFirst(place + length) }
        return (pending[0], ArraySlice(Array(pending[place..<place + length])))
    }

    /// - Returns: false when the connection is to end.
    private func answer(_ packet: (head: UInt8, body: ArraySlice<UInt8>)) -> Bool {
        let act = broker.behaviour?.act
        switch packet.head >> 4 {
        case 1: return accept(packet.body, act)
        case 14: return false
        default: break
        }
        if case .fallsSilent = act { return true }
        switch packet.head >> 4 {
        case 3: return take(packet, act)
        case 8: grant(packet.body, act)
        case 10: send([0xB0, isNew ? 4 : 2] + packet.body.prefix(2) + (isNew ? [0, 0] : []))
        case 12:
            if case .forgetsPings = act { return true }
            send([0xD0, 0])
        default: break
        }
        return true
    }

    private func accept(_ body: ArraySlice<UInt8>, _ act: Misbehaviour.Act?) -> Bool {
        isNew = body.count > 6 && body[6] == 5
        var properties: [UInt8] = []
        switch act {
        case .refuses(let bytes, let closes):
            guard let bytes else { return holdOpen() }
            send(bytes(isNew))
            return closes ? false : holdOpen()
        case .limits(let list): properties = list
        default: break
        }
        send(
            [0x20, UInt8(isNew ? 3 + properties.count : 2), 0, 0]
                + (isNew ? [UInt8(properties.count)] + properties : []))
        switch act {
        case .goesDeaf: return holdOpen()
        case .intrudes(let bytes, let times, let closes):
            let bytes = bytes(isNew)
            for _ in 0..<times { guard send(bytes) else { return false } }
            return !closes
        default: return true
        }
    }

    /// Does nothing more, until the client gives up or the broker ends.
    private func holdOpen() -> Bool {
        while !broker.isStopped {
            // POLLRDHUP: the other side has closed. Glibc's module leaves it out.
            var wait = pollfd(fd: client, events: 0x2000, revents: 0)
            if unsafe poll(&wait, 1, 100) > 0 { break }
        }
        return false
    }

    private func take(_ packet: (head: UInt8, body: ArraySlice<UInt8>), _ act: Misbehaviour.Act?) -> Bool {
        let body = packet.body
        guard packet.head >> 1 & 3 == 1, body.count > 3 else { return true }
        var place = 2 + Int(body[0]) << 8 + Int(body[1])
        let id = [body[place], body[place + 1]]
        place += 2
        if isNew {
            var (length, shift) = (0, 0)
            repeat {
                length |= Int(body[place] & 0x7F) << shift
                (shift, place) = (shift + 7, place + 1)
            } while body[place - 1] & 0x80 != 0
            place += length
        }
        let (numbers, good) = (Receipts.numbers(in: body[place...]), [0x40, 2] + id)
        published += 1
        guard case .answers(let answer) = act else { return acknowledge(good, numbers) }
        switch answer {
        case .nothing: break
        case .allBut(let place): if published != place + 1 { return acknowledge(good, numbers) }
        case .twice: return acknowledge(good, numbers) && send(good)
        case .late: held.append((good, numbers, Date()))
        case .backwards:
            held.append((good, numbers, .distantFuture))
            guard held.count >= 5 else { return true }
            for one in held.reversed() { _ = acknowledge(one.packet, one.numbers) }
            held.removeAll()
        case .wrongNumber: return send([0x40, 2, id[0] ^ 0x40, id[1]])
        case .numberZero: return send([0x40, 2, 0, 0])
        case .otherType: return send([0x50, 2] + id)
        case .tooShort: return send([0x40, 1, 0])
        case .refusal(let code): return send([0x40, 4] + id + [code, 0])
        case .close: return false
        case .reset:
            var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            return false
        }
        return true
    }

    private func grant(_ body: ArraySlice<UInt8>, _ act: Misbehaviour.Act?) {
        var place = isNew ? 3 + Int(body[2]) : 2
        var codes: [UInt8] = []
        while place + 2 < body.count {
            place += 3 + Int(body[place]) << 8 + Int(body[place + 1])
            codes.append(1)
        }
        if case .grantsTooMuch = act { codes += Array(repeating: 0, count: 50) }
        send([0x90, UInt8(2 + codes.count + (isNew ? 1 : 0))] + body.prefix(2) + (isNew ? [0] : []) + codes)
    }

    private func sendLate() {
        // Later than any good broker of a plant, and earlier than a client gives up.
        while let first = held.first, first.since.timeIntervalSinceNow < -2 {
            held.removeFirst()
            _ = acknowledge(first.packet, first.numbers)
        }
    }

    private func acknowledge(_ packet: [UInt8], _ numbers: Range<Int>) -> Bool {
        // First noted, then said: who hears of it finds it here.
        broker.acknowledged(numbers)
        return send(packet)
    }

    @discardableResult
    private func send(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { raw in
            var sent = 0
            while sent < raw.count {
                let count = unsafe Glibc.send(client, raw.baseAddress! + sent, raw.count - sent, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }
}
