// How long births will be, known before anything runs: Sparkplug has one for each device, and it can't be divided.

package import GatewayModel
package import Upstream

/// A birth that may be longer than a message is.
package struct BirthSize: Equatable, Sendable {
    /// Nil: the node's own, NBIRTH.
    package var device: String?
    /// As it is when no value is known yet, which is how the first one is.
    package var least: Int
    /// With every text as long as a text may be, and every alarm known.
    package var most: Int

    /// Those that may be longer than `limit`, in the order of the table.
    /// - Parameter alarms: one transition of each alarm that there may be.
    package static func above(
        _ limit: Int, of table: TagTable, plan: SparkplugReceiverPlan, alarms: [AlarmTransition] = []
    ) -> [BirthSize] {
        // As long as a stream's name is.
        let stream = "00000000-0000-0000-0000-000000000000"
        let now = Timestamp(nanoseconds: 1_800_000_000_000_000_000)
        let longText = String(repeating: "x", count: Limits.textBytes)
        let long = PresentReading(value: .text(longText), quality: .uncertainEngineeringUnitsExceeded, timestamp: now)
        var least = Roster(table, plan: plan)
        var most = Roster(table, plan: plan, alarms: alarms)
        var writer = BirthWriter(gateway: table.site, stream: stream)
        var result: [BirthSize] = []

        func note(_ device: String?, _ least: Int, _ most: Int) {
            if most > limit { result.append(BirthSize(device: device, least: least, most: most)) }
        }
        func size(_ roster: inout Roster, _ index: Int, _ present: (TagID) -> PresentReading?) -> Int {
            writer.writeDeviceBirth(&roster, index, at: now, seq: 255, present: present, isWritable: { _ in false })
            return writer.payload.count
        }
        writer.writeNodeBirth(&most, birthNumber: 255, at: now, seq: 0)
        let mostOfNode = writer.payload.count
        writer.writeNodeBirth(&least, birthNumber: 255, at: now, seq: 0)
        note(nil, writer.payload.count, mostOfNode)
        for index in least.devices.indices {
            let most = size(&most, index) { table[$0].kind == .text ? long : nil }
            guard most > limit else { continue }
            note(least.devices[index].path, size(&least, index) { _ in nil }, most)
        }
        return result
    }
}
