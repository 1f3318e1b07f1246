// When silence is news.

import GatewayPlatform
import MQTTDriver
import Testing

@Suite("A source's watch")
struct SourceWatchTests {
    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

    @Test("tells an outage once, after 5 s, and again only after a connection")
    func outage() {
        var watch = SourceWatch(every: [], now: at(0))
        let told = stride(from: 0.0, to: 60, by: 0.5).filter { watch.outageIsDue(at: at($0)) }
        #expect(told == [5])
        watch.connected(at: at(60))
        watch.disconnected(at: at(70))
        watch.disconnected(at: at(74))
        let toldAgain = stride(from: 70.0, to: 200, by: 0.5).filter { watch.outageIsDue(at: at($0)) }
        #expect(toldAgain == [75])
    }

    @Test("doesn't tell an outage that was short")
    func shortOutage() {
        var watch = SourceWatch(every: [], now: at(0))
        watch.connected(at: at(4.9))
        watch.disconnected(at: at(10))
        watch.connected(at: at(14))
        let told = stride(from: 14.0, to: 100, by: 0.5).filter { watch.outageIsDue(at: at($0)) }
        #expect(told.isEmpty)
    }

    @Test("tells once that a subscription missed three messages")
    func silence() {
        var watch = SourceWatch(every: [.seconds(2), nil], now: at(0))
        watch.connected(at: at(10))
        watch.heard(0, at: at(11))
        let told = stride(from: 11.0, to: 60, by: 0.5).filter { watch.silenceIsDue(0, at: at($0)) }
        #expect(told == [17])
        let never = stride(from: 11.0, to: 60, by: 0.5).filter { watch.silenceIsDue(1, at: at($0)) }
        #expect(never.isEmpty)
        watch.heard(0, at: at(60))
        let toldAgain = stride(from: 60.0, to: 90, by: 0.5).filter { watch.silenceIsDue(0, at: at($0)) }
        #expect(toldAgain == [66])
    }

    @Test("doesn't blame devices for a broker that is away")
    func away() {
        var watch = SourceWatch(every: [.seconds(1)], now: at(0))
        watch.connected(at: at(0))
        watch.disconnected(at: at(2))
        let away = watch.silenceIsDue(0, at: at(50))
        watch.connected(at: at(50))
        let justBack = watch.silenceIsDue(0, at: at(52.9))
        let stillSilent = watch.silenceIsDue(0, at: at(53))
        #expect([away, justBack, stillSilent] == [false, false, true])
    }
}
