// `lineside journal inspect`: segments, cursors, gaps, tables and standing alarms of a store.

import ArgumentParser
import Commissioning
import Export
import GatewayModel
import Journal

struct JournalInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show segments, cursors, gaps, tag tables and standing alarms.",
        discussion: """
            A sealed segment is known by its seal; one without is read whole. Nothing of the readings is checked: that \
            is 'journal verify'. Exit code 1 when there is no store.
            """)

    @OptionGroup var store: StoreOptions

    @Flag(help: "Print JSON, times in RFC 3339.")
    var json = false

    func run() throws {
        let found = try store.filledJournal().inspection()
        if json {
            Console.out(Self.json(found).text)
        } else {
            for line in Self.lines(found) { Console.out(line) }
        }
    }
}

extension JournalInspectCommand {
    static func lines(_ found: StoreInspection) -> [String] {
        var lines = ["stream \(found.stream)", found.summary, ""]
        let header = ["segment", "file", "state", "numbers", "records", "bytes", "first time", "last time"]
        lines += TextTable.lines([header] + found.segments.map { row($0, found) }, leading: 4)
        for slot in found.slots {
            switch slot.state {
            case .segment: break
            case .blank: lines.append("\(slot.file): not used yet")
            case .dead: lines.append("\(slot.file): given up, to be used again")
            case .otherStore: lines.append("\(slot.file): of another store")
            case .newerVersion: lines.append("\(slot.file): written by a newer version, left alone")
            case .damagedHeader: lines.append("\(slot.file): its header can't be read")
            case .unreadable(let why): lines.append("\(slot.file): \(why)")
            }
        }
        if !found.columns.isEmpty {
            lines += ["", "history as columns:"]
            let header = ["segment", "file", "numbers", "parts", "readings", "bytes", "first time", "last time"]
            lines += TextTable.lines(
                [header]
                    + found.columns.map { columns in
                        [
                            String(columns.number), columns.file, "\(columns.first) to \(columns.last)",
                            String(columns.parts), String(columns.readings), String(columns.byteCount),
                            columns.times?.lowerBound.rfc3339 ?? "-", columns.times?.upperBound.rfc3339 ?? "-",
                        ]
                    }, leading: 3)
        }
        lines += ["", found.cursors.isEmpty ? "no sink has a cursor" : "cursors:"]
        lines += TextTable.lines(
            found.cursors.map { cursor in
                var row = [cursor.sink, "at \(cursor.next.value)", "\(cursor.backlog.records) behind"]
                row.append(cursor.backlog.oldest.map { "since \($0.rfc3339)" } ?? "")
                return row
            }, leading: 1, indent: "  ")
        lines.append(found.gaps.isEmpty ? "no gaps" : "gaps:")
        lines += found.gaps.map {
            "  \($0.first.value) to \($0.last.value): \($0.reason.word), \($0.timestamp.rfc3339)"
        }
        let tables = Self.tables(found)
        lines.append("tag tables:")
        lines += tables.map { table in
            "  \(Self.hexadecimal(table.generation)): \(table.site), \(table.devices) devices, \(table.tags) tags"
        }
        lines.append(found.standingAlarms.isEmpty ? "no alarm stands" : "standing alarms:")
        lines += found.standingAlarms.map {
            "  \($0.alarm), \($0.priority.name), since \($0.since.rfc3339): \($0.message)"
        }
        return lines
    }

    private static func row(_ segment: InspectedSegment, _ found: StoreInspection) -> [String] {
        let slot = found.slots.first {
            if case .segment(let other) = $0.state { other.number == segment.number } else { false }
        }
        let last = segment.next.map { $0 > segment.first ? String($0 - 1) : "none" } ?? "?"
        return [
            String(segment.number), slot?.file ?? "?", state(segment), "\(segment.first) to \(last)",
            segment.records.map(String.init) ?? "?", (segment.usedBytes ?? slot?.byteCount).map { String($0) } ?? "?",
            segment.times?.lowerBound.rfc3339 ?? "-", segment.times?.upperBound.rfc3339 ?? "-",
        ]
    }

