// Which subscriptions a message belongs to, found without hashing and without making a string.

/// The subscriptions of a source in the order of their topics. Several devices may share one topic.
struct TopicIndex: Sendable {
    private let topics: [[UInt8]]
    /// The subscription of each topic, in the same order.
    private let subscriptions: [Int]

    init(_ plans: [MQTTSubscriptionPlan]) {
        let sorted = plans.indices.map { (topic: Array(plans[$0].topic.utf8), subscription: $0) }
            .sorted { $0.topic.lexicographicallyPrecedes($1.topic) }
        topics = sorted.map(\.topic)
        subscriptions = sorted.map(\.subscription)
    }

    /// Calls `body` with every subscription of the topic in `bytes`. Returns false when there is none.
    func forEach(topic bytes: ArraySlice<UInt8>, _ body: (Int) -> Void) -> Bool {
        var (low, high) = (0, topics.count)
        while low < high {
            let middle = (low + high) / 2
            if topics[middle].lexicographicallyPrecedes(bytes) { low = middle + 1 } else { high = middle }
        }
        let first = low
        while low < topics.count && topics[low].elementsEqual(bytes) {
            body(subscriptions[low])
            low += 1
        }
        return low > first
    }
}
