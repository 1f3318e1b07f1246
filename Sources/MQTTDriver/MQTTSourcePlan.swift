// What is subscribed to and how a payload becomes readings, compiled from the site file.

package import Acquisition
package import GatewayModel
package import MQTTLink

/// A path into a JSON document: `$.motor.temp`, `$.values[0]`.
package struct JSONPath: Equatable, Sendable, CustomStringConvertible {
    package enum Step: Equatable, Sendable {
        case key(String)
        case index(Int)
    }
    package var steps: [Step]

    package init(steps: [Step]) { self.steps = steps }

    package var description: String {
        "$"
            + steps.map { step in
                switch step {
                case .key(let key): ".\(key)"
                case .index(let index): "[\(index)]"
                }
            }.joined()
    }
}

/// One tag of a subscription.
package struct MQTTTagPlan: Equatable, Sendable {
    package var tag: TagID
    package var at: JSONPath
    package var normalisation: NormalisationPlan

    package init(tag: TagID, at: JSONPath, normalisation: NormalisationPlan) {
        self.tag = tag
        self.at = at
        self.normalisation = normalisation
    }
}

/// Where a payload says when it was measured.
package struct PayloadTimePlan: Equatable, Sendable {
    package enum Unit: String, Sendable, CaseIterable { case s, ms, us, ns }
    package var at: JSONPath
    package var unit: Unit

    package init(at: JSONPath, unit: Unit) {
        self.at = at
        self.unit = unit
    }
}

/// One topic and the device that speaks on it.
package struct MQTTSubscriptionPlan: Equatable, Sendable {
    /// An exact topic, without wildcards.
    package var topic: String
    package var qos: Int
    package var device: DeviceID
    /// For logs and metrics: the device's path.
    package var name: String
    /// Nil: the time of arrival.
    package var time: PayloadTimePlan?
    /// How often a message is expected; after three times as long without one the tags become stale. Nil: never.
    package var every: Duration?
    package var tags: [MQTTTagPlan]

    package init(
        topic: String, qos: Int = 1, device: DeviceID, name: String, time: PayloadTimePlan? = nil,
        every: Duration? = nil, tags: [MQTTTagPlan]
    ) {
        self.topic = topic
        self.qos = qos
        self.device = device
        self.name = name
        self.time = time
        self.every = every
        self.tags = tags
    }
}

/// One broker to listen to.
package struct MQTTSourcePlan: Equatable, Sendable {
    package var name: String
    package var broker: BrokerPlan
    package var subscriptions: [MQTTSubscriptionPlan]

    package init(name: String, broker: BrokerPlan, subscriptions: [MQTTSubscriptionPlan]) {
        self.name = name
        self.broker = broker
        self.subscriptions = subscriptions
    }
}
