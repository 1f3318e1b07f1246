// What is subscribed to and how a payload becomes readings, compiled from the site file.

package import Acquisition
package import GatewayModel
package import MQTTLink

/// One tag of a subscription.
package struct MQTTTagPlan: Equatable, Sendable {
    package var tag: TagID
    package var at: FieldPlace
    package var normalisation: NormalisationPlan

    package init(tag: TagID, at: FieldPlace, normalisation: NormalisationPlan) {
        self.tag = tag
        self.at = at
        self.normalisation = normalisation
    }

    package init(tag: TagID, at: JSONPath, normalisation: NormalisationPlan) {
        self.init(tag: tag, at: .path(at), normalisation: normalisation)
    }
}

/// Where a payload says when it was measured.
package struct PayloadTimePlan: Equatable, Sendable {
    package enum Unit: String, Sendable, CaseIterable {
        case s, ms, us, ns
        /// A text: 2026-11-24T17:05:09.250+01:00 (RFC 3339; ISO 8601 with and without a zone).
        case iso
    }
    package var at: FieldPlace
    package var unit: Unit
    /// What a text without a zone is of: seconds east of UTC.
    package var zoneSeconds: Int
    /// How far before its arrival a time is believed; nil: back to the year 2000.
    package var past: Duration?
    /// And how far after. A clock that runs ahead is tolerated up to a summer-time mistake.
    package var ahead: Duration

    package init(
        at: FieldPlace, unit: Unit, zoneSeconds: Int = 0, past: Duration? = nil, ahead: Duration = .seconds(3600)
    ) {
        self.at = at
        self.unit = unit
        self.zoneSeconds = zoneSeconds
        self.past = past
        self.ahead = ahead
    }

    package init(at: JSONPath, unit: Unit) { self.init(at: .path(at), unit: unit) }
}

/// One topic and the device that speaks on it.
package struct MQTTSubscriptionPlan: Equatable, Sendable {
    /// Which messages belong to it; may have wildcards.
    package var topic: String
    /// What the broker is asked for: the topic, the wider filter that brings it, or a share of it (`$share/group/topic`).
    package var filter: String
    package var qos: Int
    package var device: DeviceID
    /// For logs and metrics: the device's path.
    package var name: String
    package var payload: PayloadPlan
    /// Nil: the time of arrival.
    package var time: PayloadTimePlan?
    /// How often a message is expected; after three times as long without one the tags become stale. Nil: never.
    package var every: Duration?
    package var tags: [MQTTTagPlan]
    /// Nobody wrote it down: it was seen, and fits an opening.
    package var isDiscovered = false

    package init(
        topic: String, filter: String? = nil, qos: Int = 1, device: DeviceID, name: String,
        payload: PayloadPlan = .json(each: nil), time: PayloadTimePlan? = nil, every: Duration? = nil,
        tags: [MQTTTagPlan]
    ) {
        self.topic = topic
        self.filter = filter ?? topic
        self.qos = qos
        self.device = device
        self.name = name
        self.payload = payload
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
    /// What the broker says when the connection to us breaks.
    package var will: WillPlan?
    /// Patterns of topics that get devices as they are seen.
    package var openings: [MQTTOpeningPlan]

    package init(
        name: String, broker: BrokerPlan, subscriptions: [MQTTSubscriptionPlan], will: WillPlan? = nil,
        openings: [MQTTOpeningPlan] = []
    ) {
        self.name = name
        self.broker = broker
        self.subscriptions = subscriptions
        self.will = will
        self.openings = openings
    }

    /// Whether it is the other with more subscriptions behind: then a source goes on without a pause.
    package func extends(_ other: MQTTSourcePlan) -> Bool {
        var beginning = self
        beginning.subscriptions = Array(subscriptions.prefix(other.subscriptions.count))
        return beginning == other
    }
}
