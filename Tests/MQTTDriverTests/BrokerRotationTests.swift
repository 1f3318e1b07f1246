// Which broker comes next, in which version of MQTT.

import MQTTLink
import Testing

@Suite("A rotation of brokers")
struct BrokerRotationTests {
    @Test("tries the next one after every end, and begins again behind the last")
    func rounds() {
        var rotation = BrokerRotation(servers: 3, version: .v311)
        var tried: [Int] = []
        for end in [BrokerRotation.End.unreached, .broken, .closedUnanswered, .versionRefused, .unreached] {
            tried.append(rotation.server)
            rotation.ended(end)
        }
        #expect(tried == [0, 1, 2, 0, 1] && rotation.version == .v311)
    }

    @Test("speaks 3.1.1 for good with a broker that says it knows no 5, and asks it again at once")
    func refused() {
        var rotation = BrokerRotation(servers: 2, version: .v5)
        rotation.ended(.versionRefused)
        #expect(rotation.server == 0 && rotation.version == .v311)
        rotation.ended(.broken)
        #expect(rotation.server == 1 && rotation.version == .v5, "the other may know it")
        rotation.ended(.unreached)
        #expect(rotation.server == 0 && rotation.version == .v311)
    }

    @Test("tries 3.1.1 once with a broker that only closes, and 5 again when that was not the reason")
    func closed() {
        var rotation = BrokerRotation(servers: 1, version: .v5)
        rotation.ended(.closedUnanswered)
        #expect(rotation.version == .v311)
        rotation.ended(.closedUnanswered)
        #expect(rotation.version == .v5)
        rotation.ended(.closedUnanswered)
        rotation.ended(.broken)
        #expect(rotation.version == .v5, "it may have learned it in the meantime")
        rotation.ended(.unreached)
        #expect(rotation.version == .v5)
    }
}
