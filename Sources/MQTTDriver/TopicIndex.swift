// Which subscriptions a message belongs to, found without hashing and without making a string.

internal import MQTTLink

/// The subscriptions of a source in the order of their topics. Several devices may share one topic; a topic with wildcards
/// is compared with every message, so there are few of them.
struct TopicIndex: Sendable {
    private let topics: [[UInt8]]
    /// The subscription of each topic, in the same order.
    private let subscriptions: [Int]
    private let patterns: [(pattern: TopicPattern, subscription: Int)]

    init(_ plans: [MQTTSubscriptionPlan]) {
        let all = plans.indices.map { (pattern: TopicPattern(plans[$0].topic), subscription: $0) }
        let sorted = all.filter { !$0.pattern.hasWildcards }
            .map { (topic: Array(plans[$0.subscription].topic.utf8), subscription: $0.subscription) }
            .sorted { $0.topic.lexicographicallyPrecedes($1.topic) }
        topics = sorted.map(\.topic)
        subscriptions = sorted.map(\.subscription)
        patterns = all.filter(\.pattern.hasWildcards)
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
        var isKnown = low > first
        for (pattern, subscription) in patterns where pattern.matches(bytes) {
            body(subscription)
            isKnown = true
        }
        return isKnown
    }
}

/// A topic filter of MQTT 3.1.1, 4.7: `+` stands for one level, `#` at the end for all that follow.
package struct TopicPattern: Equatable, Sendable {
    private let levels: [[UInt8]]
    private let takesRest: Bool
    package var hasWildcards: Bool { takesRest || levels.contains([UInt8(ascii: "+")]) }

    /// - Parameter text: without `$share/<group>/`.
    package init(_ text: String) {
        var levels = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
        takesRest = levels.last == [UInt8(ascii: "#")]
        if takesRest { levels.removeLast() }
        self.levels = levels
    }

    package func matches(_ topic: ArraySlice<UInt8>) -> Bool {
        var start = topic.startIndex
        for (index, level) in levels.enumerated() {
            guard start <= topic.endIndex else { return false }
            let end = topic[start...].firstIndex(of: UInt8(ascii: "/")) ?? topic.endIndex
            let isAny = level.count == 1 && level[0] == UInt8(ascii: "+")
            // What begins with $ is the broker's own and no match for a wildcard (4.7.2).
            if index == 0, isAny, topic.first == UInt8(ascii: "$") { return false }
            guard isAny || topic[start..<end].elementsEqual(level) else { return false }
            start = end + 1
        }
        if takesRest { return !(levels.isEmpty && topic.first == UInt8(ascii: "$")) }
        return start == topic.endIndex + 1
    }
}

/// What the broker is asked for, once for all subscriptions that it brings messages to.
struct SourceFilter: Sendable {
    var text: String
    var qos: Int
    var subscriptions: [Int]

    static func all(of plan: MQTTSourcePlan) -> [SourceFilter] {
        var filters: [SourceFilter] = []
        var places: [String: Int] = [:]
        for (index, subscription) in plan.subscriptions.enumerated() {
            // With QoS 2 libmosquitto hands a message over only after the broker may have forgotten it (Decision 0050).
            let qos = plan.broker.isSessionKept ? min(subscription.qos, 1) : subscription.qos
            if let place = places[subscription.filter] {
                filters[place].subscriptions.append(index)
                filters[place].qos = max(filters[place].qos, qos)
            } else {
                places[subscription.filter] = filters.count
                filters.append(SourceFilter(text: subscription.filter, qos: qos, subscriptions: [index]))
            }
        }
        for opening in plan.openings where places[opening.filter] == nil {
            places[opening.filter] = filters.count
            let qos = plan.broker.isSessionKept ? min(opening.qos, 1) : opening.qos
            filters.append(SourceFilter(text: opening.filter, qos: qos, subscriptions: []))
        }
        return filters
    }
}
