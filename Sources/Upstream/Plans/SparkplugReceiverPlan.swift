// A broker that speaks to Sparkplug hosts, and who we are there.

package import MQTTLink

/// A Sparkplug B 3.0 edge node.
package struct SparkplugReceiverPlan: Equatable, Sendable {
    /// The type of a device, as its profile names it.
    package struct Template: Equatable, Hashable, Sendable {
        package var name: String
        package var version: String
        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }
    }

    package var broker: BrokerPlan
    /// One level of a topic each.
    package var group: String
    package var node: String
    /// Data waits in the journal while this host is away; nil: nobody is waited for.
    package var primaryHost: String?
    /// Messages sent and not yet confirmed, at most.
    package var window: Int
    /// Bytes of one payload of data, at most. Births are as long as they are.
    package var payloadBytes: Int
    /// Whether hosts may ask for writes; the site's `writes` say which tags.
    package var takesCommands: Bool
    /// The types of devices by their path; those that are not here are told tag by tag.
    package var templates: [String: Template]

    package init(
        broker: BrokerPlan, group: String, node: String, primaryHost: String? = nil, window: Int = 100,
        payloadBytes: Int = 256 * 1024, takesCommands: Bool = false, templates: [String: Template] = [:]
    ) {
        self.broker = broker
        self.group = group
        self.node = node
        self.primaryHost = primaryHost
        self.window = window
        self.payloadBytes = payloadBytes
        self.takesCommands = takesCommands
        self.templates = templates
    }
}
