// One line of the audit trail: what it says and how it is spelled.

internal import Crypto
package import GatewayModel

/// One thing that happened to a request.
package struct AuditRecord: Equatable, Sendable {
    package enum Event: String, Sendable, CaseIterable {
        /// The write is about to go out. On disk before the first byte goes to the device.
        case accepted
        /// The device has the value; read back.
        case done
        case failed
        case refused
        /// `count` requests were refused that got no line of their own.
        case suppressed
    }
    package var time: Timestamp
    package var event: Event
    /// The sender's name for the request.
    package var id = ""
    package var who = ""
    package var door: WriteDoor?
    package var tag = ""
    /// What the tag said before.
    package var old: Value?
    /// What was asked for; of `done` and `failed` what was read back.
    package var new: Value?
    package var reason = ""
    /// When a signed command expires: no command up to the latest of them is ever taken again.
    package var expires: Timestamp?
    package var count: Int?

    package init(time: Timestamp, event: Event) {
        self.time = time
        self.event = event
    }

    /// - Parameter previous: the hash of the line before, in hexadecimal.
    func line(sequence: UInt64, previous: String) -> [UInt8] {
        var object = JSONObject()
        object.member("seq", sequence)
        object.member("time", time.rfc3339)
        object.member("ns", time.nanoseconds)
        object.member("event", event.rawValue)
        if !id.isEmpty { object.member("id", id) }
        if !who.isEmpty { object.member("who", who) }
        if let door { object.member("door", door.rawValue) }
        if !tag.isEmpty { object.member("tag", tag) }
        if let old { object.member("old", old) }
        if let new { object.member("new", new) }
        if !reason.isEmpty { object.member("reason", reason) }
        if let expires { object.member("expires", expires.nanoseconds / 1_000_000) }
        if let count { object.member("count", count) }
        object.member("prev", previous)
        return object.bytes
    }
}

/// A line as it was found on disk.
package struct AuditLine: Equatable, Sendable {
    package var sequence: UInt64
    package var previous: String
    package var record: AuditRecord

    /// - Returns: nil when the bytes are no line of an audit trail.
    init?(_ bytes: [UInt8]) {
        guard let members = try? FlatJSON.members(of: bytes),
            case .number(.integer(let sequence)) = members["seq"]?.scalar, sequence > 0,
            case .number(.integer(let time)) = members["ns"]?.scalar,
            case .text(let event) = members["event"]?.scalar, let event = AuditRecord.Event(rawValue: event),
            case .text(let previous) = members["prev"]?.scalar, previous.utf8.count == 64
        else { return nil }
        self.sequence = UInt64(sequence)
        self.previous = previous
        record = AuditRecord(time: Timestamp(nanoseconds: time), event: event)
        func text(_ key: String) -> String {
            if case .text(let text) = members[key]?.scalar { text } else { "" }
        }
        func value(_ key: String) -> Value? {
            switch members[key]?.scalar {
            case .number(let number): number
            case .boolean(let flag): .boolean(flag)
            case .text(let text): .text(text)
            case .null, nil: nil
            }
        }
        record.id = text("id")
        record.who = text("who")
        record.door = WriteDoor(rawValue: text("door"))
        record.tag = text("tag")
        record.old = value("old")
        record.new = value("new")
        record.reason = text("reason")
        if case .integer(let expires) = value("expires") {
            let (nanoseconds, overflow) = expires.multipliedReportingOverflow(by: 1_000_000)
            record.expires = overflow ? nil : Timestamp(nanoseconds: nanoseconds)
        }
        if case .integer(let count) = value("count") { record.count = Int(count) }
    }
}

extension AuditLine {
    /// For people: `2026-11-24T06:00:00.000Z done hall/press/drive/set_point 20 -> 21.5 by scada over mqtt: reason`.
    package var spelled: String {
        var text = "\(sequence) \(record.time.rfc3339) \(record.event.rawValue)"
        if !record.tag.isEmpty { text += " \(record.tag)" }
        if let count = record.count { text += " \(count)" }
        if record.old != nil || record.new != nil {
            text += " \(record.old.map { "\($0) -> " } ?? "")\(record.new.map { "\($0)" } ?? "?")"
        }
        if !record.who.isEmpty { text += " by \(record.who)" }
        if let door = record.door { text += " over \(door.rawValue)" }
        if !record.reason.isEmpty { text += ": \(record.reason)" }
        // What a sender wrote must not steer a terminal.
        return String(
            text.map { $0.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) } ? " " : $0 })
    }
}

enum AuditHash {
    /// What the first line of a trail has for the line before it.
    static let first = String(repeating: "0", count: 64)

    /// SHA-256 of a line's bytes, without its line feed, in lower-case hexadecimal.
    static func of(_ line: some Sequence<UInt8>) -> String { hexadecimal(SHA256.hash(data: Array(line))) }

    static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            let digits = String(byte, radix: 16)
            text += digits.utf8.count == 1 ? "0" + digits : digits
        }
        return text
    }
}
