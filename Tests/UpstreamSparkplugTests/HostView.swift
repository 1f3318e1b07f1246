// What a host makes of an edge node's messages: names by the births, and every rule of the order broken is told.

import Foundation
import Sparkplug
import TestSupport

/// One message, read.
struct Heard {
    var verb: SparkplugVerb
    var device: String?
    var message: TestByteSubscriber.Message
    var payload: SparkplugPayload
    /// The metrics by their names, in order; aliases are looked up in the births before.
    var metrics: [(name: String, metric: SparkplugMetric)]

    func metric(_ name: String) -> SparkplugMetric? { metrics.last { $0.name == name }?.metric }
}

/// Follows one node. Strict: a breach is kept, not forgiven.
struct HostView {
    private(set) var heard: [Heard] = []
    private(set) var breaches: [String] = []
    private var names: [UInt64: (name: String, device: String?)] = [:]
    private var types: [UInt64: UInt32] = [:]
    private var alive: Set<String> = []
    private var isNodeAlive = false
    private var birthNumber: SparkplugMetric.Content?
    private var expected: UInt64 = 0

    init(_ messages: [TestByteSubscriber.Message]) { for message in messages { take(message) } }

    func all(_ verb: SparkplugVerb, _ device: String? = nil) -> [Heard] {
        heard.filter { $0.verb == verb && (device == nil || $0.device == device) }
    }

    private mutating func take(_ message: TestByteSubscriber.Message) {
        guard case .message(let verb, _, _, let device)? = SparkplugTopic(message.topic) else { return }
        guard verb != .nodeCommand, verb != .deviceCommand else { return }
        guard let payload = SparkplugPayload(message.payload) else {
            return breaches.append("no payload on \(message.topic)")
        }
        func breach(_ what: String) { breaches.append("\(heard.count) \(verb.rawValue) \(device ?? ""): \(what)") }
        // The broker's will and our own NDEATH have QoS 1 (tck-id-payloads-ndeath-will-message-qos).
        if message.qos != (verb == .nodeDeath ? 1 : 0) { breach("QoS \(message.qos)") }
        if message.isRetained { breach("retained") }
        let isBirth = verb == .nodeBirth || verb == .deviceBirth
        if verb == .nodeDeath {
            if payload.seq != nil { breach("a sequence number") }
            if payload.metrics.map(\.name) != ["bdSeq"] { breach("more than bdSeq") }
            // A late will of a former session is no death of this one.
            if payload.metrics.first?.content == birthNumber {
                isNodeAlive = false
                alive = []
            }
        } else {
            if verb == .nodeBirth { expected = 0 }
            if payload.seq != expected { breach("seq \(payload.seq ?? 999), not \(expected)") }
            expected = ((payload.seq ?? 0) + 1) % 256
            if payload.timestamp == nil { breach("no time") }
        }
        switch verb {
        case .nodeBirth:
            isNodeAlive = true
            alive = []
            names = [:]
            birthNumber = payload.metrics.first { $0.name == "bdSeq" }?.content
        case .deviceBirth:
            if !isNodeAlive { breach("before NBIRTH") }
            alive.insert(device ?? "")
            names = names.filter { $0.value.device != device }
        case .nodeData: if !isNodeAlive { breach("not born") }
        case .deviceData: if !isNodeAlive || !alive.contains(device ?? "") { breach("not born") }
        case .deviceDeath: if alive.remove(device ?? "") == nil { breach("not born") }
        default: break
        }
        var metrics: [(String, SparkplugMetric)] = []
        for metric in flat(payload.metrics) {
            if verb != .nodeDeath, metric.timestamp == nil, metric.name?.contains("@") != true {
                breach("no time of a metric")
            }
            if isBirth {
                if metric.datatype == nil { breach("\(metric.name ?? "") has no type") }
                if let alias = metric.alias {
                    if names[alias] != nil { breach("alias \(alias) twice") }
                    names[alias] = (metric.name ?? "", device)
                    types[alias] = metric.datatype
                }
                metrics.append((metric.name ?? "", metric))
            } else if verb != .nodeDeath {
                if metric.name != nil || metric.datatype != nil { breach("name or type in data") }
                guard let known = metric.alias.flatMap({ names[$0] }), known.device == device else {
                    breach("alias \(metric.alias ?? 0) is not born")
                    continue
                }
                metrics.append((known.name, metric))
            }
        }
        heard.append(Heard(verb: verb, device: device, message: message, payload: payload, metrics: metrics))
    }

    /// Metrics, with the members of instances behind their instance. Definitions have no aliases.
    private func flat(_ metrics: [SparkplugMetric]) -> [SparkplugMetric] {
        metrics.flatMap { metric -> [SparkplugMetric] in
            guard case .template(let template) = metric.content, !template.isDefinition else { return [metric] }
            return [metric] + flat(template.members)
        }
    }
}
