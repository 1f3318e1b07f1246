// The rules of a session, and the fences, step by step and without a broker.

import GatewayModel
import GatewayPlatform
import Sparkplug
import Testing

@testable import UpstreamSparkplug

private func time(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

@Suite("The session of an edge node")
struct SessionTests {
    private func born(hasHost: Bool = false, last: UInt8? = nil) -> EdgeNodeSession {
        var session = EdgeNodeSession(hasHost: hasHost, last: last)
        session.connected(subscriptions: 2)
        session.subscribed()
        session.subscribed()
        if hasHost { _ = session.heard(HostStatement(isOnline: true, timestamp: 10)) }
        session.birth(at: time(0))
        return session
    }

    @Test("births once everything is subscribed, and not before")
    func order() {
        var session = EdgeNodeSession(hasHost: false, last: nil)
        #expect(session.birthDue(at: time(0)) == nil && !session.canSend)
        session.connected(subscriptions: 2)
        #expect(session.birthDue(at: time(0)) == nil)
        session.subscribed()
        #expect(session.birthDue(at: time(0)) == nil)
        session.subscribed()
        #expect(session.birthDue(at: time(0)) == .zero && !session.canSend)
        session.birth(at: time(0))
        #expect(session.canSend && session.birthDue(at: time(9)) == nil)
    }

    @Test("numbers its messages from 0 to 255 and begins anew, after 255 and with each birth")
    func sequence() {
        var session = born()
        var numbers: [Int] = []
        for _ in 0..<600 { numbers.append(Int(session.take())) }
        #expect(numbers == (0..<600).map { $0 % 256 })
        session.birth(at: time(5))
        let first = session.take()
        #expect(first == 0)
    }

    @Test("numbers its connections from 0 to 255 and goes on where an earlier run ended")
    func birthNumbers() {
        var session = born()
        #expect(session.birthNumber == 0)
        var numbers: [UInt8] = []
        for _ in 0..<300 {
            session.lost()
            numbers.append(session.birthNumber)
        }
        #expect(numbers.map(Int.init) == (1...300).map { $0 % 256 })
        #expect(EdgeNodeSession(hasHost: false, last: 41).birthNumber == 42)
        #expect(EdgeNodeSession(hasHost: false, last: 255).birthNumber == 0)
        var again = born(last: 7)
        again.birth(at: time(3))
        #expect(again.birthNumber == 8, "a rebirth has the number that is in the will")
    }

    @Test("stops data at once when a birth is asked for, and births at most once a second")
    func rebirth() {
        var session = born()
        session.askBirth()
        #expect(!session.canSend)
        #expect(session.birthDue(at: time(0.25)) == .milliseconds(750))
        session.askBirth()
        #expect(session.birthDue(at: time(1)) == .zero)
        session.birth(at: time(1))
        #expect(session.canSend && session.birthDue(at: time(1)) == nil)
        var offline = EdgeNodeSession(hasHost: false, last: nil)
        offline.askBirth()
        #expect(offline.birthDue(at: time(0)) == nil)
    }

    @Test("waits for its primary host, and goes when it goes")
    func host() {
        var session = EdgeNodeSession(hasHost: true, last: nil)
        session.connected(subscriptions: 1)
        session.subscribed()
        #expect(session.birthDue(at: time(100)) == nil)
        let said1 = session.heard(HostStatement(isOnline: false, timestamp: 5))
        #expect(!said1, "nothing was born, so nothing must die")
        #expect(session.birthDue(at: time(100)) == nil)
        let said2 = session.heard(HostStatement(isOnline: true, timestamp: 6))
        #expect(!said2)
        #expect(session.birthDue(at: time(100)) == .zero)
        session.birth(at: time(100))
        let said3 = session.heard(HostStatement(isOnline: false, timestamp: 5))
        #expect(!said3, "the will of a former session")
        #expect(session.canSend)
        let said4 = session.heard(HostStatement(isOnline: false, timestamp: 6))
        #expect(said4)
        session.leave(until: time(101))
        #expect(!session.canSend && session.birthDue(at: time(102)) == nil)
        session.lost()
        session.connected(subscriptions: 1)
        session.subscribed()
        #expect(session.birthDue(at: time(102)) == nil, "what it said on the last connection counts no more")
        let said5 = session.heard(HostStatement(isOnline: true, timestamp: 6))
        #expect(!said5)
        #expect(session.birthDue(at: time(102)) == .zero)
    }

    @Test("of a node without a primary host listens to no host")
    func noHost() {
        var session = born()
        let said6 = session.heard(HostStatement(isOnline: false, timestamp: 5))
        #expect(!said6)
        #expect(session.canSend)
    }
}

@Suite("Fences")
struct FenceTests {
    @Test("confirm what was sent before them, and nothing behind")
    func order() {
        var fences = Fences()
        let first = [fences.sent(), fences.sent()]
        #expect(fences.unfenced == 2)
        fences.raise(7)
        let second = fences.sent()
        #expect(fences.unfenced == 1 && fences.unconfirmed == 3 && !fences.isFull)
        fences.raise(8)
        #expect(fences.isFull && fences.unfenced == 0)
        let third = fences.sent()
        let found7 = fences.answered(7)
        #expect(found7.map(Array.init) == first)
        let found8 = fences.answered(7)
        #expect(found8 == nil, "an answer counts once")
        let found9 = fences.answered(99)
        #expect(found9 == nil)
        let found10 = fences.answered(8)
        #expect(found10.map(Array.init) == [second])
        #expect(fences.unconfirmed == 1 && fences.unfenced == 1)
        fences.raise(9)
        let found11 = fences.answered(9)
        #expect(found11.map(Array.init) == [third])
    }

    @Test("answered out of order confirm what the later one stands behind")
    func later() {
        var fences = Fences()
        let first = fences.sent()
        fences.raise(1)
        let second = fences.sent()
        fences.raise(2)
        let found12 = fences.answered(2)
        #expect(found12.map(Array.init) == [first, second])
        let found13 = fences.answered(1)
        #expect(found13 == nil && !fences.isFull)
    }

    @Test("count the bytes that wait")
    func bytes() {
        var fences = Fences()
        _ = fences.sent(100)
        _ = fences.sent(50)
        #expect(fences.bytes == 150 && fences.unfencedBytes == 150)
        fences.raise(1)
        _ = fences.sent(7)
        #expect(fences.bytes == 157 && fences.unfencedBytes == 7)
        _ = fences.answered(1)
        #expect(fences.bytes == 7)
        fences.lost()
        #expect(fences.bytes == 0)
    }

    @Test("of a lost connection confirm nothing, and names are not given twice")
    func lost() {
        var fences = Fences()
        let before = fences.sent()
        fences.raise(1)
        fences.lost()
        let found14 = fences.answered(1)
        #expect(found14 == nil && fences.unconfirmed == 0)
        let after = fences.sent()
        #expect(after > before)
    }
}
