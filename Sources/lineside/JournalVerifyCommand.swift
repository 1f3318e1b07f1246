// `lineside journal verify`: reads every frame of a store and says exactly what is damaged.

import ArgumentParser
import Export
import GatewayModel
import Journal

struct JournalVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read every frame: checksums, numbers, cursors; say exactly what is damaged.",
        discussion: """
            Reads the whole store, at the disk's speed. Changes nothing and repairs nothing: the gateway steps over \
            damage by itself, and tells its sinks which numbers are gone. Exit codes: 0 it is whole, 1 it could not be \
            read at all, 3 something is damaged.
            """)

    @OptionGroup var store: StoreOptions

    @Flag(help: "Print JSON.")
    var json = false

    static let damaged = ExitCode(3)

    func run() throws {
        let journal = try store.filledJournal()
        let result = journal.verify()
        if json {
            Console.out(Self.json(result).text)
        } else {
            for finding in result.findings {
                let line = Self.line(finding)
                if finding.weight == .damage { Console.error("damaged: \(line)") } else { Console.out("note: \(line)") }
            }
            Console.out(Self.summary(result))
        }
        if !result.isWhole { throw Self.damaged }
    }

    static func line(_ finding: StoreFinding) -> String {
        var parts: [String] = []
        if let file = finding.file { parts.append(finding.segment.map { "\(file), segment \($0)" } ?? file) }
        if let bytes = finding.bytes, !bytes.isEmpty {
            parts.append("bytes \(bytes.lowerBound) to \(bytes.upperBound - 1)")
        }
        parts.append(finding.what)
        if let numbers = finding.numbers {
            let count = numbers.upperBound - numbers.lowerBound + 1
            let verb = finding.weight == .damage ? "lost" : "gone"
            parts.append("numbers \(numbers.lowerBound) to \(numbers.upperBound) (\(count)) are \(verb)")
        }
        return parts.joined(separator: ": ")
    }

    static func summary(_ result: StoreVerification) -> String {
        func counted(_ count: some BinaryInteger, _ noun: String) -> String {
            "\(count) \(noun)\(count == 1 ? "" : "s")"
        }
        let parts: [String?] = [
            counted(result.segments, "segment"), counted(result.frames, "frame"), counted(result.records, "record"),
            result.columnParts > 0 ? "\(counted(result.columnReadings, "reading")) as columns" : nil,
            "\(counted(result.bytes, "byte")) read",
        ]
        let read = parts.compactMap(\.self).joined(separator: ", ")
        guard !result.isWhole else { return "\(read): whole" }
        let lost = result.lost.reduce(UInt64(0)) { $0 + ($1.upperBound - $1.lowerBound + 1) }
        let count = result.findings.count { $0.weight == .damage }
        return "\(read): \(counted(count, "damaged place")), \(counted(lost, "number")) lost"
    }

    static func json(_ result: StoreVerification) -> JSONText {
        let findings = result.findings.map { finding in
            JSONText.object([
                ("damage", .boolean(finding.weight == .damage)), ("what", .string(finding.what)),
                ("file", .optional(finding.file) { .string($0) }),
                ("segment", .optional(finding.segment) { .integer($0) }),
                ("first_byte", .optional(finding.bytes) { .integer($0.lowerBound) }),
                ("end_byte", .optional(finding.bytes) { .integer($0.upperBound) }),
                ("first", .optional(finding.numbers) { .integer($0.lowerBound) }),
                ("last", .optional(finding.numbers) { .integer($0.upperBound) }),
            ])
        }
        return .object([
            ("whole", .boolean(result.isWhole)), ("segments", .integer(result.segments)),
            ("frames", .integer(result.frames)), ("records", .integer(result.records)),
            ("column_parts", .integer(result.columnParts)), ("column_readings", .integer(result.columnReadings)),
            ("bytes", .integer(result.bytes)), ("findings", .array(findings)),
            ("lost", .array(result.lost.map { .array([.integer($0.lowerBound), .integer($0.upperBound)]) })),
        ])
    }
}
