// How one batch gets into the tables: straight, carefully, or in halves until what nobody takes is alone.

internal import GatewayModel
internal import Upstream

/// Decides what is sent for one batch and what its answers mean. A pure value; the receiver performs it.
struct PostgresDelivery: Sendable {
    enum Step: Equatable {
        /// Run these, one after the other; the first failure ends them.
        case run
        case finished
        case giveUp(PostgresError)
    }

    let batch: PostgresBatch
    private let schema: PostgresSchema
    /// What is still to be sent, the next one last. Each is one transaction.
    private var work: [[TableRows]]
    /// Some rows may be in the tables already.
    private var isCareful: Bool
    private var isInTransaction = false
    /// Rows that the transaction under way found to be new.
    private var fresh = 0
    /// Every row was new, as far as it was asked.
    private(set) var wasNew = true
    /// Records that the database will never take.
    private(set) var refused: [PostgresBatch.Flaw]
    /// Why the batch was split, for the log.
    private(set) var isSplit = false

    /// - Parameter isCareful: rows may be there already, because a connection was lost.
    init(_ batch: PostgresBatch, schema: PostgresSchema, isCareful: Bool) {
        self.batch = batch
        self.schema = schema
        self.isCareful = isCareful
        refused = batch.flaws
        work = batch.parts.isEmpty ? [] : [batch.parts]
    }

    var isFinished: Bool { work.isEmpty }

    /// The statements of the next transaction.
    mutating func statements() -> [Statement] {
        guard let parts = work.last else { return [] }
        var statements = isInTransaction ? [Statement("ROLLBACK")] : []
        fresh = 0
        let isAlone = parts.count == 1 && !isCareful
        isInTransaction = !isAlone
        if !isAlone { statements.append(Statement("BEGIN")) }
        for part in parts {
            if isCareful {
                statements += schema.careful(part.table, part.rows)
            } else {
                statements.append(Statement(schema.copy(part.table), rows: part.rows))
            }
        }
        if !isAlone { statements.append(Statement("COMMIT")) }
        return statements
    }

    /// One statement was done and changed `count` rows.
    mutating func did(_ statement: Statement, count: Int) {
        if statement.sql.hasPrefix("INSERT") { fresh += count }
    }

    /// All statements of the transaction were done.
    mutating func committed() -> Step {
        isInTransaction = false
        if let parts = work.popLast(), isCareful, fresh < parts.reduce(0, { $0 + $1.rows.count }) { wasNew = false }
        return work.isEmpty ? .finished : .run
    }

    mutating func failed(_ error: PostgresError) -> Step {
        switch error.meaning {
        case .trouble, .standing: return .giveUp(error)
        case .duplicate where !isCareful:
            isCareful = true
            wasNew = false
            return .run
        // In the careful way no key of ours can be hit: it is one of the database's owner.
        case .duplicate, .poison: return split(error)
        }
    }

    private mutating func split(_ error: PostgresError) -> Step {
        isSplit = true
        // What was not tried yet is small or may be in part there already.
        isCareful = true
        guard let parts = work.popLast() else { return .finished }
        if parts.count > 1 {
            work += parts.reversed().map { [$0] }
        } else if let only = parts.first, let (first, second) = only.rows.halves {
            work.append([TableRows(table: only.table, rows: second)])
            work.append([TableRows(table: only.table, rows: first)])
        } else if let only = parts.first {
            refused.append(.init(number: only.rows.firstNumber, reason: error.text))
        }
        // The transaction that failed must be ended before the connection is used for anything.
        return .run
    }

    /// The statements that leave the connection clean when nothing more is to be sent.
    var ending: [Statement] { isInTransaction ? [Statement("ROLLBACK")] : [] }

    /// What the sink is told at the end.
    var events: [ReceiverEvent] {
        batch.messages.flatMap { message -> [ReceiverEvent] in
            let flaws = refused.filter { message.first <= $0.number && $0.number < message.next }
            guard let last = flaws.last else { return [.delivered(message.id)] }
            return flaws.map { .poison($0.number, $0.reason) }
                + [.refused(message.id, last.reason, records: flaws.count)]
        }
    }
}
