// What tools see of the knowledge of a gateway's store.

import GatewayModel
import GatewayPlatform
import ModbusDriver
import TestSupport
import Testing

internal import Glibc

@testable import Gateway

@Suite("Knowledge in a store")
struct StoredKnowledgeTests {
    private let plan = ModbusChannelPlan(
        name: "net", host: "10.0.0.1", port: 502,
        units: [ModbusUnitPlan(device: DeviceID(3), name: "a/b/meter", unitID: 1, scans: [])])

    @Test("What a gateway has written down is found under its devices, and nothing is written")
    func found() throws {
        let folder = try TemporaryFolder()
        #expect(try StoredKnowledge(store: folder.path) == nil)
        #expect(try POSIXDisk(path: folder.path).list().isEmpty)

        var taught = UnitKnowledge()
        taught.words = 60
        var file = KnowledgeFile()
        file.set(taught, of: plan.units[0], on: plan.endpoint)
        let disk = try POSIXDisk(path: StoredKnowledge.folder(of: folder.path))
        defer {
            try? disk.remove(StoredKnowledge.name)
            unsafe rmdir(disk.path)
        }
        let open = try disk.open(StoredKnowledge.name, create: true)
        let bytes = Array(file.text.utf8)
        try unsafe open.write(bytes.span.bytes, at: 0)

        let stored = try #require(try StoredKnowledge(store: folder.path))
        #expect(stored.units(of: plan) == [DeviceID(3): taught])
        // Another unit id is another device.
        var other = plan
        other.units[0].unitID = 2
        #expect(stored.units(of: other).isEmpty)
    }

    @Test("A store that is no folder has taught nothing")
    func absent() throws {
        #expect(try StoredKnowledge(store: "/dev/null/store") == nil)
    }
}
