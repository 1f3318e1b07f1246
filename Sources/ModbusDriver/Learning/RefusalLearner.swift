// What to ask next when a device refuses a request, and what that teaches.


/// Halves what was refused until the culprit is alone. A pure value, one per scan class of a unit.
package struct RefusalLearner: Sendable, Equatable {
    package private(set) var knowledge: UnitKnowledge
    /// True when the knowledge has grown since the plan was made: it should be made anew after this cycle.
    package private(set) var hasLearned = false

    package init(knowledge: UnitKnowledge) { self.knowledge = knowledge }

    /// The device refused `request` with exception 2 or 3.
    /// - Returns: what to ask in its place, now; empty when it cannot be divided: its values are refused.
    package mutating func refused(_ request: ReadRequest, exception: UInt8, plan: ReadPlan) -> [ReadRequest] { [] }

    /// The device answered `request` with values.
    package mutating func answered(_ request: ReadRequest, plan: ReadPlan) {}

    /// The plan was made anew with `knowledge`.
    package mutating func adopted(_ knowledge: UnitKnowledge) {
        self.knowledge = knowledge
        hasLearned = false
    }
}
