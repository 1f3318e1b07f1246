// What devices have taught a gateway, for tools that run beside it.

package import GatewayModel
package import GatewayPlatform
internal import Glibc
package import ModbusDriver

/// Reads what `KnowledgeKeeper` has written down; never writes, never makes a folder.
package struct StoredKnowledge: Sendable {
    /// The file, for people.
    package let file: String
    private let knowledge: KnowledgeFile

    static let name = "learned"
    /// Where the devices of a store's gateway are written down.
    static func folder(of store: String) -> String { "\(store)/devices" }

    /// - Parameter store: the store's folder.
    /// - Returns: nil when no gateway has learned anything there yet.
    /// - Throws: when it is there and cannot be read.
    package init?(store: String) throws(DiskError) {
        let folder = Self.folder(of: store)
        file = "\(folder)/\(Self.name)"
        guard unsafe access(file, F_OK) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw DiskError(operation: "access", file: file, code: errno)
        }
        let bytes = try POSIXDisk(path: folder).open(Self.name, create: false).read(count: KnowledgeFile.bytes, at: 0)
        knowledge = KnowledgeFile(text: String(decoding: bytes, as: UTF8.self))
    }

    /// Of the units of a channel; those that have taught nothing are left out.
    package func units(of plan: ModbusChannelPlan) -> [DeviceID: UnitKnowledge] {
        var units: [DeviceID: UnitKnowledge] = [:]
        for unit in plan.units {
            let taught = knowledge.knowledge(of: unit, on: plan.endpoint)
            if !taught.isEmpty { units[unit.device] = taught }
        }
        return units
    }
}
