// Receivers that are reached over HTTP, and what they are sent.

package import GatewayModel

/// Where requests go, and how many of what size.
package struct HTTPReceiverPlan: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        /// InfluxDB line protocol; the measurement of readings.
        case lines(measurement: String)
        /// JSON messages in a list; what signs them, if anything.
        case messages(signedWith: Secret?)
    }

    package struct Header: Equatable, Sendable {
        package var name: String
        /// Shown nowhere: whatever stands in a header may be a key.
        package var value: Secret

        package init(_ name: String, _ value: Secret) { (self.name, self.value) = (name, value) }
    }

    package struct Proxy: Equatable, Sendable {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) { (self.host, self.port) = (host, port) }
    }

    /// The whole address, without a login.
    package var url: String
    package var content: Content
    package var headers: [Header] = []
    package var isGzipped = false
    /// A file of certificates that are trusted instead of the system's.
    package var authorities: String?
    package var proxy: Proxy?
    /// How long one request may take, connecting included.
    package var timeout = Duration.seconds(10)
    /// Requests on their way. With one, everything arrives in the log's order.
    package var requests = 1
    /// How long the first record waits for company.
    package var linger = Duration.milliseconds(200)
    package var bounds = ParcelBounds(pieces: 5000, bytes: 1 << 20)

    package init(url: String, content: Content) { (self.url, self.content) = (url, content) }

    /// Without its query: for people.
    package var address: String { String(url.prefix { $0 != "?" }) }
}
