// What all units have taught, as one text that outlives a restart.

internal import GatewayModel

/// Knowledge by device path, each with what it was learned against. Text in, text out; never touches a disk.
///
/// What cannot be read is skipped and counted: lost knowledge costs some refused requests, wrong knowledge costs
/// values.
package struct KnowledgeFile: Equatable, Sendable {
    /// What must be as it was for knowledge to hold: another device at the same path has other gaps.
    package struct Key: Hashable, Sendable {
        package var endpoint: String
        package var unitID: UInt8
        /// Of those limits that decide which requests are made. The tags are not among them.
        package var limits: UInt64

        package init(endpoint: String, unitID: UInt8, limits: UInt64) {
            self.endpoint = endpoint
            self.unitID = unitID
            self.limits = limits
        }

        package init(_ unit: ModbusUnitPlan, on endpoint: ModbusEndpoint) {
            self.init(endpoint: "\(endpoint)", unitID: unit.unitID, limits: unit.limits.fingerprint)
        }
    }

    package struct Entry: Equatable, Sendable {
        package var key: Key
        package var knowledge: UnitKnowledge
        package init(key: Key, knowledge: UnitKnowledge) {
            self.key = key
            self.knowledge = knowledge
        }
    }

    /// By device path. Those of units without knowledge are not kept.
    package private(set) var entries: [String: Entry] = [:]
    /// Lines of the text that were no knowledge.
    package private(set) var badLines = 0

    private static let title = "lineside modbus knowledge 1"
    /// Bytes of the text. What comes after is lost and learned anew: 1 MiB holds 50,000 facts.
    package static let bytes = 1 << 20
    /// Units of the text: more than a gateway has descriptors and unit ids worth speaking of.
    private static let units = 10_000

    package init() {}

    /// What the unit has taught; empty when it is not the one that taught it.
    package func knowledge(of unit: ModbusUnitPlan, on endpoint: ModbusEndpoint) -> UnitKnowledge {
        guard let entry = entries[unit.name], entry.key == Key(unit, on: endpoint) else { return UnitKnowledge() }
        return entry.knowledge
    }

    package mutating func set(_ knowledge: UnitKnowledge, of unit: ModbusUnitPlan, on endpoint: ModbusEndpoint) {
        entries[unit.name] = knowledge.isEmpty ? nil : Entry(key: Key(unit, on: endpoint), knowledge: knowledge)
    }

    /// Forgets what devices taught that are no longer there.
    package mutating func keep(_ names: Set<String>) { entries = entries.filter { names.contains($0.key) } }

    // MARK: text

    /// At most `bytes` long: whole devices, in order of path, as long as they fit.
    package var text: String {
        var text = Self.title + "\n"
        var length = text.utf8.count
        for (path, entry) in entries.sorted(by: { $0.key < $1.key }).prefix(Self.units) {
            // A line break in a name would make lines of its own.
            guard !path.isEmpty, !(path + entry.key.endpoint).contains(where: \.isNewline) else { continue }
            let lines =
                [
                    "device \(path)", "endpoint \(entry.key.endpoint)", "unit \(entry.key.unitID)",
                    "limits \(String(entry.key.limits, radix: 16))",
                ] + entry.knowledge.lines
            let part = lines.joined(separator: "\n") + "\n"
            length += part.utf8.count
            guard length <= Self.bytes else { break }
            text += part
        }
        return text
    }

    package init(text: String) {
        var text = text
        if text.utf8.count > Self.bytes {
            badLines += 1
            text = String(decoding: text.utf8.prefix(Self.bytes), as: UTF8.self)
            // The line that was cut means something else now.
            while let last = text.last, !last.isNewline { text.removeLast() }
        }
        var lines = text.split(whereSeparator: \.isNewline)[...]
        guard lines.first.map(String.init) == Self.title else {
            badLines += lines.count
            return
        }
        lines.removeFirst()
        var device = Unfinished()
        for line in lines {
            if let path = line.droppingPrefix("device ") {
                finish(device)
                device = Unfinished()
                device.path = path
            } else if let endpoint = line.droppingPrefix("endpoint "), device.path != nil {
                device.endpoint = endpoint
            } else if let unit = line.droppingPrefix("unit ").flatMap({ UInt8($0) }), device.path != nil {
                device.unitID = unit
            } else if let limits = line.droppingPrefix("limits ").flatMap({ UInt64($0, radix: 16) }), device.path != nil
            {
                device.limits = limits
            } else if device.path == nil || !device.knowledge.take(line) {
                badLines += 1
            }
        }
        finish(device)
    }

    /// A device of the text whose lines are being read.
    private struct Unfinished {
        var path: String?
        var endpoint: String?
        var unitID: UInt8?
        var limits: UInt64?
        var knowledge = UnitKnowledge()
    }

    private mutating func finish(_ device: Unfinished) {
        guard let path = device.path else { return }
        guard !path.isEmpty, let endpoint = device.endpoint, let unitID = device.unitID, let limits = device.limits,
            entries.count < Self.units
        else {
            badLines += 1
            return
        }
        let key = Key(endpoint: endpoint, unitID: unitID, limits: limits)
        entries[path] = device.knowledge.isEmpty ? nil : Entry(key: key, knowledge: device.knowledge)
    }
}

extension Substring {
    fileprivate func droppingPrefix(_ prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}

extension ModbusUnitLimits {
    /// FNV-1a over what decides which requests are made: the same in every run, unlike Swift's hashes.
    fileprivate var fingerprint: UInt64 {
        let ranges = forbidden.map { "\($0.table.abbreviation)\($0.addresses)" }.sorted().joined(separator: ",")
        return "\(words) \(bits) \(alignment) \(ranges)".utf8.reduce(0xCBF2_9CE4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
    }
}
