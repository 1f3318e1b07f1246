// How the payloads of a subscription are spelled, and where in them a value and the time stand.

internal import MQTTDriver

/// Reads the keys of a subscription that say what its payloads look like.
struct PayloadSection {
    let problems: Problems

    struct Result {
        var plan: PayloadPlan
        var order: BinaryField.Order
        var time: PayloadTimePlan?
    }

    private enum Kind: String, CaseIterable { case json, number, text, csv, binary, sparkplug, telegraf, edgex, thingsboard }

    func read(_ reader: MappingReader) -> Result {
        let kind = reader.value("payload", Notation<Kind>.word, default: .json)
        let each = reader.value("each", .jsonPath)
        if each != nil, kind != .json {
            problems.error(reader.place(of: "each"), "'each' is a path into JSON; this payload is \(kind.rawValue)")
        }
        let separator = reader.value("separator", .separator, default: UInt8(ascii: ","))
        if reader.has("separator"), kind != .csv {
            problems.error(reader.place(of: "separator"), "'separator' is for the payload csv")
        }
        let order = reader.value("byte_order", Notation<BinaryField.Order>.word, default: .ABCD)
        if reader.has("byte_order"), kind != .binary {
            problems.error(reader.place(of: "byte_order"), "'byte_order' is for the payload binary")
        }
        let plan: PayloadPlan =
            switch kind {
            case .json: .json(each: each)
            case .number: .number
            case .text: .text
            case .csv: .csv(separator: separator)
            case .binary: .binary
            case .sparkplug: .sparkplug
            case .telegraf: .shape(.telegraf)
            case .edgex: .shape(.edgex)
            case .thingsboard: .shape(.thingsboard)
            }
        if kind == .sparkplug { checkTopic(reader) }
        var result = Result(plan: plan, order: order)
        result.time = reader.mapping("time", "the time in the payload").flatMap { time($0, result) }
        // What the shapes say themselves; Telegraf can be told to speak another unit.
        if case .shape(let shape) = plan, result.time == nil {
            let unit: PayloadTimePlan.Unit = shape == .telegraf ? .s : shape == .edgex ? .ns : .ms
            result.time = PayloadTimePlan(at: .whole, unit: unit)
        }
        return result
    }

    /// Where the value of a tag, or the time, stands.
    func place(_ reader: MappingReader, _ payload: Result) -> FieldPlace? {
        switch payload.plan {
        case .json:
            guard let path = reader.required("at", .jsonPath) else { return nil }
            if path.steps.contains(.each) {
                problems.error(reader.place(of: "at"), "many values for one tag: '[*]' stands in 'each'")
            }
            return .path(path)
        case .number, .text:
            if reader.has("at") {
                _ = reader.node("at")
                problems.error(reader.place(of: "at"), "the whole payload is one value; 'at' says nothing here")
            }
            return .whole
        case .csv:
            return reader.required("at", .column).map { .column($0) }
        case .sparkplug:
            return reader.required(
                "at", .matching("a metric of the node, or device/metric") { !$0.isEmpty && $0.utf8.count <= 1024 }
            ).map { .metric($0) }
        case .shape:
            return reader.required("at", .shapeName).map { .named($0) }
        case .binary:
            guard let offset = reader.required("at", .integer(0...262_143)) else { return nil }
            guard let kind = reader.required("bytes", Notation<BinaryField.Kind>.word) else { return nil }
            return .bytes(BinaryField(offset: offset, kind: kind, order: payload.order))
        }
    }

    /// Node and devices count their messages together, so they are heard together.
    private func checkTopic(_ reader: MappingReader) {
        guard let text = reader.node("topic")?.text, let topic = TopicNotation.withoutShare(text) else { return }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        let isNode =
            levels.count == 5 && levels[0] == "spBv1.0" && levels[2] == "+" && levels[4] == "#"
            && ![levels[1], levels[3]].contains { $0.isEmpty || $0.contains("+") }
        if !isNode {
            problems.error(
                reader.place(of: "topic"), "a Sparkplug node is heard whole: spBv1.0/<group>/+/<node>/#; found '\(text)'")
        }
    }

