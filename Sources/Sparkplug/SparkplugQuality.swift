// Qualities in Sparkplug's three words.

package import GatewayModel

/// The value of the property `Quality` (Sparkplug B 3.0, 6.4.9.1).
package enum SparkplugQuality: UInt32, Sendable {
    case bad = 0
    case good = 192
    case stale = 500

    /// After the table of OPC UA codes: what is only old is stale, what is doubtful for another reason is told as good
    /// with the reason beside it, and a value of a device that may be another one is bad.
    package init(_ quality: Quality) {
        switch quality.rawValue {
        // UncertainNoCommunicationLastUsableValue, UncertainLastUsableValue, BadWaitingForInitialData
        case 0x408F, 0x4090, 0x8032: self = .stale
        // UncertainConfigurationError
        case 0x420F: self = .bad
        default: self = quality.isBad ? .bad : .good
        }
    }

    /// What a reading that came in with this word is worth here.
    package var quality: Quality {
        switch self {
        case .good: .good
        case .stale: .uncertainLastUsableValue
        case .bad: .badDeviceFailure
        }
    }
}

extension Quality {
    /// The device did not answer: what it says of one tag it would say of all.
    package var isSilence: Bool {
        switch rawValue {
        // BadTimeout, BadCommunicationError, BadNoCommunication, BadConnectionClosed
        case 0x800A, 0x8005, 0x8031, 0x80AE: true
        default: false
        }
    }
}
