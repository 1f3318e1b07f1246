// A real channel against a hostile server, class by class, with a judge over every value that leaves the driver.

internal import GatewayModel
package import ModbusDriver
package import TestSupport

/// Runs rounds of one class of broken answer: one request is answered badly, those after it well. Blocks: give it a
/// thread of its own.
package struct Campaign: Sendable {
    package struct Outcome: Sendable {
        package var name: String
        package var expectation: HostileAnswer.Expectation
        package var rounds = 0
        /// Rounds in which the bad answer's values were taken, and in which they were not.
        package var taken = 0
        package var refused = 0
        package var wrong = 0
        package var stale = 0
        /// Requests to the unit after the bad one until the first good answer, at most over all rounds.
        package var mostPolls = 0
        package var longestRecovery = Duration.zero
        /// Rounds that never saw a good answer again.
        package var stuck = 0
        /// Readings of another unit on the same channel.
        package var neighbourGood = 0
        package var neighbourBad = 0
        /// The unit's errors by cause.
        package var statistics: [UnitStatistics] = []

        package var errors: Int { statistics.reduce(0) { $0 + $1.errors } }
        package var exceptions: Int { statistics.reduce(0) { $0 + $1.exceptions } }
    }

    package let medium: HostileModbusServer.Medium
    package let seed: UInt64
    package let timeout: Duration
    package let period: Duration

    package static let unit: UInt8 = 17
    package static let neighbour: UInt8 = 23
    /// Round after round, how long a good answer may be missing: ten times the longest that a driver may need.
    private static let patience = Duration.seconds(20)

    package init(
        _ medium: HostileModbusServer.Medium, seed: UInt64, timeout: Duration = .milliseconds(150),
        period: Duration = .milliseconds(10)
    ) {
        self.medium = medium
        self.seed = seed
        self.timeout = timeout
        self.period = period
    }

    package func run(_ answer: HostileAnswer, rounds: Int) -> Outcome {
        var outcome = Outcome(name: answer.name, expectation: answer.expectation)
        run([answer], rounds: rounds) { $0.merge(into: &outcome) }
        return outcome
    }

    /// Each of `answers` for `rounds` rounds, all on the same channel unless an answer teaches the driver for good.
    private func run(_ answers: [HostileAnswer], rounds: Int, note: (Bout) -> Void) {
        for answer in answers {
            let perBout = answer.teaches ? 1 : rounds
            for number in 0..<rounds / perBout {
                let bout = Bout(self, seed: seed &+ UInt64(number))
                bout.run(answer, rounds: perBout, patience: Self.patience)
                bout.end()
                note(bout)
            }
        }
    }

    /// All of `answers` in turn on one channel, `rounds` times.
    package func cycle(_ answers: [HostileAnswer], rounds: Int) -> Outcome {
        var outcome = Outcome(name: "all in turn", expectation: .either)
        let bout = Bout(self, seed: seed)
        for _ in 0..<rounds {
            for answer in answers { bout.run(answer, rounds: 1, patience: Self.patience) }
        }
        bout.end()
        bout.merge(into: &outcome)
        return outcome
    }
}
