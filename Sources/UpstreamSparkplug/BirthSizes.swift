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
        var most = Roster(table, plan: plan, alarms: alarms)
        // Seldom needed. Its tags have the same aliases: alarms come behind them.
        var least: Roster?
        var writer = BirthWriter(gateway: table.site, stream: stream)
        var result: [BirthSize] = []

        func withLeast(_ write: (inout Roster) -> Void) -> Int {
            var roster = least ?? Roster(table, plan: plan)
            write(&roster)
            least = roster
            return writer.payload.count
        }
        writer.writeNodeBirth(&most, birthNumber: 255, at: now, seq: 0)
        let ofNode = writer.payload.count
        if ofNode > limit {
            let size = withLeast { writer.writeNodeBirth(&$0, birthNumber: 255, at: now, seq: 0) }
            result.append(BirthSize(device: nil, least: size, most: ofNode))
        }
        for (index, device) in most.devices.enumerated() {
            writer.writeDeviceBirth(
                &most, index, at: now, seq: 255, present: { table[$0].kind == .text ? long : nil },
                isWritable: { _ in false })
            let ofDevice = writer.payload.count
            guard ofDevice > limit else { continue }
            let size = withLeast {
                writer.writeDeviceBirth(
                    &$0, index, at: now, seq: 255, present: { _ in nil }, isWritable: { _ in false })
            }
            result.append(BirthSize(device: device.path, least: size, most: ofDevice))
        }
        return result
    }
}
