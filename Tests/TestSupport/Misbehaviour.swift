// Every way in which a broker of the tests can be hostile, by name.

/// What a hostile broker does to every client.
package struct Misbehaviour: Sendable, CustomStringConvertible {
    /// Bytes for a client of MQTT 5, or of 3.1.1.
    typealias Bytes = @Sendable (_ isNew: Bool) -> [UInt8]

    enum Act: Sendable {
        /// Closes the connection before anything was said.
        case closesAtOnce
        /// Says this instead of accepting the client; nil: nothing at all.
        case refuses(Bytes?, closes: Bool)
        /// Accepts the client and says this behind it, so many times.
        case intrudes(Bytes, times: Int, closes: Bool)
        /// Accepts the client and names these properties (MQTT 5.0, 3.2.2.3).
        case limits([UInt8])
        /// Accepts the client and reads nothing more.
        case goesDeaf
        /// Accepts the client and answers nothing more.
        case fallsSilent
        /// Answers everything but a PINGREQ.
        case forgetsPings
        /// Grants more than was asked for.
        case grantsTooMuch
        /// Answers a PUBLISH of QoS 1 like this.
        case answers(Answer)
    }

    enum Answer: Sendable {
        case nothing, twice, late, wrongNumber, numberZero, otherType, tooShort, close, reset
        /// Five at once, the last first.
        case backwards
        case refusal(UInt8)
        /// All but the one with this place in the connection.
        case allBut(Int)
    }

    package let description: String
    /// Versions of MQTT that it exists in, as CONNECT spells them: 4 is 3.1.1.
    package var versions: [UInt8] = [4, 5]
    let act: Act
    /// Every client breaks the connection, or loses it, and comes anew.
    package var breaks = false

    private init(_ name: String, _ act: Act, breaks: Bool = false, versions: [UInt8] = [4, 5]) {
        description = name
        self.act = act
        self.breaks = breaks
        self.versions = versions
    }

    /// Answers nothing, not even a CONNECT.
    package static let silence = Misbehaviour("no CONNACK", .refuses(nil, closes: false), breaks: true)

    /// Answers everything but one message.
    package static let leavesOneOut = Misbehaviour("all PUBACKs but the third", .answers(.allBut(2)))

    package static let longMessage = intruding("a message of 32 MB") {
        publish(Array("a/b".utf8), String(repeating: "Z", count: 32_000_000), isNew: $0)
    }

    /// Those with which any client, whatever it does, comes anew.
    /// One for each kind of code, in the oldest version that it exists in.
    package static var breaking: [Misbehaviour] {
        (greetings + connackCodes.prefix(1) + intrusions).filter(\.breaks)
    }

    package static let allCases: [Misbehaviour] =
        greetings + connackCodes + intrusions + disconnectCodes + answers + limits

    /// Every one in each version that it exists in.
    package static var allInEachVersion: [(misbehaviour: Misbehaviour, version: UInt8)] {
        allCases.flatMap { misbehaviour in misbehaviour.versions.map { (misbehaviour, $0) } }
    }

    private static let greetings: [Misbehaviour] =
        [
            silence,
            Misbehaviour("closes at once", .closesAtOnce, breaks: true),
            refusing("a TLS alert") { _ in [0x15, 3, 1, 0, 2, 2, 0x46] },
            refusing("a web server") { _ in Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8) },
            refusing("noise") { _ in (0..<400).map { UInt8(truncatingIfNeeded: $0 * 167 + 13) } },
            refusing("a short CONNACK", closes: false) { _ in [0x20, 1, 0] },
            refusing("a long CONNACK") { _ in [0x20, 0xAE, 2, 0, 0] + Array(repeating: 0x41, count: 300) },
        ]

    private static let connackCodes: [Misbehaviour] =
        [1, 2, 3, 4, 5, 6, 255].map { code in
            refusing("CONNACK \(code)", versions: [4]) { _ in [0x20, 2, 0, code] }
        }
        // MQTT 5.0, table 3-1.
        + [
            0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B,
            0x9C,
            0x9D, 0x9F,
        ].map { code in refusing("CONNACK \(hex(code))", versions: [5]) { _ in [0x20, 3, 0, code, 0] } }

    private static let intrusions: [Misbehaviour] =
        [
            Misbehaviour("falls silent", .fallsSilent, breaks: true),
            Misbehaviour("goes deaf", .goesDeaf, breaks: true),
            Misbehaviour("forgets pings", .forgetsPings),
            Misbehaviour("a SUBACK of fifty codes too many", .grantsTooMuch),
            intruding("a second CONNACK", breaks: true) { [0x20, $0 ? 3 : 2, 0, 0] + ($0 ? [0] : []) },
            intruding("a length of five bytes", breaks: true) { _ in [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F] },
            intruding("a packet of type 0", breaks: true) { _ in [0, 0] },
            intruding("a packet of type 15") { $0 ? [0xFF, 0] : [0xF0, 0] },
            intruding("a packet of a client") { [0x82, $0 ? 7 : 6, 0, 1] + ($0 ? [0] : []) + [0, 1, 0x61, 0] },
            intruding("a SUBACK unasked") { [0x90, $0 ? 4 : 3, 0, 77] + ($0 ? [0] : []) + [0] },
            intruding("a SUBACK with too many codes") { _ in [0x90, 5, 0, 77, 0, 0, 0] },
            intruding("an UNSUBACK unasked") { [0xB0, $0 ? 4 : 2, 0, 77] + ($0 ? [0, 0] : []) },
            intruding("a PUBREL unasked") { _ in [0x62, 2, 0, 9] },
            intruding("an AUTH unasked") { _ in [0xF0, 2, 0, 0] },
            intruding("a PUBLISH of QoS 3", breaks: true) { _ in [0x36, 10, 0, 3, 0x61, 0x2F, 0x62, 0, 1, 1, 2, 3] },
            intruding("a topic longer than its packet", breaks: true) { _ in [0x30, 5, 0xEA, 0x60, 0x61, 0x62, 0x63] },
            intruding("a topic with a zero byte") { publish([0x61, 0, 0x62], "1", isNew: $0) },
            intruding("a topic that is no UTF-8") { publish([0x61, 0xFF, 0xFE, 0xC0, 0x80], "1", isNew: $0) },
            intruding("a topic with a wildcard") { publish(Array("a/#".utf8), "1", isNew: $0) },
            intruding("an empty topic") { publish([], "1", isNew: $0) },
            intruding("properties longer than their packet") { _ in
                [0x30, 13, 0, 5] + Array("cmd/x".utf8) + [0xFF, 0xFF, 0xFF, 0x7F, 1, 2]
            },
            intruding("a topic alias that nobody has named") { _ in [0x30, 7, 0, 0, 3, 0x23, 0, 9, 1] },
            longMessage,
            intruding("a flood of messages", times: 20_000) {
                publish(Array("a/b".utf8), String(repeating: "x", count: 200), isNew: $0)
            },
            intruding("a flood of PINGRESPs", times: 20_000) { _ in [0xD0, 0] },
            intruding("noise after CONNACK") { _ in (0..<400).map { UInt8(truncatingIfNeeded: $0 * 89 + 7) } },
            intruding("closes in the middle of a packet", closes: true, breaks: true) { _ in
                [0x30, 0x88, 0x27, 0, 5] + Array("cmd/xhalf".utf8)
            },
        ]

    /// MQTT 5.0, table 3-10.
    private static let disconnectCodes: [Misbehaviour] =
        [
            0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9C,
            0x9D, 0x9F, 0xA0,
        ].map { code in
            intruding("DISCONNECT \(hex(code))", closes: true, breaks: true, versions: [5]) { _ in [0xE0, 2, code, 0] }
        }

    private static let answers: [Misbehaviour] =
        [leavesOneOut]
        + ([
            ("no PUBACK", .nothing), ("every PUBACK twice", .twice),
            ("late PUBACKs", .late), ("PUBACKs backwards", .backwards), ("PUBACK with a wrong number", .wrongNumber),
            ("PUBACK with number 0", .numberZero), ("PUBREC for PUBACK", .otherType), ("a short PUBACK", .tooShort),
            ("closes after a PUBLISH", .close), ("resets after a PUBLISH", .reset),
        ] as [(String, Answer)]).map { Misbehaviour($0, .answers($1)) }
        // MQTT 5.0, table 2-6.
        + [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99].map { code in
            Misbehaviour("PUBACK \(hex(code))", .answers(.refusal(code)), versions: [5])
        }

    private static let limits: [Misbehaviour] = [
        Misbehaviour("a receive maximum of 0", .limits([0x21, 0, 0]), versions: [5]),
        Misbehaviour("QoS 0 at most", .limits([0x24, 0]), versions: [5]),
        Misbehaviour("nothing retained", .limits([0x25, 0]), versions: [5]),
        Misbehaviour("a keep-alive of 2 s", .limits([0x13, 0, 2]), versions: [5]),
        Misbehaviour("another client id", .limits([0x12, 0, 5] + Array("other".utf8)), versions: [5]),
    ]

    private static func refusing(
        _ name: String, closes: Bool = true, versions: [UInt8] = [4, 5], _ bytes: @escaping Bytes
    ) -> Misbehaviour {
        Misbehaviour("answers CONNECT with \(name)", .refuses(bytes, closes: closes), breaks: true, versions: versions)
    }

    private static func intruding(
        _ name: String, times: Int = 1, closes: Bool = false, breaks: Bool = false, versions: [UInt8] = [4, 5],
        _ bytes: @escaping Bytes
    ) -> Misbehaviour {
        Misbehaviour(name, .intrudes(bytes, times: times, closes: closes), breaks: breaks, versions: versions)
    }

    private static func hex(_ code: UInt8) -> String { "0x" + String(code, radix: 16) }

    /// A PUBLISH of QoS 0.
    private static func publish(_ topic: [UInt8], _ payload: String, isNew: Bool) -> [UInt8] {
        let rest = [0, UInt8(topic.count)] + topic + (isNew ? [0] : []) + Array(payload.utf8)
        var (length, left) = ([UInt8](), rest.count)
        repeat {
            length.append(UInt8(left % 128) | (left > 127 ? 0x80 : 0))
            left /= 128
        } while left > 0
        return [0x30] + length + rest
    }
}
