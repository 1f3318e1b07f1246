// Topics of Sparkplug B: made and read.

/// What a message is.
package enum SparkplugVerb: String, Sendable, CaseIterable {
    case nodeBirth = "NBIRTH"
    case nodeDeath = "NDEATH"
    case nodeData = "NDATA"
    case nodeCommand = "NCMD"
    case deviceBirth = "DBIRTH"
    case deviceDeath = "DDEATH"
    case deviceData = "DDATA"
    case deviceCommand = "DCMD"

    package var isOfDevice: Bool {
        switch self {
        case .deviceBirth, .deviceDeath, .deviceData, .deviceCommand: true
        case .nodeBirth, .nodeDeath, .nodeData, .nodeCommand: false
        }
    }
}

/// A topic, apart: `spBv1.0/<group>/<verb>/<node>[/<device>]` or `spBv1.0/STATE/<host>`.
package enum SparkplugTopic: Equatable, Sendable {
    case message(SparkplugVerb, group: String, node: String, device: String?)
    case state(host: String)

    package static let namespace = "spBv1.0"

    /// Nil when it is not a topic of Sparkplug B, or has a level too many or too few.
    package init?(_ text: String) {
        let levels = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard levels.count >= 3, levels[0] == Self.namespace, levels.allSatisfy({ !$0.isEmpty }) else { return nil }
        if levels[1] == "STATE" {
            guard levels.count == 3 else { return nil }
            self = .state(host: levels[2])
            return
        }
        guard levels.count >= 4, let verb = SparkplugVerb(rawValue: levels[2]),
            levels.count == (verb.isOfDevice ? 5 : 4)
        else { return nil }
        self = .message(verb, group: levels[1], node: levels[3], device: verb.isOfDevice ? levels[4] : nil)
    }

    package var text: String {
        switch self {
        case .message(let verb, let group, let node, let device):
            "\(Self.namespace)/\(group)/\(verb.rawValue)/\(node)" + (device.map { "/\($0)" } ?? "")
        case .state(let host): "\(Self.namespace)/STATE/\(host)"
        }
    }

    /// An id that is one level of a topic: `/` becomes `:`, and what MQTT or brokers object to becomes `_`
    /// (Sparkplug B 3.0, 4.1; some brokers refuse spaces).
    package static func id(_ name: String) -> String {
        String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { scalar in
                    if scalar == "/" { return ":" }
                    return "+#$ ".unicodeScalars.contains(scalar) || scalar.properties.generalCategory == .control
                        ? "_" : scalar
                }))
    }

    /// Whether a text can be an id as it stands.
    package static func isID(_ text: String) -> Bool { !text.isEmpty && !text.contains("/") && id(text) == text }
}
