// Whether the device behind a unit id is the one that is configured. Pure.

internal import GatewayModel

/// Decides from what the registers of a profile's `identify:` say whether a unit's values may be believed.
///
/// Nothing is believed before the device has said who it is: after each connect, and after a silence, in which a device
/// on a line may have been exchanged. What is other than expected must be said twice, since one answer may have been
/// another's. Without checks everything is believed.
package struct IdentityWatch: Sendable, Equatable {
    /// What was found in one register.
    package enum Answer: Equatable, Sendable {
        case found(IdentityCheck.Found)
        /// The registers spell no value.
        case nothing
        /// Exceptions 1 to 3: the device has no such register.
        case refused
    }

    package enum Verdict: Equatable, Sendable {
        /// Once more before anything follows.
        case askAgain
        /// The device is what it should be; the identity to remember when it says more than is known.
        case expected(news: [String: String]?)
        /// The model is right, but it is another device than before.
        case exchanged(identity: [String: String], changes: String)
        /// Not the model that the profile describes.
        case other(reason: String)
    }

    private let checks: [IdentityCheck]
    package private(set) var isTrusted: Bool
    private var backOff: BackOff
    /// What was not as expected at the last request.
    private var suspected: [Answer]?
    private var suspicions = 0

    package init(checks: [IdentityCheck], seed: UInt64) {
        backOff = BackOff(first: .seconds(5), longest: .seconds(300), spread: 0.25, seed: seed)
        self.checks = checks
        isTrusted = checks.isEmpty
    }

    /// Another device may stand there now.
    package mutating func doubt() {
        guard !checks.isEmpty else { return }
        isTrusted = false
        backOff.succeeded()
        (suspected, suspicions) = (nil, 0)
    }

    /// A device that is not what it should be is asked less and less often.
    package func mayAsk(at now: Int64) -> Bool { backOff.allows(at: now) }
    /// Nanoseconds of the monotonic clock before which it isn't asked.
    package var notBefore: Int64 { backOff.notBefore }

    /// - Parameters:
    ///   - answers: one for each check.
    ///   - known: the identity that is remembered.
    package mutating func judge(_ answers: [Answer], known: [String: String], at now: Int64) -> Verdict {
        precondition(answers.count == checks.count, "BUG: each check has its answer")
        var identity = known
        var changes: [String] = []
        var wrong: String?
        for (check, answer) in zip(checks, answers) {
            if wrong == nil { wrong = Self.fault(of: answer, check) }
            // Nothing at all tells nothing apart: many devices have an empty serial number until they are up.
            guard case .found(let found) = answer, !found.text.isEmpty else { continue }
            if let before = known[check.name], before != found.text {
                changes.append("\(check.name) was \(before) and is \(found.text)")
            }
            identity[check.name] = found.text
        }
        if wrong == nil && changes.isEmpty {
            trust()
            return .expected(news: identity == known ? nil : identity)
        }
        guard suspected == answers || suspicions >= Self.mostSuspicions else {
            suspected = answers
            suspicions += 1
            return .askAgain
        }
        guard let wrong else {
            trust()
            return .exchanged(identity: identity, changes: changes.joined(separator: ", "))
        }
        (suspected, suspicions) = (nil, 0)
        backOff.failed(at: now)
        return .other(reason: wrong)
    }

    /// A device that says something else each time is not asked for ever.
    private static var mostSuspicions: Int { 3 }

    private mutating func trust() {
        isTrusted = true
        backOff.succeeded()
        (suspected, suspicions) = (nil, 0)
    }

    private static func fault(of answer: Answer, _ check: IdentityCheck) -> String? {
        guard !check.expected.isEmpty else { return nil }
        let expected = check.expected.prefix(8).map { "\($0)" }.joined(separator: " or ")
        switch answer {
        case .found(let found) where check.accepts(found): return nil
        case .found(let found): return "\(check.name) (\(check.at)) is \(found.text), not \(expected)"
        case .nothing: return "\(check.name) (\(check.at)) says nothing, not \(expected)"
        case .refused: return "\(check.name) (\(check.at)) is refused; it should be \(expected)"
        }
    }
}
