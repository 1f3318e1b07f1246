// What is not known is said: gaps with their reason, and integrals with the share of time that they stand on.

import GatewayModel
import History
import Testing

@Suite struct GapTests {
    private func history(_ samples: [(time: Int, value: Double?)]) -> History {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        for (time, value) in samples {
            history.append(value.map { batch(0, [(time, $0)]) } ?? bad(0, time))
        }
        return history
    }

    private func gaps(_ history: History, _ from: Int, _ to: Int, hold: Int? = nil) -> [[Int]] {
        history.gaps(TagID(0), from: second(from), to: second(to), hold: hold.map { .seconds($0) }).map {
            [
                Int($0.from.nanoseconds / 1_000_000_000), Int($0.to.nanoseconds / 1_000_000_000),
                $0.quality == nil ? 0 : 1,
            ]
        }
    }

    @Test func `A gap is where the quality was bad, or where a value became too old`() {
        let history = history([(10, 1), (20, nil), (25, nil), (40, 2), (50, 3), (90, 4), (95, nil)])
        #expect(gaps(history, 0, 100) == [[20, 40, 1], [95, 100, 1]])
        #expect(gaps(history, 0, 100, hold: 15) == [[20, 40, 1], [65, 90, 0], [95, 100, 1]])
        #expect(
            gaps(history, 0, 100, hold: 5) == [[15, 20, 0], [20, 40, 1], [45, 50, 0], [55, 90, 0], [95, 100, 1]])
        #expect(gaps(history, 30, 70, hold: 15) == [[30, 40, 1], [65, 70, 0]])
        #expect(gaps(history, 60, 80, hold: 5) == [[60, 80, 0]])
        #expect(gaps(history, 41, 49) == [])
        #expect(gaps(history, 50, 50) == [])
        #expect(
            history.gaps(TagID(0), from: second(0), to: second(100), hold: .seconds(5), limit: 1).map(\.from) == [
                second(95)
            ])
    }

    @Test func `What RAM knows nothing of is no gap`() {
        #expect(gaps(history([(50, 1)]), 0, 100) == [])
        #expect(gaps(history([]), 0, 100) == [])
    }

    @Test func `Gaps and the covered time of an integral add up to all of the time`() {
        let history = history([(0, 1), (10, 1), (20, nil), (40, 2), (50, 3), (90, 4), (95, nil)])
        for hold in [3, 10, 30, 1000] {
            let gaps = history.gaps(TagID(0), from: second(0), to: second(100), hold: .seconds(hold))
            let silent = gaps.reduce(0.0) { $0 + $1.to.duration(since: $1.from).inSeconds }
            let buckets = history.downsample(
                [TagID(0)], from: second(0), to: second(100), step: .seconds(7), aggregates: .integral,
                hold: .seconds(hold))[0]
            #expect(abs(buckets.reduce(silent) { $0 + $1.coveredSeconds } - 100) < 1e-9, "\(hold) s")
        }
    }

    @Test func `An integral goes on through buckets without readings, and ends now`() {
        let history = history([(5, 10)])
        let buckets = history.downsample(
            [TagID(0)], from: second(10), to: second(100), step: .seconds(20), aggregates: .integral, now: second(50))[
                0]
        #expect(buckets.map(\.start) == [10, 20, 40].map(second))
        #expect(buckets.map(\.integral) == [100, 200, 100])
        #expect(buckets.map(\.coverage) == [1, 1, 0.5])
        #expect(buckets.map(\.timeMean) == [10, 10, 10])
        #expect(buckets.allSatisfy { $0.count == 0 && $0.last.isNaN })
    }
}
