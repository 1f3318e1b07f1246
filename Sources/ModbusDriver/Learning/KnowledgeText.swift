// What a unit has taught, as lines of text: `refused hr 100-101`.

internal import GatewayModel

extension UnitKnowledge {
    /// Ranges and seams of one unit that are kept, of each kind. A device that refuses more answers next to nothing:
    /// what is beyond is learned anew after a restart.
    static var rangesKept: Int { 4096 }
    /// Registers of an identity that are kept: profiles have two or three.
    private static var identitiesKept: Int { 16 }

    /// One fact a line, sorted, so that equal knowledge makes equal text.
    package var lines: [String] {
        func spelled(_ word: String, _ ranges: Set<ModbusUnitLimits.ForbiddenRange>) -> [String] {
            let sorted = ranges.sorted {
                ($0.table, $0.addresses.lowerBound, $0.addresses.upperBound)
                    < ($1.table, $1.addresses.lowerBound, $1.addresses.upperBound)
            }
            return sorted.prefix(Self.rangesKept).map {
                "\(word) \($0.table.abbreviation) \($0.addresses.lowerBound)-\($0.addresses.upperBound)"
            }
        }
        let sortedSeams = seams.sorted { ($0.table, $0.address) < ($1.table, $1.address) }
        return (words.map { ["words \($0)"] } ?? []) + (bits.map { ["bits \($0)"] } ?? [])
            + identity.sorted { $0.key < $1.key }.prefix(Self.identitiesKept).map { "identity \($0.key) \($0.value)" }
            + spelled("refused", refused) + spelled("barrier", barriers)
            + sortedSeams.prefix(Self.rangesKept).map { "seam \($0.table.abbreviation) \($0.address)" }
    }

    /// Takes one of these lines over.
    /// - Returns: false when it is none.
    package mutating func take(_ line: Substring) -> Bool {
        if line.hasPrefix("identity ") { return takeIdentity(line.dropFirst("identity ".count)) }
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        guard let word = parts.first else { return false }
        switch (word, parts.count) {
        case ("words", 2):
            guard let number = Self.number(parts[1], 1...Limits.registersPerRequest) else { return false }
            words = number
        case ("bits", 2):
            guard let number = Self.number(parts[1], 1...Limits.bitsPerRequest) else { return false }
            bits = number
        case ("refused", 3):
            guard refused.count < Self.rangesKept, let range = Self.range(parts[1], parts[2]) else { return false }
            refused.insert(range)
        case ("barrier", 3):
            guard barriers.count < Self.rangesKept, let range = Self.range(parts[1], parts[2]) else { return false }
            barriers.insert(range)
        case ("seam", 3):
            guard seams.count < Self.rangesKept, let table = Self.table(parts[1]),
                let address = Self.number(parts[2], 0...65535)
            else { return false }
            seams.insert(Seam(table: table, address: address))
        default: return false
        }
        return true
    }

    /// `serial_number 21105 B`: the text is the rest of the line.
    private mutating func takeIdentity(_ rest: Substring) -> Bool {
        let parts = rest.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, identity.count < Self.identitiesKept,
            identity[String(parts[0])] == nil
        else { return false }
        identity[String(parts[0])] = String(parts[1])
        return true
    }

    private static func table(_ text: Substring) -> RegisterTable? {
        RegisterTable.allCases.first { $0.abbreviation == text }
    }

    private static func range(_ table: Substring, _ text: Substring) -> ModbusUnitLimits.ForbiddenRange? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard let table = Self.table(table), ends.count == 2, let low = number(ends[0], 0...65535),
            let high = number(ends[1], low...65535)
        else { return nil }
        return ModbusUnitLimits.ForbiddenRange(table: table, addresses: low...high)
    }

    /// Digits only: `Int` would also take a sign.
    private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 5, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(text), range.contains(number)
        else { return nil }
        return number
    }
}
