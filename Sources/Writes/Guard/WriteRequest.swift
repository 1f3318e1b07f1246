// Somebody wants a value in a machine: the question and its answer.

package import GatewayModel

/// Through which door a request came.
package enum WriteDoor: String, Sendable {
    case http, mqtt, sparkplug
}

/// One request, whose sender is known for certain.
package struct WriteRequest: Equatable, Sendable {
    /// The sender's own name for the request; comes back in the answer.
    package var id: String
    /// The whole name of the tag.
    package var tag: String
    package var value: Value
    /// Why, in the sender's words; only kept.
    package var reason: String
    package var who: String
    package var door: WriteDoor
    /// What makes a signed command count once.
    package var once: Once?

    package struct Once: Equatable, Sendable {
        package var nonce: String
        package var expires: Timestamp
        package init(nonce: String, expires: Timestamp) {
            self.nonce = nonce
            self.expires = expires
        }
    }

    package init(
        id: String, tag: String, value: Value, reason: String = "", who: String, door: WriteDoor, once: Once? = nil
    ) {
        self.id = id
        self.tag = tag
        self.value = value
        self.reason = reason
        self.who = who
        self.door = door
        self.once = once
    }
}

/// What became of a request. Each gets exactly one.
package struct WriteAnswer: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        /// The device took the value, and the register says so as far as it can.
        case done
        /// Nothing was changed.
        case refused(WriteRefusal)
        /// The write went out and did not end well; the device may or may not have the value.
        case failed(String)
    }
    package var id: String
    package var tag: String
    package var outcome: Outcome
    /// What the register said afterwards, as a value of the tag.
    package var readBack: Value?

    package init(id: String, tag: String, outcome: Outcome, readBack: Value? = nil) {
        self.id = id
        self.tag = tag
        self.outcome = outcome
        self.readBack = readBack
    }

    /// `done`, `refused` or `failed`.
    package var word: String {
        switch outcome {
        case .done: "done"
        case .refused: "refused"
        case .failed: "failed"
        }
    }
    /// Empty when all is well.
    package var reason: String {
        switch outcome {
        case .done: ""
        case .refused(let refusal): refusal.description
        case .failed(let reason): reason
        }
    }
    package var isDone: Bool { outcome == .done }

    /// The answer as JSON, for both doors. It holds no value of any other tag.
    package func json(sender: String? = nil) -> [UInt8] {
        var text = JSONObject()
        text.member("id", id)
        if let sender { text.member("sender", sender) }
        text.member("tag", tag)
        text.member("outcome", word)
        if let readBack { text.member("read_back", readBack) }
        if !reason.isEmpty { text.member("reason", reason) }
        if case .refused(let refusal) = outcome { text.member("code", refusal.code) }
        return text.bytes
    }
}
