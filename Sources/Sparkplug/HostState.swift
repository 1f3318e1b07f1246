// What a primary host says of itself: STATE messages, and what follows from their order.

/// The payload of `spBv1.0/STATE/<host>`: `{"online":true,"timestamp":1795467761000}` (Sparkplug B 3.0, 6.4.27).
package struct HostStatement: Equatable, Sendable {
    package var isOnline: Bool
    /// Milliseconds since 1970, as the host's clock has it.
    package var timestamp: UInt64

    package init(isOnline: Bool, timestamp: UInt64) {
        self.isOnline = isOnline
        self.timestamp = timestamp
    }

    /// Nil when it isn't a flat JSON object that holds both; other keys don't disturb.
    package init?(_ payload: [UInt8]) {
        guard payload.count <= 1024 else { return nil }
        var reader = FlatObjectReader(payload)
        var (isOnline, timestamp): (Bool?, UInt64?) = (nil, nil)
        guard
            reader.read({ key, value in
                if key == "online" { isOnline = value == "true" ? true : value == "false" ? false : nil }
                if key == "timestamp" { timestamp = UInt64(value) }
            }), let isOnline, let timestamp
        else { return nil }
        self.init(isOnline: isOnline, timestamp: timestamp)
    }
}

/// Whether the primary host is there, after all that it said. A pure value.
///
/// A statement older than the newest counts for nothing: the will of a host's former session may come after the birth of
/// its next.
package struct HostWatch: Equatable, Sendable {
    package private(set) var newest: HostStatement?

    package init() {}

    package var isOnline: Bool { newest?.isOnline ?? false }

    /// - Returns: false when the statement is older than one heard before.
    @discardableResult
    package mutating func heard(_ statement: HostStatement) -> Bool {
        if let newest, statement.timestamp < newest.timestamp { return false }
        newest = statement
        return true
    }

    /// A new connection: what the broker keeps comes again, and until then nobody is there.
    package mutating func connectionLost() {
        guard let timestamp = newest?.timestamp else { return }
        newest = HostStatement(isOnline: false, timestamp: timestamp)
    }
}

/// Reads one JSON object of texts, numbers and words; what is nested is none.
private struct FlatObjectReader {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Calls `found` with each key and value, texts with their quotes. False when the bytes are something else.
    mutating func read(_ found: (String, String) -> Void) -> Bool {
        guard take("{") else { return false }
        if take("}") { return isAtEnd }
        repeat {
            guard let key = text(), take(":"), let value = value() else { return false }
            found(String(key.dropFirst().dropLast()), value)
        } while take(",")
        return take("}") && isAtEnd
    }

    private var isAtEnd: Bool { bytes[place...].allSatisfy(Self.isBlank) }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    private mutating func take(_ wanted: Unicode.Scalar) -> Bool {
        while place < bytes.count, Self.isBlank(bytes[place]) { place += 1 }
        guard place < bytes.count, bytes[place] == UInt8(ascii: wanted) else { return false }
        place += 1
        return true
    }

    /// With its quotes; escapes stay as they are.
    private mutating func text() -> String? {
        let start = place
        guard take("\"") else { return nil }
        let first = place - 1
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard place < bytes.count else {
            place = start
            return nil
        }
        place += 1
        return String(decoding: bytes[first..<place], as: UTF8.self)
    }

    private mutating func value() -> String? {
        if let text = text() { return text }
        while place < bytes.count, Self.isBlank(bytes[place]) { place += 1 }
        let start = place
        while place < bytes.count, !Self.isBlank(bytes[place]), !",{}[]\":".utf8.contains(bytes[place]) { place += 1 }
        return start == place ? nil : String(decoding: bytes[start..<place], as: UTF8.self)
    }
}
