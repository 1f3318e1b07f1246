// Wrong tokens and signatures: who is locked, for how long, and what it costs.

import GatewayModel
import GatewayPlatform
import Testing

@testable import Writes

@Suite("Lock-out") struct LockoutTests {
    private let source = Lockout.Source(door: .http, name: "10.0.0.7")
    private func at(_ milliseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: milliseconds * 1_000_000) }

    @Test("Slips are free; then each miss that is looked at doubles the pause, up to five minutes")
    func pauses() {
        var lockout = Lockout()
        for _ in 0..<Lockout.slips { #expect(lockout.miss(source, at: at(0)) == nil) }
        var now: Int64 = 0
        for seconds: Int64 in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
            #expect(lockout.miss(source, at: at(now)) == nil)
            #expect(lockout.miss(source, at: at(now + 1)) == .milliseconds(seconds * 1000 - 1))
            #expect(lockout.miss(source, at: at(now + seconds * 1000 - 1)) == .milliseconds(1))
            now += seconds * 1000
        }
    }

    @Test("Misses while locked make the lock no longer, and are counted until somebody asks")
    func counted() {
        var lockout = Lockout()
        for _ in 0..<1006 { _ = lockout.miss(source, at: at(0)) }
        #expect(lockout.miss(source, at: at(999)) == .milliseconds(1))
        #expect(lockout.miss(source, at: at(1000)) == nil)
        #expect(lockout.takeUnsaid() == ["http 10.0.0.7": 1001])
        #expect(lockout.takeUnsaid() == [:])
    }

    @Test("A quarter of an hour of quiet is forgiven")
    func forgiven() {
        var lockout = Lockout()
        for _ in 0..<6 { _ = lockout.miss(source, at: at(0)) }
        for _ in 0..<5 { #expect(lockout.miss(source, at: at(900_000)) == nil) }
        #expect(lockout.miss(source, at: at(900_000)) == nil)
        #expect(lockout.miss(source, at: at(900_000)) == .seconds(1))
    }

    @Test("One source does not lock another, and neither does the same name at another door")
    func apart() {
        var lockout = Lockout()
        for _ in 0..<100 { _ = lockout.miss(source, at: at(0)) }
        #expect(lockout.miss(Lockout.Source(door: .http, name: "10.0.0.8"), at: at(0)) == nil)
        #expect(lockout.miss(Lockout.Source(door: .mqtt, name: "10.0.0.7"), at: at(0)) == nil)
    }

    @Test("However many sources there are, memory is bounded and no miss is lost from the count")
    func bounded() {
        var lockout = Lockout()
        var locked = 0
        for number in 0..<10_000 {
            let source = Lockout.Source(door: .http, name: "\(number % 700)")
            for _ in 0..<8 where lockout.miss(source, at: at(Int64(number))) != nil { locked += 1 }
        }
        #expect(lockout.count == Lockout.sourcesLimit)
        #expect(locked > 0 && lockout.takeUnsaid().values.reduce(0, +) == locked)
    }
}
