// How far a value can be trusted, in the words of OPC UA.

/// A quality with its reason, as the upper 16 bits of an OPC UA status code.
///
/// The lower 16 bits of a status code are flags that Lineside doesn't use, so 16 bits say everything and a reading
/// stays at 24 bytes. Source: OPC Foundation, UA-Nodeset `Schema/StatusCode.csv`.
package struct Quality: Hashable, Sendable, BitwiseCopyable {
    package var rawValue: UInt16

    @inlinable package init(rawValue: UInt16) { self.rawValue = rawValue }
    private init(statusCode: UInt32) { rawValue = UInt16(statusCode >> 16) }

    package enum Severity: String, Sendable, CaseIterable { case good, uncertain, bad }

    /// Bits 31 and 30 of the status code: 00 good, 01 uncertain, 10 (and the reserved 11) bad.
    @inlinable package var severity: Severity {
        switch rawValue >> 14 {
        case 0: .good
        case 1: .uncertain
        default: .bad
        }
    }
    @inlinable package var isGood: Bool { rawValue >> 14 == 0 }
    @inlinable package var isBad: Bool { rawValue >> 15 == 1 }

    /// The OPC UA status code.
    package var statusCode: UInt32 { UInt32(rawValue) << 16 }

    package static let good = Quality(statusCode: 0)
    package static let uncertainLastUsableValue = Quality(statusCode: 0x4090_0000)
    package static let uncertainEngineeringUnitsExceeded = Quality(statusCode: 0x4094_0000)
    /// Made of less than there was, such as what was counted after a reset.
    package static let uncertainDataSubNormal = Quality(statusCode: 0x40A4_0000)
    package static let badTimeout = Quality(statusCode: 0x800A_0000)
    package static let badDecodingError = Quality(statusCode: 0x8007_0000)
    package static let badCommunicationError = Quality(statusCode: 0x8005_0000)
    package static let badConnectionClosed = Quality(statusCode: 0x80AE_0000)
    package static let badNoCommunication = Quality(statusCode: 0x8031_0000)
    package static let badWaitingForInitialData = Quality(statusCode: 0x8032_0000)
    package static let badNotSupported = Quality(statusCode: 0x803D_0000)
    package static let badResourceUnavailable = Quality(statusCode: 0x8004_0000)
    package static let badConfigurationError = Quality(statusCode: 0x8089_0000)
    package static let badDeviceFailure = Quality(statusCode: 0x808B_0000)
    package static let badSensorFailure = Quality(statusCode: 0x808C_0000)
    package static let badDataLost = Quality(statusCode: 0x809D_0000)
    package static let badTypeMismatch = Quality(statusCode: 0x8074_0000)
    /// A calculation that has no result: a division by zero, the root of a negative number.
    package static let badOutOfRange = Quality(statusCode: 0x803C_0000)
    package static let badNumericOverflow = Quality(statusCode: 0x8112_0000)

    /// Every quality that this gateway gives, with the name that OPC UA gives it.
    package static let named: [(quality: Quality, name: String)] = [
        (.good, "Good"),
        (.uncertainLastUsableValue, "UncertainLastUsableValue"),
        (.uncertainEngineeringUnitsExceeded, "UncertainEngineeringUnitsExceeded"),
        (.uncertainDataSubNormal, "UncertainDataSubNormal"),
        (.badTimeout, "BadTimeout"),
        (.badDecodingError, "BadDecodingError"),
        (.badCommunicationError, "BadCommunicationError"),
        (.badConnectionClosed, "BadConnectionClosed"),
        (.badNoCommunication, "BadNoCommunication"),
        (.badWaitingForInitialData, "BadWaitingForInitialData"),
        (.badNotSupported, "BadNotSupported"),
        (.badResourceUnavailable, "BadResourceUnavailable"),
        (.badConfigurationError, "BadConfigurationError"),
        (.badDeviceFailure, "BadDeviceFailure"),
        (.badSensorFailure, "BadSensorFailure"),
        (.badDataLost, "BadDataLost"),
        (.badTypeMismatch, "BadTypeMismatch"),
        (.badOutOfRange, "BadOutOfRange"),
        (.badNumericOverflow, "BadNumericOverflow"),
    ]

    /// The OPC UA name, e.g. `BadTimeout`; for a code from elsewhere its severity and number.
    package var name: String {
        if let known = Self.named.first(where: { $0.quality == self }) { return known.name }
        return "\(severity.rawValue) 0x\(String(statusCode, radix: 16, uppercase: true))"
    }
}
