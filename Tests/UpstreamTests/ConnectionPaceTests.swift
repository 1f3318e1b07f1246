// When a receiver is tried again, and how long anything is waited for.

import GatewayModel
import GatewayPlatform
import Testing
import Upstream

@Suite("The pace of a connection")
struct ConnectionPaceTests {
    @Test("Pauses grow from half a second to 30 s, start again after a commit, and are long when somebody must act")
    func pauses() {
        var now = MonotonicTime(nanoseconds: 0)
        var pace = ConnectionPace(connectLimit: .seconds(10), answerLimit: .seconds(30), now: now, seed: 7)
        #expect(pace.decision(at: now) == .open)
        var pauses: [Double] = []
        for _ in 0..<9 {
            pace.opened(at: now)
            pace.failed(at: now, isStanding: false)
            guard case .wait(let pause) = pace.decision(at: now) else { return #expect(Bool(false), "no pause") }
            pauses.append(pause.inSeconds)
            now = now.advanced(by: pause)
            #expect(pace.decision(at: now) == .open)
        }
        for (pause, longest) in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30, 30] as [Double]) {
            #expect((0.5...longest).contains(pause))
        }
        #expect((pauses.max() ?? 0) > 8)
        pace.progressed()
        pace.failed(at: now, isStanding: false)
        #expect(pace.decision(at: now.advanced(by: .seconds(1))) == .open)
        pace.failed(at: now, isStanding: true)
        #expect(pace.decision(at: now.advanced(by: .seconds(14))) != .open)
        #expect(pace.decision(at: now.advanced(by: .seconds(30))) == .open)
    }

    @Test("A connection that does not come up and a statement without an answer are given up")
    func patience() {
        let start = MonotonicTime(nanoseconds: 0)
        var pace = ConnectionPace(connectLimit: .seconds(10), answerLimit: .seconds(30), now: start, seed: 7)
        pace.opened(at: start)
        #expect(pace.decision(at: start.advanced(by: .seconds(9))) == .wait(.seconds(1)))
        #expect(pace.decision(at: start.advanced(by: .seconds(10))) == .giveUp("no connection within 10s"))
        pace.connected()
        #expect(pace.decision(at: start.advanced(by: .seconds(900))) == .wait(.seconds(3600)))
        pace.began(at: start)
        #expect(pace.decision(at: start.advanced(by: .seconds(30))) == .giveUp("no answer within 30s"))
        pace.ended()
        #expect(pace.decision(at: start.advanced(by: .seconds(30))) == .wait(.seconds(3600)))
    }
}
