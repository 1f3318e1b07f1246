// What the channel's thread remembers of one unit between its requests.

internal import GatewayModel
internal import GatewayPlatform

/// Whether the unit may be asked, how long it may take, and what it has taught us.
struct UnitState: Sendable {
    /// One lost answer is chance; after two the unit is asked once per step.
    var silence = BackOff(
        first: .seconds(1), longest: .seconds(30), tolerated: 1, spread: 0.25, seed: .randomSeed())
    var roundTrips = RoundTrips()
    var knowledge: UnitKnowledge
    var identity: IdentityWatch
    /// Raised with every change of `knowledge`, so that someone may write it down.
    var knowledgeRevision = 0
    /// The cost by which the present plans were made, and when it was last compared with what has been measured.
    var cost: RequestCost
    var lastCostReview: Int64
    /// When the last exchange ended: `limits.pause` counts from there.
    var lastAnswer = MonotonicTime(nanoseconds: 0)
    /// RTU: not before this is anything asked, so that an answer that is on its way can come and go.
    var quarantineEnd = Int64.min
    /// When the refused values were asked last, and how long they are left alone.
    var lastRefusedTry: Int64
    var refusedPause = Duration.seconds(60)
    /// RTU: by how many steps a read of this unit may be longer than planned; less when it has refused one that was.
    var mostExtension = AnswerFence.most

    init(knowledge: UnitKnowledge, identity: [IdentityCheck], cost: RequestCost, now: Int64) {
        self.knowledge = knowledge
        self.identity = IdentityWatch(checks: identity, seed: .randomSeed())
        self.cost = cost
        lastRefusedTry = now
        lastCostReview = now
    }
}
