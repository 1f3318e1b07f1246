// A signed command, as it comes over MQTT: its JSON, the bytes that its signature covers, and the test of it.

internal import Crypto
package import GatewayModel
package import ModbusDriver

/// The format is in Documentation/Formats/writes.md.
package struct CommandMessage: Equatable, Sendable {
    package var id: String
    package var gateway: String
    package var sender: String
    package var tag: String
    package var value: Value
    /// The value as it was sent: `21.50` and `21.5` are one value and two signatures.
    package var valueToken: String
    package var nonce: String
    package var expires: Timestamp
    package var expiresToken: String
    package var reason: String
    /// 64 hexadecimal digits.
    package var mac: String

    static let keys = ["id", "gateway", "sender", "tag", "value", "nonce", "expires", "reason", "mac"]

    /// - Throws: `.malformed`.
    package init(_ payload: [UInt8]) throws(WriteRefusal) {
        guard payload.count <= Limits.writeRequestBytes else {
            throw .malformed("a command is at most \(Limits.writeRequestBytes) bytes long")
        }
        do throws(FlatJSONError) {
            let members = try FlatJSON.members(of: payload)
            try members.check(Self.keys)
            id = try members.required("id")
            gateway = try members.required("gateway")
            sender = try members.required("sender")
            tag = try members.required("tag")
            (value, valueToken) = try members.value("value")
            nonce = try members.required("nonce")
            guard (8...64).contains(nonce.utf8.count) else {
                throw FlatJSONError(message: "'nonce' has 8 to 64 bytes")
            }
            let (moment, token) = try members.value("expires")
            guard case .integer(let milliseconds) = moment, milliseconds >= 0,
                milliseconds <= Int64.max / 1_000_000
            else { throw FlatJSONError(message: "'expires' counts milliseconds since 1970 in UTC") }
            expires = Timestamp(nanoseconds: milliseconds * 1_000_000)
            expiresToken = token
            reason = try members.text("reason") ?? ""
            mac = try members.required("mac")
        } catch {
            throw .malformed(error.message)
        }
    }

    /// What is signed: nine netstrings (`length:bytes,`), one after the other. No two commands have the same.
    package static func signedBytes(
        gateway: String, sender: String, id: String, tag: String, value: String, nonce: String, expires: String,
        reason: String
    ) -> [UInt8] {
        ["lineside-write-1", gateway, sender, id, tag, value, nonce, expires, reason].flatMap { field in
            Array("\(field.utf8.count):\(field),".utf8)
        }
    }

    package var signedBytes: [UInt8] {
        Self.signedBytes(
            gateway: gateway, sender: sender, id: id, tag: tag, value: valueToken, nonce: nonce,
            expires: expiresToken, reason: reason)
    }

    /// HMAC-SHA256 in lower-case hexadecimal.
    package static func mac(of bytes: [UInt8], key: Secret) -> String {
        AuditHash.hexadecimal(
            HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: Array(key.revealed.utf8))))
    }

    /// In constant time for a signature of the right length.
    package func isSigned(with key: Secret) -> Bool {
        guard let code = Self.bytes(hexadecimal: mac) else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            code, authenticating: signedBytes, using: SymmetricKey(data: Array(key.revealed.utf8)))
    }

    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.utf8.map { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}

/// Who may command, and whether a message is a command of theirs. A pure value.
package struct CommandCheck: Sendable {
    private let gateway: String
    private let senders: [String: Secret]

    package init(gateway: String, plan: CommandPlan) {
        self.gateway = gateway
        senders = Dictionary(plan.senders.map { ($0.name, $0.key) }, uniquingKeysWith: { first, _ in first })
    }

    /// What a message turned out to be.
    package enum Verdict: Equatable, Sendable {
        case request(WriteRequest)
        /// Nobody is known to have sent it: it gets no answer.
        case anonymous(WriteRefusal, claimed: String)
    }

    package func judge(_ payload: [UInt8], isRetained: Bool) -> Verdict {
        // A retained message comes with every subscription, long after somebody wanted it.
        guard !isRetained else { return .anonymous(.retained, claimed: "") }
        let message: CommandMessage
        do throws(WriteRefusal) {
            message = try CommandMessage(payload)
        } catch {
            return .anonymous(error, claimed: "")
        }
        guard let key = senders[message.sender] else { return .anonymous(.unknownSender, claimed: message.sender) }
        guard message.gateway == gateway else { return .anonymous(.wrongGateway, claimed: message.sender) }
        guard message.isSigned(with: key) else { return .anonymous(.forged, claimed: message.sender) }
        return .request(
            WriteRequest(
                id: message.id, tag: message.tag, value: message.value, reason: message.reason, who: message.sender,
                door: .mqtt, once: .init(nonce: message.nonce, expires: message.expires)))
    }
}
