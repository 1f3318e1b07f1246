// Which broker, and as whom.

package import GatewayModel

/// A broker and how to log in. The password is resolved from its credential when the plan is made and never printed.
package struct BrokerPlan: Equatable, Sendable {
    package var host: String
    package var port: UInt16
    package var clientID: String
    package var username: String?
    package var password: Secret?
    package var keepAlive: Duration

    package init(
        host: String, port: UInt16 = 1883, clientID: String, username: String? = nil, password: Secret? = nil,
        keepAlive: Duration = .seconds(30)
    ) {
        self.host = host
        self.port = port
        self.clientID = clientID
        self.username = username
        self.password = password
        self.keepAlive = keepAlive
    }
}
