// What is left alone after failures, and for how long: for every seed, every plan and every order of events.

import GatewayModel
import TestSupport
import Testing

@Suite("A back-off")
struct BackOffTests {
    private func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }

    @Test("begins after what is tolerated, doubles up to the longest pause, and ends with the first success")
    func steps() {
        var backOff = BackOff(first: .seconds(1), longest: .seconds(30), tolerated: 1, spread: 0, seed: 1)
        backOff.failed(at: 0)
        #expect(backOff.allows(at: 0) && !backOff.isOpen)
        let pauses = (0..<8).map { _ in
            backOff.failed(at: 0)
            return seconds(backOff.notBefore)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 30, 30, 30])
        #expect(!backOff.allows(at: 29_999_999_999) && backOff.allows(at: 30_000_000_000))
        backOff.succeeded()
        #expect(backOff.allows(at: 0) && !backOff.isOpen)
        backOff.failed(at: 5)
        backOff.failed(at: 5)
        #expect(backOff.notBefore == 1_000_000_005, "the next pause is short again")
    }

    @Test("of what is shared lies between half a second and 30 s, and a fleet spreads over all of it")
    func shared() {
        var last: [Double] = []
        for seed in 0..<2000 as Range<UInt64> {
            var backOff = BackOff.shared(seed: seed)
            for step in [1, 2, 4, 8, 16, 30, 30, 30] as [Double] {
                backOff.failed(at: 1_000_000_000)
                let pause = seconds(backOff.notBefore) - 1
                #expect(pause >= 0.5 && pause <= step)
            }
            last.append(seconds(backOff.notBefore) - 1)
        }
        for second in 1..<30 {
            let count = last.count { $0 >= Double(second) && $0 < Double(second + 1) }
            #expect((30...120).contains(count), "\(count) of 2,000 in second \(second), where 68 are even")
        }
    }

    /// A random plan meets a random course of events, and its bounds are worked out beside it.
    @Test("keeps to its bounds whatever happens", arguments: 0..<200 as Range<UInt64>)
    func bounds(seed: UInt64) {
        var random = Seeded(seed: seed)
        let first = Duration.milliseconds(Int.random(in: 1...5000, using: &random))
        let longest = first * Int.random(in: 1...100, using: &random)
        let spread = Double.random(in: 0...1, using: &random)
        let tolerated = Int.random(in: 0...3, using: &random)
        let make = { BackOff(first: first, longest: longest, tolerated: tolerated, spread: spread, seed: seed) }
        var (backOff, again) = (make(), make())
        var (now, failures) = (Int64.random(in: 0...1 << 50, using: &random), 0)
        for _ in 0..<60 {
            let before = backOff.notBefore
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                backOff.succeeded()
                again.succeeded()
                failures = 0
                #expect(backOff.allows(at: .min))
            case 1:
                backOff.failedForLong(at: now)
                again.failedForLong(at: now)
                failures += 1
                #expect((longest.nanoseconds / 2...longest.nanoseconds).contains(backOff.notBefore - now))
            case 2:
                let asked = Duration.milliseconds(Int.random(in: 0...4_000_000, using: &random))
                backOff.failed(at: now, askedFor: asked)
                again.failed(at: now, askedFor: asked)
                failures += 1
                let least = max(asked.nanoseconds, first.nanoseconds / 2)
                #expect((least...least + least / 10).contains(backOff.notBefore - now))
            default:
                backOff.failed(at: now)
                again.failed(at: now)
                failures += 1
                guard failures > tolerated else {
                    #expect(backOff.notBefore == before)
                    break
                }
                var step = first
                for _ in 1..<max(failures - tolerated, 1) { step = min(step * 2, longest) }
                let pause = backOff.notBefore - now
                let least = max(first.nanoseconds / 2, Int64(Double(step.nanoseconds) * (1 - spread)))
                #expect((least...step.nanoseconds).contains(pause), "failure \(failures): \(pause)")
            }
            #expect(backOff == again, "the same seed brings the same pauses")
            #expect(backOff.failures == failures && backOff.isOpen == (failures > tolerated))
            now += Int64.random(in: 0...1 << 38, using: &random)
        }
    }

    @Test("overflows nothing, however often it fails")
    func manyFailures() {
        var backOff = BackOff(first: .seconds(30), longest: .seconds(86400), spread: 0, seed: 0)
        for _ in 0..<1000 { backOff.failed(at: 0) }
        #expect(backOff.notBefore == 86_400_000_000_000)
    }
}