    static func state(_ segment: InspectedSegment) -> String {
        let state =
            switch segment.ending {
            case .sealed(let isCleanStop): isCleanStop ? "stopped" : "sealed"
            case .open: segment.isNewest ? "open" : "unsealed"
            }
        return segment.hasHalfHeader ? "\(state), half a header" : state
    }

    /// Each once, the newest last.
    private static func tables(_ found: StoreInspection) -> [SurveyedTable] {
        found.segments.flatMap(\.tables).reduce(into: []) { tables, table in
            tables.removeAll { $0.generation == table.generation }
            tables.append(table)
        }
    }

    static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    static func json(_ found: StoreInspection) -> JSONText {
        func time(_ timestamp: Timestamp?) -> JSONText { .optional(timestamp) { .string($0.rfc3339Nanoseconds) } }
        let slots = found.slots.map { slot -> JSONText in
            var members: [(String, JSONText)] = [("file", .string(slot.file)), ("bytes", .integer(slot.byteCount))]
            switch slot.state {
            case .blank: members.append(("state", .string("blank")))
            case .dead: members.append(("state", .string("dead")))
            case .otherStore: members.append(("state", .string("other_store")))
            case .newerVersion: members.append(("state", .string("newer_version")))
            case .damagedHeader: members.append(("state", .string("damaged_header")))
            case .unreadable(let why): members += [("state", .string("unreadable")), ("error", .string(why))]
            case .segment(let segment):
                members += [
                    ("state", .string(state(segment))), ("segment", .integer(segment.number)),
                    ("created", time(segment.created)), ("clock_set", .boolean(segment.isClockSet)),
                    ("first", .integer(segment.first)), ("next", .optional(segment.next) { .integer($0) }),
                    ("records", .optional(segment.records) { .integer($0) }),
                    ("used_bytes", .optional(segment.usedBytes) { .integer($0) }),
                    ("from", time(segment.times?.lowerBound)), ("to", time(segment.times?.upperBound)),
                    ("half_header", .boolean(segment.hasHalfHeader)),
                    ("tables", .array(segment.tables.map { .string(hexadecimal($0.generation)) })),
                ]
            }
            return .object(members)
        }
        return .object([
            ("stream", .string(found.stream)), ("oldest", .integer(found.oldest.value)),
            ("end", .integer(found.end.value)), ("slots", .array(slots)),
            (
                "columns",
                .array(
                    found.columns.map { columns in
                        .object([
                            ("file", .string(columns.file)), ("segment", .integer(columns.number)),
                            ("bytes", .integer(columns.byteCount)), ("parts", .integer(columns.parts)),
                            ("readings", .integer(columns.readings)), ("first", .integer(columns.first)),
                            ("last", .integer(columns.last)), ("from", time(columns.times?.lowerBound)),
                            ("to", time(columns.times?.upperBound)),
                        ])
                    })
            ),
            (
                "cursors",
                .array(
                    found.cursors.map { cursor in
                        .object([
                            ("sink", .string(cursor.sink)), ("next", .integer(cursor.next.value)),
                            ("behind", .integer(cursor.backlog.records)), ("oldest", time(cursor.backlog.oldest)),
                        ])
                    })
            ),
            (
                "gaps",
                .array(
                    found.gaps.map { gap in
                        .object([
                            ("first", .integer(gap.first.value)), ("last", .integer(gap.last.value)),
                            ("reason", .string(gap.reason.word)), ("time", time(gap.timestamp)),
                        ])
                    })
            ),
            (
                "tables",
                .array(
                    tables(found).map { table in
                        .object([
                            ("table", .string(hexadecimal(table.generation))), ("site", .string(table.site)),
                            ("devices", .integer(table.devices)), ("tags", .integer(table.tags)),
                        ])
                    })
            ),
            (
                "standing_alarms",
                .array(
                    found.standingAlarms.map { alarm in
                        .object([
                            ("alarm", .string(alarm.alarm)), ("priority", .string(alarm.priority.name)),
                            ("since", time(alarm.since)), ("message", .string(alarm.message)),
                        ])
                    })
            ),
        ])
    }
}
