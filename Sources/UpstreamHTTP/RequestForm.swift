// From a parcel to a request: body, compression, headers and signature. Pure.

internal import Crypto
package import GatewayModel
internal import GatewayPlatform
package import Upstream

/// What goes over the line.
package struct OutgoingRequest: Equatable, Sendable {
    package var url: String
    package var headers: [HTTPReceiverPlan.Header]
    package var body: [UInt8]
}

/// Makes requests after one plan (Documentation/Formats/line-protocol.md, webhook.md).
package struct RequestForm: Sendable {
    private let plan: HTTPReceiverPlan
    /// `acme/lyon/0b5e5f0e-…/`: before the numbers in the key that names a request.
    private let origin: String

    package init(plan: HTTPReceiverPlan, gateway: String, stream: String) {
        self.plan = plan
        origin = "\(gateway)/\(stream)/"
    }

    package var content: RequestContent {
        switch plan.content {
        case .lines: .lines
        case .messages: .messages
        }
    }

    /// - Parameter now: goes into the signature, so that an old request can't be sent again by others.
    package func request(_ parcel: Parcel, at now: Timestamp) -> OutgoingRequest {
        var body = content == .lines ? parcel.bytes : Self.list(parcel)
        var headers = plan.headers
        headers.append(
            .init("Content-Type", Secret(content == .lines ? "text/plain; charset=utf-8" : "application/json")))
        headers.append(.init("User-Agent", Secret("lineside")))
        if plan.isGzipped, !body.isEmpty {
            body = Gzip.compressed(body)
            headers.append(.init("Content-Encoding", Secret("gzip")))
        }
        if case .messages(let secret) = plan.content {
            if let first = parcel.pieces.first, let last = parcel.pieces.last {
                let numbers = "\(first.first.value)-\(last.last.value)"
                headers.append(.init("Idempotency-Key", Secret(Self.headerSafe(origin + numbers))))
            }
            if let secret { headers.append(.init("X-Lineside-Signature", Secret(Self.signature(body, secret, now)))) }
        }
        return OutgoingRequest(url: plan.url, headers: headers, body: body)
    }

    /// `{"messages":[…,…]}`
    private static func list(_ parcel: Parcel) -> [UInt8] {
        var body = Array("{\"messages\":[".utf8)
        body.reserveCapacity(parcel.bytes.count + parcel.pieces.count + 20)
        var start = 0
        for piece in parcel.pieces {
            if start > 0 { body.append(UInt8(ascii: ",")) }
            body += parcel.bytes[start..<start + Int(piece.bytes)]
            start += Int(piece.bytes)
        }
        body += "]}".utf8
        return body
    }

    /// `t=1795467761,v1=…`: HMAC-SHA256 over the time, a dot and the body as it is sent, in hexadecimal.
    static func signature(_ body: [UInt8], _ secret: Secret, _ now: Timestamp) -> String {
        let time = String(now.nanoseconds / 1_000_000_000)
        var code = HMAC<SHA256>(key: SymmetricKey(data: Array(secret.revealed.utf8)))
        code.update(data: Array("\(time).".utf8))
        code.update(data: body)
        let digits = Array("0123456789abcdef".utf8)
        let spelled = code.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "t=\(time),v1=\(String(decoding: spelled, as: UTF8.self))"
    }

    /// Letters of a site's name that a header can't hold become `_`.
    private static func headerSafe(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
    }
}
