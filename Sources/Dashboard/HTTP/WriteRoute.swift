// `POST /api/v1/writes`: what a browser or a program must bring before the write service sees anything of it.

internal import GatewayModel
internal import Hummingbird
internal import NIOCore

/// Hands the token and the body on. It refuses what comes out of a foreign web page: such a page can send a form or a
/// simple request here, but neither JSON nor a token without asking first, which no answer of ours allows; and where a
/// browser names the page's origin, it must be one of our names.
struct WriteRoute {
    static let path = "/api/v1/writes"

    let source: DashboardSource
    let hosts: HostCheck
    let address: SocketAddress?

    func answer(_ request: Request) async throws(Refusal) -> Response {
        guard request.method == .post else {
            throw Refusal(status: .methodNotAllowed, message: "only POST writes", allowed: "POST")
        }
        if let origin = request.headers[.origin], !allows(origin: origin) {
            throw Refusal(status: .forbidden, message: "a page from elsewhere may not write")
        }
        if let name = HTTPFields.Element.Name("Sec-Fetch-Site"), let site = request.headers[name],
            site != "same-origin" && site != "none"
        {
            throw Refusal(status: .forbidden, message: "a page from elsewhere may not write")
        }
        guard Self.isJSON(request.headers[.contentType]) else {
            throw Refusal(status: .unsupportedMediaType, message: "the body must be application/json")
        }
        let body = try await self.body(of: request)
        let (status, bytes, retryAfter) = await source.write(
            request.headers[.authorization], body, Self.spelled(address))
        var response = DashboardResponder.json(HTTPResponse.Status(code: status), bytes)
        if status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        if let retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
        return response
    }

    /// Without the port. Of IPv6 the first half: the second is the client's to choose.
    static func spelled(_ address: SocketAddress?) -> String {
        guard case .v6 = address, let text = address?.ipAddress else { return address?.ipAddress ?? "" }
        if let mapped = text.lowercased().split(separator: "::ffff:", maxSplits: 1).first, mapped.contains(".") {
            return String(mapped)
        }
        let head = text.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)[0]
        let groups = head.split(separator: ":").prefix(4)
        return groups.isEmpty ? text : groups.joined(separator: ":") + "::/64"
    }

    private func body(of request: Request) async throws(Refusal) -> [UInt8] {
        let tooLarge = Refusal(
            status: .contentTooLarge, message: "a request to write has at most \(Limits.writeRequestBytes) bytes")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Limits.writeRequestBytes {
            throw tooLarge
        }
        do {
            let buffer = try await request.body.collect(upTo: Limits.writeRequestBytes)
            return Array(buffer.readableBytesView)
        } catch {
            throw tooLarge
        }
    }

    /// `http://localhost:8080`: scheme, then a host that is ours. `null` is nobody's.
    private func allows(origin: String) -> Bool {
        let parts = origin.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "http" || parts[0] == "https" else { return false }
        return hosts.allows(String(parts[1]))
    }

    private static func isJSON(_ contentType: String?) -> Bool {
        let type = contentType?.prefix { $0 != ";" && $0 != " " }
        return type?.lowercased() == "application/json"
    }
}
