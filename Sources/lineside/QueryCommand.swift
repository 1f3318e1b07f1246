// `lineside query`: what tags were, from the store or from a running gateway.

import ArgumentParser
import Export
import GatewayModel
import GatewayPlatform
import History
import Journal

struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query", abstract: "Show what tags were: mean, extremes, integrals or every reading.",
        discussion: """
              lineside query 'stamping/**/current_l1' --from -1h --step 5m
              lineside query stamping/line-2/press-7/meter/energy --from 2026-11-24 --aggregate last --step 1h --csv
              lineside query '**/state' --from -10m --aggregate raw --url http://127.0.0.1:8080

            Reads the store's folder, also beside a running gateway, which may hold back what is younger than 200 ms; with \
            --url it asks the gateway's API, which answers with 4096 rows of a tag at most. Buckets lie on multiples of \
            the step; those without a reading are left out. An integral is value × seconds: each value holds until the \
            next one, or for --hold. Text has no figures: take --aggregate raw. Exit code 1 when no tag matches.
            """)

    @Argument(help: "Tags by their whole names; * stands for one level or a part of it, ** for any levels.")
    var tags: [String]

    @OptionGroup var store: StoreOptions

    @Option(help: "Ask this gateway instead of reading a store: http://127.0.0.1:8080.")
    var url: String?

    @Option(parsing: .unconditional, help: "From when on: -1h, 2026-11-24, 2026-11-24T08:00:00Z.")
    var from = "-1h"

    @Option(parsing: .unconditional, help: "Up to when: now, or as above.")
    var to = "now"

    @Option(help: "Width of the buckets: 10s, 1m, 1h.")
    var step = "1m"

    @Option(help: "mean, min, max, first, last, count, integral or raw.")
    var aggregate = StoreQuestion.Figure.mean

    @Option(help: "Which readings count: good, usable (good and uncertain) or all.")
    var quality = Filter.usable

    @Option(help: "For integrals: how long a value holds without a further reading. Left out: until the next one.")
    var hold: String?

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "Print CSV, as 'journal export' does.")
    var csv = false

    enum Filter: String, CaseIterable, ExpressibleByArgument {
        case good, usable, all
        var filter: QualityFilter { self == .good ? .good : self == .usable ? .usable : .any }
    }

    /// Of more the history would widen the step by itself.
    private static let mostBuckets = 1_000_000.0

    func validate() throws {
        if tags.isEmpty { throw ValidationError("give at least one tag: lineside query '**/current_l1'") }
        if json && csv { throw ValidationError("give either --json or --csv") }
    }

    func run() throws {
        ProcessLimits.ignoreBrokenPipes()
        let now = SystemClock().wall()
        let question: StoreQuestion
        do {
            question = StoreQuestion(
                from: try TimeNotation.moment(from, now: now), to: try TimeNotation.moment(to, now: now),
                step: try TimeNotation.duration(step), figure: aggregate, filter: quality.filter,
                hold: try hold.map { (text) throws(TimeNotationError) in try TimeNotation.duration(text) })
        } catch { throw ValidationError("\(error)") }
        guard question.from < question.to else { throw ValidationError("--from must be before --to") }
        guard question.step > .zero else { throw ValidationError("--step must be above 0") }
        let buckets = question.to.duration(since: question.from) / question.step
        guard aggregate == .raw || buckets <= Self.mostBuckets else {
            throw ValidationError("--step is too short for that time: at most \(Int(Self.mostBuckets)) buckets")
        }
        let answers = try url.map { try ask($0, question) } ?? askStore(question, now: now)
        if json {
            Console.out(QueryReport.json(answers, question).text)
        } else if csv {
            try Console.write(QueryReport.csv(answers))
        } else {
            for line in QueryReport.lines(answers, question) { Console.out(line) }
        }
    }

    private func askStore(_ question: StoreQuestion, now: Timestamp) throws -> [TagAnswer] {
        let query = StoreQuery(try store.filledJournal(), now: now)
        let wanted = query.tags(matching: tags)
        guard !wanted.isEmpty else { throw nothing() }
        for tag in wanted where !tag.formerUnits.isEmpty {
            let former = tag.formerUnits.map { "'\($0)'" }.joined(separator: ", ")
            Console.error("\(tag.tag) was in \(former) before it was in '\(tag.unit)': older readings are as they were")
        }
        do {
            let (answers, gaps) = try query.answer(question, tags: wanted)
            for gap in gaps {
                Console.error(
                    "no record: numbers \(gap.first.value) to \(gap.last.value), \(gap.reason.word)"
                )
            }
            return answers
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
    }

    private func ask(_ url: String, _ question: StoreQuestion) throws -> [TagAnswer] {
        do {
            let client = try GatewayClient(url: url)
            func answer(_ path: String) throws -> JSONText {
                guard let answer = JSONText(parsing: try client.get(path)) else {
                    throw GatewayClientError(description: "\(url) answers with something that is no JSON")
                }
                return answer
            }
            var found: [String: TagAnswer] = [:]
            for pattern in tags {
                for tag in try RemoteQuery.tags(in: try answer(RemoteQuery.tags(matching: pattern))) {
                    found[tag.tag] = tag
                }
            }
            guard !found.isEmpty else { throw nothing() }
            return try found.values.sorted { $0.tag < $1.tag }.map { tag in
                try RemoteQuery.answer(tag, question, in: try answer(RemoteQuery.series(tag.tag, question)))
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
    }

    private func nothing() -> ExitCode {
        Console.error("no tag matches \(tags.map { "'\($0)'" }.joined(separator: ", "))")
        return .failure
    }
}

extension StoreQuestion.Figure: ExpressibleByArgument {}

enum QueryReport {
    static func lines(_ answers: [TagAnswer], _ question: StoreQuestion) -> [String] {
        var lines: [String] = []
        for answer in answers {
            if !lines.isEmpty { lines.append("") }
            let what =
                question.figure == .raw ? "every reading" : "\(question.figure.rawValue) of \(question.step.spelled)"
            let unit = unit(answer.unit, question.figure)
            lines.append("\(answer.tag)\(unit.isEmpty ? "" : ", \(unit)"): \(what)")
            if answer.rows.isEmpty { lines.append("  nothing in that time") }
            lines += TextTable.lines(
                answer.rows.map { row in
                    var cells = [row.time.rfc3339, spelled(row.value), name(row.quality)]
                    if question.figure != .raw && question.figure != .count { cells.append("\(row.count)") }
                    return cells
                }, leading: 1, indent: "  ")
        }
        return lines
    }

    /// At most seven digits: people compare, programs take --json.
    private static func spelled(_ value: Value) -> String {
        guard case .real(let number) = value, number.isFinite, number != 0 else { return value.description }
        var scale = 1.0
        while number.magnitude * scale < 1_000_000, scale < 1e9 { scale *= 10 }
        guard number.magnitude * scale < 1e15 else { return value.description }
        return Value.real((number * scale).rounded() / scale).description
    }

    static func name(_ quality: Quality) -> String {
        Quality.named.first { $0.quality == quality }?.name ?? quality.severity.rawValue
    }

    static func unit(_ unit: String, _ figure: StoreQuestion.Figure) -> String {
        switch figure {
        case .count: ""
        case .integral: unit.isEmpty || unit == "1" ? "s" : "\(unit)·s"
        default: unit == "1" ? "" : unit
        }
    }

    static func csv(_ answers: [TagAnswer]) -> [UInt8] {
        var encoder = CSVEncoder()
        for answer in answers {
            for row in answer.rows {
                encoder.append(
                    ExportRow(
                        timestamp: row.time, tag: answer.tag, unit: answer.unit, value: row.value, quality: row.quality)
                )
            }
        }
        encoder.finish()
        return encoder.ready
    }

    static func json(_ answers: [TagAnswer], _ question: StoreQuestion) -> JSONText {
        .array(
            answers.map { answer in
                .object([
                    ("tag", .string(answer.tag)), ("unit", .string(unit(answer.unit, question.figure))),
                    ("aggregate", .string(question.figure.rawValue)),
                    ("step", question.figure == .raw ? .null : .string(question.step.spelled)),
                    ("t", .array(answer.rows.map { .string($0.time.rfc3339Nanoseconds) })),
                    ("value", .array(answer.rows.map { json($0.value) })),
                    ("quality", .array(answer.rows.map { .string(name($0.quality)) })),
                    ("count", .array(answer.rows.map { .integer($0.count) })),
                ])
            })
    }

    private static func json(_ value: Value) -> JSONText {
        switch value {
        case .none: .null
        case .boolean(let flag): .boolean(flag)
        case .integer(let number): .integer(number)
        case .real(let number): .number(number)
        case .text(let text): .string(text)
        }
    }
}
