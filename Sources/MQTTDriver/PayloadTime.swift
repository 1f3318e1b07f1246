// When a payload says that it was measured, and whether that can be true.

package import GatewayModel

extension PayloadTimePlan.Unit {
    /// 10^power nanoseconds make one of these.
    fileprivate var power: Int {
        switch self {
        case .s: 9
        case .ms: 6
        case .us: 3
        case .ns: 0
        }
    }
}

/// The window in which a payload's time is believed. A clock that was never set says 1970; a wrong unit lands
/// thousands of years away.
package enum PayloadTime {
    /// 2000-01-01T00:00:00Z: before it no sensor of today measured anything.
    package static let earliest = Timestamp(nanoseconds: 946_684_800_000_000_000)
    /// A clock that runs ahead is tolerated up to a summer-time mistake.
    package static let ahead = Duration.seconds(3600)

    /// The time in `field`, exact to the nanosecond; nil when there is none or it cannot be true.
    package static func timestamp(of field: JSONField, unit: PayloadTimePlan.Unit, arrival: Timestamp) -> Timestamp? {
        guard case .number(let number) = field, let nanoseconds = number.scaled(by: unit.power) else { return nil }
        let timestamp = Timestamp(nanoseconds: nanoseconds)
        return (earliest...arrival.advanced(by: ahead)).contains(timestamp) ? timestamp : nil
    }
}
