// For those who hold back an acknowledgement until what they handed over is on the disk.

package import GatewayModel

extension Journal {
    /// Nothing becomes durable any more: it has run without a disk since the start.
    package var isRAMOnly: Bool { memory.withLock { $0.statistics.isRAMOnly } }

    /// The number that the next record gets: what was appended is below it.
    package var next: SequenceNumber { memory.withLock { SequenceNumber($0.next) } }

    /// Asks for a commit as soon as the disk can. Commits asked for together are one.
    package func commitSoon() {
        memory.withLock { $0.mustCommit = true }
        ringWriter()
    }
}
