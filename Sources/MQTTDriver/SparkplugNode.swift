// What an edge node of Sparkplug B has said: births, aliases and the order of its messages. Without a clock and a link.

internal import GatewayModel
internal import GatewayPlatform
internal import Sparkplug

/// Follows one edge node and its devices, and finds the planned metrics in what they say (Sparkplug B 3.0, chapter 6).
///
/// Names are `metric` of the node itself and `device/metric` of a device; a member of a template is `template/member`.
struct SparkplugNode: Sendable {
    struct Sample: Equatable {
        /// Which of the planned metrics.
        var place: Int
        /// Nil: not what its type says.
        var value: Value?
        var quality: SparkplugQuality
        /// Milliseconds since 1970.
        var timestamp: UInt64?
    }

    /// What came of one message.
    struct Result: Equatable {
        var samples: [Sample] = []
        /// Planned metrics that nobody measures any more.
        var dead: [Int] = []
        var isUnreadable = false
        /// Something is missing: a birth, or messages in between.
        var isGap = false
        /// The node is to be asked for its births; true at most once in a while.
        var wantsRebirth = false
    }

    private struct Metric: Sendable {
        var name: String
        var type: SparkplugDataType?
    }

    /// A node that is asked all the time does nothing but answer.
    static let rebirthPause = Duration.seconds(5)
    /// Templates within templates.
    private static let depth = 8
    /// Metrics of one node, at most; what goes beyond has no alias here.
    private static let most = 100_000

    private let places: [String: Int]
    private var isBorn = false
    private var born: Set<String> = []
    private var lastSeq: UInt8?
    private var bdSeq: UInt64?
    private var aliases: [UInt64: Metric] = [:]
    private var types: [String: SparkplugDataType] = [:]
    private var asked: MonotonicTime?

    init(_ names: [String]) {
        places = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func take(_ topic: String, _ bytes: ArraySlice<UInt8>, now: MonotonicTime) -> Result {
        var result = Result()
        guard case .message(let verb, _, _, let device)? = SparkplugTopic(topic) else { return result }
        if verb == .nodeCommand || verb == .deviceCommand { return result }
        guard let payload = SparkplugPayload(bytes) else {
            result.isUnreadable = true
            return result
        }
        switch verb {
        case .nodeBirth:
            (isBorn, born, aliases, types) = (true, [], [:], [:])
            lastSeq = payload.seq.map { UInt8(truncatingIfNeeded: $0) }
            bdSeq = Self.bdSeq(payload)
            learn(payload, device: nil)
            find(payload, device: nil, &result)
        case .nodeDeath:
            // The will of a connection before the present one says nothing about this one.
            if let dying = Self.bdSeq(payload), let bdSeq, dying != bdSeq { return result }
            (isBorn, born, lastSeq) = (false, [], nil)
            result.dead = Array(places.values)
        case .deviceBirth:
            follow(payload, &result)
            if let device {
                born.insert(device)
                learn(payload, device: device)
            }
            find(payload, device: device, &result)
        case .deviceDeath:
            follow(payload, &result)
            if let device {
                born.remove(device)
                result.dead = places.filter { $0.key.hasPrefix("\(device)/") }.map(\.value)
            }
        case .nodeData, .deviceData:
            follow(payload, &result)
            // Without its birth nobody knows what an alias means.
            if let device, isBorn, !born.contains(device) { result.isGap = true }
            if isBorn { find(payload, device: device, &result) }
        case .nodeCommand, .deviceCommand: break
        }
        if !isBorn && verb != .nodeDeath { result.isGap = true }
        if result.isGap, asked.map({ now >= $0.advanced(by: Self.rebirthPause) }) ?? true {
            asked = now
            result.wantsRebirth = true
        }
        return result
    }

    /// One counter for the node and all of its devices, from 0 to 255 and round.
    private mutating func follow(_ payload: SparkplugPayload, _ result: inout Result) {
        guard let seq = payload.seq.map({ UInt8(truncatingIfNeeded: $0) }) else { return }
        if let lastSeq, seq != lastSeq &+ 1 { result.isGap = true }
        lastSeq = seq
    }

    private static func bdSeq(_ payload: SparkplugPayload) -> UInt64? {
        for metric in payload.metrics where metric.name == "bdSeq" {
            switch metric.content {
            case .int(let number): return UInt64(number)
            case .long(let number): return number
            default: return nil
            }
        }
        return nil
    }

    private mutating func learn(_ payload: SparkplugPayload, device: String?) {
        for metric in payload.metrics {
            guard let name = metric.name, types.count < Self.most else { continue }
            let full = device.map { "\($0)/\(name)" } ?? name
            let type = metric.datatype.flatMap(SparkplugDataType.init(rawValue:))
            if let alias = metric.alias { aliases[alias] = Metric(name: full, type: type) }
            if let type { types[full] = type }
            if case .template(let template) = metric.content { learn(template, under: full, depth: 1) }
        }
    }

    private mutating func learn(_ template: SparkplugTemplate, under name: String, depth: Int) {
        guard depth <= Self.depth else { return }
        for member in template.members {
            guard let own = member.name, types.count < Self.most else { continue }
            let full = "\(name)/\(own)"
            if let type = member.datatype.flatMap(SparkplugDataType.init(rawValue:)) { types[full] = type }
            if case .template(let inner) = member.content { learn(inner, under: full, depth: depth + 1) }
        }
    }

    private mutating func find(_ payload: SparkplugPayload, device: String?, _ result: inout Result) {
        for metric in payload.metrics {
            let known = metric.alias.flatMap { aliases[$0] }
            guard let name = metric.name.map({ name in device.map { "\($0)/\(name)" } ?? name }) ?? known?.name else {
                // An alias that no birth has told.
                result.isGap = true
                continue
            }
            take(
                metric, name: name, type: known?.type, time: metric.timestamp ?? payload.timestamp, depth: 0, &result)
        }
    }

    private func take(
        _ metric: SparkplugMetric, name: String, type: SparkplugDataType?, time: UInt64?, depth: Int,
        _ result: inout Result
    ) {
        if case .template(let template) = metric.content {
            guard depth < Self.depth, !template.isDefinition else { return }
            for member in template.members {
                guard let own = member.name else { continue }
                take(
                    member, name: "\(name)/\(own)", type: nil, time: member.timestamp ?? time, depth: depth + 1, &result)
            }
            return
        }
        guard let place = places[name] else { return }
        let told = metric.datatype.flatMap(SparkplugDataType.init(rawValue:)) ?? type ?? types[name]
        result.samples.append(
            Sample(place: place, value: told.flatMap { metric.value(as: $0) }, quality: metric.quality, timestamp: time))
    }

    /// `NCMD` with `Node Control/Rebirth` true (6.4.8); the topic is that of the node that `topic` is of.
    static func rebirth(of topic: String, at time: Timestamp) -> (topic: String, payload: [UInt8])? {
        guard case .message(_, let group, let node, _)? = SparkplugTopic(topic) else { return nil }
        let milliseconds = UInt64(max(0, time.nanoseconds) / 1_000_000)
        var payload = ProtobufBytes()
        payload.unsigned(1, milliseconds)
        payload.message(2) { metric in
            metric.text(1, "Node Control/Rebirth")
            metric.unsigned(3, milliseconds)
            metric.unsigned(4, UInt64(SparkplugDataType.boolean.rawValue))
            metric.flag(14, true)
        }
        return (SparkplugTopic.message(.nodeCommand, group: group, node: node, device: nil).text, payload.bytes)
    }
}
