// Every way in which a write is turned down, in words for who asked and in one word for who counts.

package import GatewayModel

package enum WriteRefusal: Error, Equatable, Sendable {
    // Who asks, and how.
    case off
    case doorClosed(WriteDoor)
    case unauthorised
    case lockedOut(Duration)
    case malformed(String)
    case unknownSender
    case forged
    case wrongGateway
    case retained
    case expired
    case tooFarAhead
    case replayed
    // What is asked for.
    case notAllowed
    case wrongType(ValueKind)
    case outsideRange(ClosedRange<Double>)
    case offStep(Double, from: Double)
    case notRepresentable(String)
    // When.
    case tooMany
    case tooSoon(Duration)
    case dailyLimit(Int)
    case busy
    case noPresentValue
    case changeTooLarge(Double, from: Double)
    // Whether it can be done.
    case auditFailed
    case channelBusy
    case tooLate
    case reloading
    case stopping
    case noMaskWrite

    /// For metrics: one of a fixed few.
    package var code: String {
        switch self {
        case .off: "off"
        case .doorClosed: "door_closed"
        case .unauthorised: "unauthorised"
        case .lockedOut: "locked_out"
        case .malformed: "malformed"
        case .unknownSender: "unknown_sender"
        case .forged: "forged"
        case .wrongGateway: "wrong_gateway"
        case .retained: "retained"
        case .expired: "expired"
        case .tooFarAhead: "too_far_ahead"
        case .replayed: "replayed"
        case .notAllowed: "not_allowed"
        case .wrongType: "wrong_type"
        case .outsideRange: "outside_range"
        case .offStep: "off_step"
        case .notRepresentable: "not_representable"
        case .tooMany: "too_many"
        case .tooSoon: "too_soon"
        case .dailyLimit: "daily_limit"
        case .busy: "busy"
        case .noPresentValue: "no_present_value"
        case .changeTooLarge: "change_too_large"
        case .auditFailed: "audit_failed"
        case .channelBusy: "channel_busy"
        case .tooLate: "too_late"
        case .reloading: "reloading"
        case .stopping: "stopping"
        case .noMaskWrite: "no_mask_write"
        }
    }

    /// The status of an HTTP answer.
    package var status: Int {
        switch self {
        case .unauthorised: 401
        case .lockedOut: 429
        case .malformed: 400
        case .off, .doorClosed, .notAllowed, .unknownSender, .forged, .wrongGateway, .retained: 403
        case .wrongType, .outsideRange, .offStep, .notRepresentable: 422
        case .expired, .tooFarAhead, .replayed, .tooMany, .tooSoon, .dailyLimit, .busy, .noPresentValue,
            .changeTooLarge, .noMaskWrite:
            409
        case .auditFailed, .channelBusy, .tooLate, .reloading, .stopping: 503
        }
    }
}

extension WriteRefusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .off: "writes are off: the site file has no 'writes:'"
        case .doorClosed(let door): "writes over \(door.rawValue) are off: the site's 'writes:' does not name it"
        case .unauthorised: "the token is missing or wrong"
        case .lockedOut(let rest):
            "too many wrong tokens from this address; a wrong one is looked at again in \(Self.seconds(rest)) s"
        case .malformed(let what): what
        case .unknownSender: "no sender of this name is known here"
        case .forged: "the signature is wrong; check the key and the bytes that are signed"
        case .wrongGateway: "the command is for another gateway"
        case .retained: "a retained message is no command: nobody asks for it now"
        case .expired: "the command has expired, or the gateway's clock was set back; check both clocks"
        case .tooFarAhead:
            "the command expires more than \(WriteLimit.commandLife.spelled) ahead; check both clocks"
        case .replayed: "this command has been here before"
        case .notAllowed: "this tag may not be written: the profile must call it writable, and the site allow it"
        case .wrongType(let kind): "the tag takes \(kind == .boolean ? "true or false" : "a number")"
        case .outsideRange(let range):
            "allowed is \(Self.spelled(range.lowerBound)) to \(Self.spelled(range.upperBound))"
        case .offStep(let step, let from):
            "allowed are steps of \(Self.spelled(step)), counted from \(Self.spelled(from))"
        case .notRepresentable(let why): why
        case .tooMany: "more than \(WriteLimit.perSecond) requests a second"
        case .tooSoon(let every): "the tag was written less than \(every.spelled) ago"
        case .dailyLimit(let count): "the tag was written \(count) times in 24 hours, which is all its device may take"
        case .busy: "another write to this tag is under way"
        case .noPresentValue: "the tag has no good value now, so the change cannot be judged"
        case .changeTooLarge(let limit, let from):
            "the change from \(Self.spelled(from)) is larger than \(Self.spelled(limit))"
        case .auditFailed: "the audit trail cannot be written, so nothing else is written either"
        case .channelBusy: "too much waits for this device already"
        case .tooLate: "the device was not reached in time; nothing was sent"
        case .reloading: "the configuration is being changed; ask again"
        case .stopping: "the gateway is stopping"
        case .noMaskWrite:
            "the device cannot change single bits (function 22); to read, change and write back could undo what"
                + " somebody else changes in between, so it is not done"
        }
    }

    /// Whole seconds, rounded up.
    static func seconds(_ rest: Duration) -> Int64 { (rest.nanoseconds + 999_999_999) / 1_000_000_000 }

    static func spelled(_ number: Double) -> String { Value.real(number).description }
}

/// The bounds of this module.
package enum WriteLimit {
    /// Requests of known senders that are judged in a second, and at once after a quiet time. Further ones are refused
    /// and counted: a person or a recipe writes a few values, a loop that runs wild a thousand.
    package static let perSecond = 10
    package static let burst = 20
    /// How far ahead a signed command may expire.
    package static let commandLife = Duration.seconds(30)
    /// Signed commands remembered at once; past it they are refused. At 10 a second for 30 s there are 320.
    package static let nonces = 4096
    /// From the request to its answer. A channel may spend 2 s on a connection and 1 s on each of a few answers.
    package static let deadline = Duration.seconds(5)
    /// When nobody has said how a write ended, it counts as failed.
    package static let patience = Duration.seconds(20)
    /// How long a stop waits for writes that are under way.
    package static let farewell = Duration.seconds(2)
    /// Requests under way; past it they are refused.
    package static let pending = 64
    /// Characters of each text that a request brings; longer ones are refused.
    package static let textBytes = 200
}
