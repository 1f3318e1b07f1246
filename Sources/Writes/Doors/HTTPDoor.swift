// The HTTP door: a token, a JSON body, an answer. The server itself is the dashboard's.

internal import Crypto
internal import GatewayModel
internal import ModbusDriver

/// Compares a token with every right one in constant time. Of the right ones only the hashes are kept.
struct TokenCheck: Sendable {
    private let writers: [(name: String, hash: SHA256Digest)]

    /// Nil when nobody may write over HTTP.
    init?(_ writers: [HTTPWriter]) {
        guard !writers.isEmpty else { return nil }
        self.writers = writers.map { ($0.name, SHA256.hash(data: Array($0.token.revealed.utf8))) }
    }

    /// - Parameter header: the whole `Authorization` header, `Bearer …`.
    /// - Returns: whose token it is.
    func writer(_ header: String?) -> String? {
        guard let header, header.utf8.count <= 4096 else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let presented = SHA256.hash(data: Array(parts[1].utf8))
        var found: String?
        // Digests compare in constant time, a hash tells nothing of how much of the token was right, and no early end
        // tells how far down the list it stands.
        for writer in writers where presented == writer.hash { found = writer.name }
        return found
    }
}

/// What goes back over HTTP.
package struct WriteResponse: Equatable, Sendable {
    package var status: Int
    /// A JSON object.
    package var body: [UInt8]
    /// With status 429, in seconds.
    package var retryAfter: Int?
}

extension WriteService {
    /// Answers `POST /api/v1/writes`.
    /// - Parameter address: who asks, as far as the network tells.
    package func respond(authorization: String?, body: [UInt8], address: String) async -> WriteResponse {
        guard isOn else { return Self.refused(.off) }
        guard let token else { return Self.refused(.doorClosed(.http)) }
        // The right token first: no lock is ever in its way.
        guard let writer = token.writer(authorization) else {
            let source = Lockout.Source(door: .http, name: address)
            return Self.refused(refuse(.unauthorised, of: source, from: address))
        }
        let request: WriteRequest
        do throws(WriteRefusal) {
            request = try WriteRequest(httpBody: body, who: writer)
        } catch {
            refuse(anonymous: error, door: .http, claimed: writer)
            return Self.refused(error)
        }
        let answer = await withCheckedContinuation { continuation in
            self.request(request) { continuation.resume(returning: $0) }
        }
        return WriteResponse(status: Self.status(of: answer), body: answer.json())
    }

    private static func status(of answer: WriteAnswer) -> Int {
        switch answer.outcome {
        case .done: 200
        case .refused(let refusal): refusal.status
        // The gateway did its part; the device behind it did not.
        case .failed: 502
        }
    }

    private static func refused(_ refusal: WriteRefusal) -> WriteResponse {
        var object = JSONObject()
        object.member("error", refusal.description)
        object.member("code", refusal.code)
        var response = WriteResponse(status: refusal.status, body: object.bytes)
        if case .lockedOut(let rest) = refusal { response.retryAfter = Int(WriteRefusal.seconds(rest)) }
        return response
    }
}

extension WriteRequest {
    /// `{"tag": "…", "value": 21.5, "reason": "…", "id": "…"}`; the last two may be missing.
    init(httpBody body: [UInt8], who: String) throws(WriteRefusal) {
        guard body.count <= Limits.writeRequestBytes else {
            throw .malformed("a request is at most \(Limits.writeRequestBytes) bytes long")
        }
        do throws(FlatJSONError) {
            let members = try FlatJSON.members(of: body)
            try members.check(["tag", "value", "reason", "id"])
            self.init(
                id: try members.text("id") ?? Self.newID(), tag: try members.required("tag"),
                value: try members.value("value").value, reason: try members.text("reason") ?? "", who: who,
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
