// The database's ids of tags, asked for once per connection and kept by dictionary.

internal import GatewayModel
internal import Journal
internal import Upstream

/// Which id each tag of a dictionary has in the database. Owned by the receiver; it asks for tags with readings only.
struct TagIDs {
    struct Table {
        let dictionary: JournalDictionary
        /// By tag id; `unknown` until the database was asked.
        var ids: [Int32]
    }

    /// What to ask for: tags of one dictionary.
    struct Question: Equatable {
        let dictionary: JournalDictionary
        var tags: [TagID]

        static func == (left: Self, right: Self) -> Bool {
            left.dictionary === right.dictionary && left.tags == right.tags
        }
    }

    /// Ids in the database begin at 1.
    static let unknown: Int32 = 0
    /// The live lane and an older one have their own dictionary, and each may pass a reload.
    private static let mostTables = 4
    /// Tags in one question: some 300 KB of names.
    static let mostAsked = 5000

    private var tables: [Table] = []

    mutating func removeAll() { tables.removeAll() }

    /// The ids of the tags of `dictionary`.
    mutating func ids(of dictionary: JournalDictionary) -> [Int32] { tables[place(of: dictionary)].ids }

    /// What must be asked before the readings of `chunk` from `place` on can be sent; nil when all is known.
    mutating func question(for chunk: OutboundChunk, from place: OutboundPlace) -> Question? {
        let ids = ids(of: chunk.dictionary)
        var missing: Set<TagID> = []
        for index in place.record..<chunk.records.count {
            guard case .readings(let batch, _) = chunk.records[index].content else { continue }
            for reading in batch.readings
            where ids.indices.contains(Int(reading.tag.index)) && ids[Int(reading.tag.index)] == Self.unknown {
                missing.insert(reading.tag)
            }
        }
        guard !missing.isEmpty else { return nil }
        return Question(dictionary: chunk.dictionary, tags: Array(missing.sorted().prefix(Self.mostAsked)))
    }

    /// - Parameter rows: (place in the question from 1, id).
    /// - Returns: false when the answer lacks one.
    mutating func answer(_ question: Question, rows: [[String]]) -> Bool {
        let place = place(of: question.dictionary)
        for row in rows where row.count == 2 {
            guard let index = Int(row[0]), question.tags.indices.contains(index - 1), let id = Int32(row[1]) else {
                return false
            }
            tables[place].ids[Int(question.tags[index - 1].index)] = id
        }
        return question.tags.allSatisfy { tables[place].ids[Int($0.index)] != Self.unknown }
    }

    private mutating func place(of dictionary: JournalDictionary) -> Int {
        if let index = tables.firstIndex(where: { $0.dictionary === dictionary }) { return index }
        if tables.count == Self.mostTables { tables.removeFirst() }
        tables.append(
            Table(dictionary: dictionary, ids: Array(repeating: Self.unknown, count: dictionary.table.tags.count)))
        return tables.count - 1
    }
}

extension TagIDs.Question {
    func statements(_ schema: PostgresSchema, gateway: Int32) -> [Statement] {
        let tags = tags.map { dictionary.table[$0] }
        return schema.findTags(
            gateway: gateway, paths: PostgresSchema.array(tags.map { dictionary.table[$0.device].path }),
            names: PostgresSchema.array(tags.map(\.name)), kinds: PostgresSchema.array(tags.map(\.kind.column)),
            units: PostgresSchema.array(tags.map(\.unit)))
    }
}
