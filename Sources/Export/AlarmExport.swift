// The changes of alarms in a store, as CSV.

internal import GatewayModel
package import Journal

/// One line for each change, in the order in which they came. Alarms are few: they are read from their own frames, and
/// readings are passed.
package struct AlarmExport {
    package static let header =
        "time,alarm,state,priority,device,tag,value,limit,unit,since,message,action,clock\r\n"

    private let journal: Journal
    private let selection: ReadingSelection

    /// - Parameter selection: by the tag that decided, and by the time of the change.
    package init(_ journal: Journal, _ selection: ReadingSelection) {
        (self.journal, self.selection) = (journal, selection)
    }

    /// - Parameters:
    ///   - goOn: asked now and then; false ends it.
    ///   - write: takes bytes in order.
    /// - Returns: how much that was, and the files that could not be read to their end.
    package func run(
        goOn: () -> Bool = { true }, write: ([UInt8]) throws -> Void
    ) throws -> (outcome: ExportOutcome, unread: [String]) {
        var outcome = ExportOutcome()
        func tell(_ bytes: [UInt8]) throws {
            try write(bytes)
            outcome.bytes += Int64(bytes.count)
        }
        try tell(Array(Self.header.utf8))
        let unread = try journal.alarms(goOn: goOn) { _, transition in
            guard transition.timestamp >= selection.from, transition.timestamp < selection.to,
                selection.selects("\(transition.device)/\(transition.tag)")
            else { return }
            try tell(Self.line(transition))
            outcome.rows += 1
        }
        return (outcome, unread)
    }

    static func line(_ transition: AlarmTransition) -> [UInt8] {
        let fields = [
            transition.timestamp.rfc3339Nanoseconds, transition.alarm,
            transition.state == .active ? "active" : "cleared", transition.priority.name, transition.device,
            transition.tag, transition.value.description, transition.limit.description, transition.unit,
            transition.since.rfc3339Nanoseconds, transition.message, transition.action, transition.clock.name,
        ]
        var bytes: [UInt8] = []
        for (place, field) in fields.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(csv: field)
        }
        return bytes + [13, 10]
    }
}
