// Which refusals of a broker are for good.

/// What a refusal of a broker means (MQTT 5.0, table 2-6).
package enum Refusal {
    /// True when the message itself is the reason, so that sending it again cannot help: topic name invalid, packet
    /// too large, payload format invalid. Everything else (quota, rights, trouble inside) may pass with time.
    package static func isForGood(_ reason: UInt8) -> Bool { [0x90, 0x95, 0x99].contains(reason) }
}
