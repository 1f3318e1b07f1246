// How a scan asks, and what it found.

internal import GatewayModel
package import ModbusDriver

/// What the technician chose.
package struct ScanSettings: Sendable {
    package var units: [UInt8]
    /// The first question to each unit.
    package var probe = RegisterAddress(.holdingRegister, 0)
    /// At one endpoint. A scan must not be felt by those who are using the device.
    package var requestsPerSecond = 20.0
    /// How long an answer may take; nil leaves it to the medium.
    package var timeout: Duration?
    package var connectTimeout = Duration.seconds(1)
    package var fingerprints: [ProfileFingerprint] = []

    package init(units: [UInt8]) { self.units = units }

    /// 1 to 10 are what people set, 255 is "the device itself" of TCP.
    package static let tcpUnits: [UInt8] = Array(1...10) + [255]
    /// As many as may share a line without repeaters (Serial Line V1.02, 3.4.1).
    package static let serialUnits: [UInt8] = Array(1...32)

    /// Thinking of 150 ms, and the time of request and answer on the wire. Behind TCP there may be a gateway that waits
    /// for its own serial line first.
    func timeout(for endpoint: ModbusEndpoint, answerBytes: Int) -> Duration {
        if let timeout { return timeout }
        guard case .serial(let line) = endpoint else { return .seconds(1) }
        return .milliseconds(150) + line.characterTime * (8 + answerBytes) + line.frameGap * 2
    }
}

/// One unit that answered.
package struct FoundUnit: Equatable, Sendable {
    package var endpoint: ModbusEndpoint
    package var unit: UInt8
    /// What came back to the first question, for people.
    package var answer: String
    package var roundTrip: Duration
    /// Objects of function 43/14.
    package var identification: [UInt8: String] = [:]
    package var sunSpec: SunSpecMap?
    /// `id@major` of the profiles whose `identify:` fits.
    package var profiles: [String] = []
    /// Unit ids that gave the same identification: very likely the same device.
    package var alsoUnits: [UInt8] = []

    package init(endpoint: ModbusEndpoint, unit: UInt8, answer: String, roundTrip: Duration) {
        self.endpoint = endpoint
        self.unit = unit
        self.answer = answer
        self.roundTrip = roundTrip
    }

    /// Vendor and model, as far as the device tells.
    package var title: String {
        let parts = [
            identification[0] ?? sunSpec?.manufacturer,
            identification[5] ?? identification[4] ?? identification[1]
                ?? sunSpec?.model,
        ].compactMap { $0 }.filter { !$0.isEmpty }
        return parts.joined(separator: " ").printable
    }

    /// True when two units can be told apart by nothing that they say.
    func isTwin(of other: FoundUnit) -> Bool {
        identification == other.identification && sunSpec == other.sunSpec && answer == other.answer
            && profiles == other.profiles
    }
}

/// How the scan of one endpoint ended.
package struct EndpointReport: Equatable, Sendable {
    package enum Ending: Equatable, Sendable {
        case complete
        /// No connection, or it was lost for good.
        case failed(ModbusError)
        case interrupted
    }
    package var endpoint: ModbusEndpoint
    package var ending = Ending.complete
    package var found: [FoundUnit] = []
    package var requests = 0
    /// Answers that were no correct frames: on a serial line a sign of the wrong speed or parity.
    package var garbled = 0

    package init(endpoint: ModbusEndpoint) { self.endpoint = endpoint }
}