    private func time(_ reader: MappingReader, _ payload: Result) -> PayloadTimePlan? {
        if payload.plan == .number || payload.plan == .text {
            problems.error(reader.place, "the whole payload is one value, and no time")
            return nil
        }
        let isSparkplug = payload.plan == .sparkplug
        if isSparkplug, reader.has("at") || reader.has("unit") {
            problems.error(reader.place, "a Sparkplug payload says its times by itself; 'past' and 'ahead' bound them")
        }
        var isShape = false
        if case .shape = payload.plan { isShape = true }
        let at = isSparkplug || isShape ? .whole : place(reader, payload)
        let unit = isSparkplug ? .ms : reader.required("unit", Notation<PayloadTimePlan.Unit>.word)
        if isShape, unit == .iso {
            problems.error(reader.place(of: "unit"), "the times of this shape are numbers")
        }
        let zone = reader.value("zone", .zone, default: 0)
        if reader.has("zone"), let unit, unit != .iso {
            problems.error(reader.place(of: "zone"), "a number counts from 1970 in UTC; 'zone' is for the unit iso")
        }
        let past = reader.value("past", .duration(from: .seconds(1), to: .seconds(3660 * 86400)))
        let ahead = reader.value("ahead", .duration(from: .zero, to: .seconds(366 * 86400)), default: .seconds(3600))
        reader.finish()
        guard let at, let unit else { return nil }
        return PayloadTimePlan(at: at, unit: unit, zoneSeconds: zone, past: past, ahead: ahead)
    }
}

extension Notation where Value == Int {
    /// A field of a line, from 1 as people count.
    fileprivate static var column: Notation {
        Notation(expected: "a column from 1 to 1000") { Int($0).flatMap { (1...1000).contains($0) ? $0 - 1 : nil } }
    }

    /// Seconds east of UTC.
    fileprivate static var zone: Notation {
        Notation(expected: "utc, or the hours from it such as +01:00") { text in
            if text == "utc" { return 0 }
            let digits = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
            guard let sign = text.first, sign == "+" || sign == "-", digits.count == 2,
                digits.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy(\.isDigit) }), let hours = Int(digits[0]),
                let minutes = Int(digits[1]), hours <= 14, minutes < 60
            else { return nil }
            return (hours * 3600 + minutes * 60) * (sign == "-" ? -1 : 1)
        }
    }
}

extension Notation where Value == ShapeName {
    /// `cpu.idle{host=a,cpu=cpu-total}`.
    fileprivate static var shapeName: Notation {
        Notation(expected: "a name such as cpu.idle, press-1.temp or cpu.idle{host=a}") { text in
            guard !text.isEmpty, text.utf8.count <= 1024 else { return nil }
            guard let open = text.firstIndex(of: "{") else { return ShapeName(name: text) }
            guard text.last == "}", open > text.startIndex else { return nil }
            var tags: [String: String] = [:]
            for pair in text[text.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false) {
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard sides.count == 2, !sides[0].isEmpty else { return nil }
                tags[String(sides[0])] = String(sides[1])
            }
            return ShapeName(name: String(text[..<open]), tags: tags)
        }
    }
}

extension Notation where Value == UInt8 {
    fileprivate static var separator: Notation {
        Notation(expected: "one character such as ';', or tab") { text in
            if text == "tab" { return UInt8(ascii: "\t") }
            guard text.utf8.count == 1, let byte = text.utf8.first, byte > 0x20, byte < 0x7F, !byte.isDigit,
                byte != UInt8(ascii: "\""), byte != UInt8(ascii: "."), byte != UInt8(ascii: "-")
            else { return nil }
            return byte
        }
    }
}
