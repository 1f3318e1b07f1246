// The HTTP door: a token, a JSON body, an answer. The server itself is the dashboard's.

internal import Crypto
internal import GatewayModel

/// Compares a token with the right one in constant time. Of the right one only the hash is kept.
struct TokenCheck: Sendable {
    private let hash: SHA256Digest

    init(_ token: Secret) { hash = SHA256.hash(data: Array(token.revealed.utf8)) }

    /// - Parameter header: the whole `Authorization` header, `Bearer …`.
    func accepts(_ header: String?) -> Bool {
        guard let header, header.utf8.count <= 4096 else { return false }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        // Digests compare in constant time; and a hash tells nothing of how much of the token was right.
        return SHA256.hash(data: Array(parts[1].utf8)) == hash
    }
}

extension WriteService {
    /// Answers `POST /api/v1/writes`.
    /// - Returns: the status and a JSON object.
    package func respond(authorization: String?, body: [UInt8]) async -> (status: Int, body: [UInt8]) {
        guard isOn else { return Self.refused(.off) }
        guard let token else { return Self.refused(.doorClosed(.http)) }
        guard token.accepts(authorization) else {
            refuse(anonymous: .unauthorised, door: .http)
            return Self.refused(.unauthorised)
        }
        let request: WriteRequest
        do throws(WriteRefusal) {
            request = try WriteRequest(httpBody: body)
        } catch {
            refuse(anonymous: error, door: .http, claimed: "http")
            return Self.refused(error)
        }
        let answer = await withCheckedContinuation { continuation in
            self.request(request) { continuation.resume(returning: $0) }
        }
        return (Self.status(of: answer), answer.json())
    }

    private static func status(of answer: WriteAnswer) -> Int {
        switch answer.outcome {
        case .done: 200
        case .refused(let refusal): refusal.status
        // The gateway did its part; the device behind it did not.
        case .failed: 502
        }
    }

    private static func refused(_ refusal: WriteRefusal) -> (status: Int, body: [UInt8]) {
        var object = JSONObject()
        object.member("error", refusal.description)
        object.member("code", refusal.code)
        return (refusal.status, object.bytes)
    }
}

extension WriteRequest {
    /// `{"tag": "…", "value": 21.5, "reason": "…", "id": "…"}`; the last two may be missing.
    init(httpBody body: [UInt8]) throws(WriteRefusal) {
        guard body.count <= Limits.writeRequestBytes else {
            throw .malformed("a request is at most \(Limits.writeRequestBytes) bytes long")
        }
        do throws(FlatJSONError) {
            let members = try FlatJSON.members(of: body)
            try members.check(["tag", "value", "reason", "id"])
            self.init(
                id: try members.text("id") ?? Self.newID(), tag: try members.required("tag"),
                value: try members.value("value").value, reason: try members.text("reason") ?? "", who: "http",
                door: .http)
        } catch {
            throw .malformed(error.message)
        }
    }

    private static func newID() -> String {
        let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
