// A channel's budget as people and programs read it.

import GatewayModel
import ModbusDriver

/// One channel of `lineside plan`.
struct PlanReport {
    let budget: ChannelBudget
    let tags: TagTable
    let isVerbose: Bool
    /// Whose lessons the plan follows; nil for none.
    var taught: String?

    var lines: [String] {
        var lines = ["\(budget.name): \(budget.endpoint)"]
        if let taught { lines.append("  \(taught)") }
        if budget.isAssumed { lines.append("  \(assumption)") }
        lines += Self.table([Self.header] + budget.classes.map(row)).map { "  " + $0 }
        lines.append("  busy \(Self.percent(budget.utilisation)) of the time")
        if isVerbose {
            for entry in budget.classes {
                lines.append("  requests of \(entry.deviceName), \(entry.name):")
                for request in entry.plan.requests { lines += requestLines(request, entry) }
            }
        }
        if !budget.dearest.isEmpty {
            lines.append("  dearest tags (what a cycle would save without one):")
            lines += Self.table(
                budget.dearest.map {
                    [
                        tags.path(of: $0.tag), "\(Self.fixed(Double($0.saved.nanoseconds) / 1e6, 2)) ms",
                        Self.percent($0.utilisation),
                    ]
                },
                leading: 1
            ).map { "    " + $0 }
        }
        lines += budget.overloads.map { "  warning: \(warning($0))" }
        return lines
    }

    /// What the figures of a channel without a baud rate rest on.
    private var assumption: String {
        let cost = budget.endpoint.cost
        let (request, register) = (Self.fixed(cost.request / 1e6, 1), Self.fixed(cost.register / 1e6, 3))
        let what = budget.endpoint.framing == .tcp ? "" : ", a line of 19200 baud behind it"
        return "times are an assumption until measured: \(request) ms a request, \(register) ms a register\(what)"
    }

    private static let header = [
        "device", "unit", "class", "period", "requests", "wanted", "read", "ms/cycle", "share",
    ]

    private func row(_ entry: ChannelBudget.ScanClass) -> [String] {
        [
            entry.deviceName, String(entry.unitID), entry.name,
            entry.isContinuous ? "continuous" : entry.period.spelled,
            String(entry.plan.requests.count), Self.amount(entry.wanted, entry.bitsWanted),
            Self.amount(entry.read, entry.bitsRead), Self.milliseconds(entry.cycle), Self.percent(entry.utilisation),
        ]
    }

    private func requestLines(_ request: ReadRequest, _ entry: ChannelBudget.ScanClass) -> [String] {
        let first = RegisterAddress(request.table, request.address)
        let last = RegisterAddress(request.table, request.address &+ request.count &- 1)
        let what = request.table.isBits ? "bits" : "registers"
        let names = entry.plan.fields[request.fields].map { tags[$0.tag].name }
        return ["    \(request.count) \(what): \(first.notations)  to  \(last.notations)"]
            + Self.wrapped(names).map { "      " + $0 }
    }

    private func warning(_ overload: ChannelBudget.Overload) -> String {
        let entry = budget.classes[overload.scanClass]
        var speed = "on this channel"
        if case .serial(let line) = budget.endpoint { speed = "at \(line.baud) baud" }
        let scan = "'\(entry.name)' of \(entry.deviceName)"
        if overload.isShared {
            return "\(scan) cannot be held \(speed), nor can the others: together they take "
                + "\(Self.percent(budget.utilisation)) of the time; with this and the others stretched likewise, "
                + "\(overload.needed.spelled) instead of \(entry.period.spelled) can"
        }
        return "\(scan) cannot be held \(speed): a cycle takes \(Self.milliseconds(entry.cycle)) ms beside the others; "
            + "the shortest period that can is \(overload.needed.spelled), not \(entry.period.spelled)"
    }

    // MARK: JSON

    var json: String {
        let classes = budget.classes.map { entry in
            let requests = entry.plan.requests.map { request in
                let names = entry.plan.fields[request.fields].map { Self.quoted(tags[$0.tag].name) }
                return """
                    {"table":"\(request.table.abbreviation)","address":\(request.address),"count":\(request.count),\
                    "tags":[\(names.joined(separator: ","))]}
                    """
            }
            return """
                {"device":\(Self.quoted(entry.deviceName)),"unit_id":\(entry.unitID),\
                "class":\(Self.quoted(entry.name)),\
                "period":\(entry.isContinuous ? "null" : Self.milliseconds(entry.period)),\
                "cycle":\(Self.milliseconds(entry.cycle)),\
                "utilisation":\(Self.fixed(entry.utilisation, 4)),"registers_wanted":\(entry.wanted),\
                "registers_read":\(entry.read),"bits_wanted":\(entry.bitsWanted),"bits_read":\(entry.bitsRead),\
                "requests":[\(requests.joined(separator: ","))]}
                """
        }
        let dearest = budget.dearest.map {
            """
            {"tag":\(Self.quoted(tags.path(of: $0.tag))),"saved":\(Self.milliseconds($0.saved)),\
            "utilisation":\(Self.fixed($0.utilisation, 4))}
            """
        }
        let overloads = budget.overloads.map {
            """
            {"device":\(Self.quoted(budget.classes[$0.scanClass].deviceName)),\
            "class":\(Self.quoted(budget.classes[$0.scanClass].name)),"shortest":\(Self.milliseconds($0.needed))}
            """
        }
        return """
            {"channel":\(Self.quoted(budget.name)),"endpoint":\(Self.quoted("\(budget.endpoint)")),\
            "assumed":\(budget.isAssumed),"utilisation":\(Self.fixed(budget.utilisation, 4)),\
            "classes":[\(classes.joined(separator: ","))],"dearest":[\(dearest.joined(separator: ","))],\
            "overloads":[\(overloads.joined(separator: ","))]}
            """
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    // MARK: text

    /// `48`, `40 bits`, `48 + 40 bits`.
    private static func amount(_ registers: Int, _ bits: Int) -> String {
        if bits == 0 { return String(registers) }
        return registers == 0 ? "\(bits) bits" : "\(registers) + \(bits) bits"
    }

    private static func milliseconds(_ duration: Duration) -> String { fixed(Double(duration.nanoseconds) / 1e6, 1) }
    private static func percent(_ share: Double) -> String { "\(fixed(share * 100, 1)) %" }

    private static func fixed(_ number: Double, _ digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((number.magnitude * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        let sign = number < 0 && scaled > 0 ? "-" : ""
        return "\(sign)\(scaled / scale).\(String(repeating: "0", count: max(0, digits - fraction.count)))\(fraction)"
    }

    /// Columns side by side; the first to the left, figures to the right.
    private static func table(_ rows: [[String]], leading: Int = 1) -> [String] {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in rows.reduce(0) { max($0, $1[column].count) } }
        return rows.map { row in
            row.enumerated().map { column, text in
                let blanks = String(repeating: " ", count: widths[column] - text.count)
                return column < leading ? text + blanks : blanks + text
            }.joined(separator: "  ")
        }
    }

    /// Names side by side in lines of at most 100 characters.
    private static func wrapped(_ names: [String]) -> [String] {
        var lines: [String] = []
        for name in names {
            if let last = lines.last, last.count + name.count + 2 <= 100 {
                lines[lines.count - 1] = last + ", " + name
            } else {
                lines.append(name)
            }
        }
        return lines
    }
}
