// What the write service says of itself.

/// Counters since the start of the process.
package struct WriteStatistics: Equatable, Sendable {
    /// True when the site allows writes at all.
    package var isOn = false
    /// Let through by the guard and noted in the audit trail.
    package var accepted = 0
    package var done = 0
    package var failed = 0
    /// By `WriteRefusal.code`.
    package var refused: [String: Int] = [:]
    /// Lines in the audit trail by this process.
    package var auditLines = 0
    /// The last line of the trail: who keeps it elsewhere can tell later that everything up to it is whole.
    package var auditPin: AuditPin?
    /// Why the audit trail cannot be written; writes are refused meanwhile.
    package var auditTrouble: String?
    /// Damage that the start found in the trail.
    package var auditDamage: String?
    package init() {}

    /// For `/health`, one sentence each.
    package var troubles: [String] {
        guard isOn else { return [] }
        return [auditTrouble.map { "writes are refused: the audit trail cannot be written: \($0)" }, auditDamage]
            .compactMap { $0 }
    }
}
