// Qualities in the words of OPC UA.

import GatewayModel
import Testing

@Suite("Quality") struct QualityTests {
    @Test("Every quality given here has the severity that its name begins with, and its own code")
    func named() {
        for (quality, name) in Quality.named {
            #expect(name.lowercased().hasPrefix(quality.severity.rawValue), "\(name)")
            #expect(quality.name == name)
            #expect(quality.isGood == (quality.severity == .good) && quality.isBad == (quality.severity == .bad))
        }
        #expect(Set(Quality.named.map(\.quality)).count == Quality.named.count)
    }

    /// OPC Foundation, UA-Nodeset `Schema/StatusCode.csv`.
    @Test(
        "The codes are those of OPC UA",
        arguments: [
            (Quality.good, UInt32(0)), (.uncertainLastUsableValue, 0x4090_0000), (.badTimeout, 0x800A_0000),
            (.badCommunicationError, 0x8005_0000), (.badDeviceFailure, 0x808B_0000), (.badDataLost, 0x809D_0000),
        ])
    func codes(quality: Quality, code: UInt32) { #expect(quality.statusCode == code) }

    @Test("A code from elsewhere is named by severity and number")
    func unknown() {
        #expect(Quality(rawValue: 0x8123).name == "bad 0x81230000" && Quality(rawValue: 0xC000).severity == .bad)
        #expect(Quality(rawValue: 0x7FFF).name == "uncertain 0x7FFF0000")
    }
}
