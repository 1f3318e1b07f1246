// Which request gets which answer.

internal import GatewayModel
internal import Hummingbird
internal import NIOCore

/// What a request of Hummingbird carries along: the connection, so that it can be closed.
struct DashboardContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// A request that can't be answered, with one sentence for who sent it.
struct Refusal: Error {
    var status: HTTPResponse.Status
    var message: String
    /// What was probably meant.
    var suggestion: String?
    /// The methods that exist, for `methodNotAllowed`.
    var allowed = "GET, HEAD"
}

/// Answers every request. It reads and never changes the gateway; only GET and HEAD exist, and one POST, which it hands
/// to the write service as it is.
struct DashboardResponder: HTTPResponder {
    typealias Context = DashboardContext

    let source: DashboardSource
    let feed: LiveFeed
    let hosts: HostCheck

    static let routes = [
        "/health", "/metrics", "/api/v1/tags", "/api/v1/series", "/api/v1/alarms", "/api/v1/devices", "/api/v1/discovered", "/api/v1/sinks",
        "/api/v1/events", "/api/v1/audit", WriteRoute.path,
    ]

    func respond(to request: Request, context: Context) async -> Response {
        var response: Response
        do {
            response = try await answer(request, context)
        } catch {
            response = Self.json(error.status, Self.body(of: error))
            if error.status == .methodNotAllowed { response.headers[.allow] = error.allowed }
            if error.status == .contentTooLarge { response = closing(response, context.channel) }
        }
        response.secure()
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: Request, _ context: Context) async throws(Refusal) -> Response {
        guard hosts.allows(request.head.authority) else {
            throw Refusal(
                status: .misdirectedRequest,
                message:
                    "this gateway isn't called \(request.head.authority ?? "nothing"); use the address it listens on")
        }
        if let target = RequestTarget(request.head.path ?? "/"), target.path == WriteRoute.path {
            return try await WriteRoute(source: source, hosts: hosts, address: context.channel.remoteAddress)
                .answer(request)
        }
        guard request.method == .get || request.method == .head else {
            throw Refusal(status: .methodNotAllowed, message: "only GET and HEAD: this changes nothing")
        }
        if request.headers[.transferEncoding] != nil || request.headers[.contentLength].map({ $0 != "0" }) ?? false {
            throw Refusal(status: .contentTooLarge, message: "a request here has no body")
        }
        guard let target = RequestTarget(request.head.path ?? "/") else {
            throw Refusal(
                status: .badRequest,
                message: "the address isn't well-formed: a percent sign needs two hexadecimal digits")
        }
        if let file = PageFile.all[target.path] { return Self.page(file, request) }
        return try await route(target, request)
    }

    private func route(_ target: RequestTarget, _ request: Request) async throws(Refusal) -> Response {
        switch target.path {
        case "/health":
            let (isAlive, body) = StateAnswer.health(source)
            return Self.json(isAlive ? .ok : .serviceUnavailable, body)
        case "/metrics":
            let text = MetricsPage.text(source, clients: await feed.watcherCount)
            return Self.response(.ok, Array(text.utf8), "text/plain; version=0.0.4; charset=utf-8")
        case "/api/v1/tags": return Self.json(.ok, try tags(target))
        case "/api/v1/series": return Self.json(.ok, try series(target))
        case "/api/v1/alarms": return Self.json(.ok, StateAnswer.alarms(source))
        case "/api/v1/devices": return Self.json(.ok, StateAnswer.devices(source))
        case "/api/v1/discovered": return Self.json(.ok, StateAnswer.discovered(source))
        case "/api/v1/sinks": return Self.json(.ok, StateAnswer.sinks(source))
        case "/api/v1/audit": return Self.json(.ok, StateAnswer.audit(source))
        case "/api/v1/events": return try await events(request)
        default:
            throw Refusal(
                status: .notFound, message: "there is no \(target.path)",
                suggestion: nearest(to: target.path, among: Self.routes))
        }
    }

    private func tags(_ target: RequestTarget) throws(Refusal) -> [UInt8] {
        try check(target, parameters: ["match", "limit"])
        let limit = try number(target, "limit", 1...Limits.tags) ?? TagsAnswer.defaultLimit
        return TagsAnswer.write(source, matching: target["match"].map(TagPattern.init), limit: limit)
    }

    private func events(_ request: Request) async throws(Refusal) -> Response {
        var headers: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"]
        // nginx would otherwise hold events back until its buffer is full.
        headers.set("X-Accel-Buffering", "no")
        if request.method == .head { return Response(status: .ok, headers: headers) }
        guard let body = await EventStream.body(for: request, from: feed) else {
            throw Refusal(
                status: .serviceUnavailable,
                message: "already \(LiveFeed.watchersLimit) streams of live events are open; close a tab")
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}

// MARK: - Parameters

extension DashboardResponder {
    func check(_ target: RequestTarget, parameters: [String]) throws(Refusal) {
        guard let unknown = target.unknown(besides: parameters) else { return }
        throw Refusal(
            status: .badRequest,
            message: "unknown parameter \(unknown); there are \(parameters.joined(separator: ", "))",
            suggestion: nearest(to: unknown, among: parameters))
    }

    func number(_ target: RequestTarget, _ name: String, _ range: ClosedRange<Int>) throws(Refusal) -> Int? {
        guard let text = target[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw Refusal(
                status: .badRequest,
                message: "\(name) must be a number from \(range.lowerBound) to \(range.upperBound), not \(text)")
        }
        return number
    }

    func moment(_ target: RequestTarget, _ name: String, _ now: Timestamp) throws(Refusal) -> Timestamp? {
        guard let text = target[name] else { return nil }
        guard let moment = Timestamp(query: text, now: now) else {
            throw Refusal(
                status: .badRequest,
                message: "\(name) must be milliseconds since 1970, now, or a time before now such as -10m, not \(text)")
        }
        return moment
    }
}

// MARK: - Answers

extension DashboardResponder {
    private static func response(_ status: HTTPResponse.Status, _ bytes: [UInt8], _ contentType: String) -> Response {
        Response(
            status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func json(_ status: HTTPResponse.Status, _ bytes: [UInt8]) -> Response {
        response(status, bytes, "application/json")
    }

    private static func body(of refusal: Refusal) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { answer in
            answer.member("error", refusal.message)
            if let suggestion = refusal.suggestion { answer.member("did_you_mean", suggestion) }
        }
        return writer.bytes
    }

    private static func page(_ file: PageFile, _ request: Request) -> Response {
        let isKnown = file.isKnown(to: request.headers[.ifNoneMatch])
        var response = Response(
            status: isKnown ? .notModified : .ok,
            body: isKnown ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
        response.headers[.contentType] = file.contentType
        response.headers[.eTag] = file.entityTag
        // Kept, but asked about each time: an updated gateway must not meet an old page.
        response.headers[.cacheControl] = "no-cache"
        return response
    }

    /// Closes the connection once the answer is written, because a body may be under way that nobody will read.
    private func closing(_ response: Response, _ channel: any Channel) -> Response {
        var response = response
        let body = response.body
        response.headers[.connection] = "close"
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            channel.close(promise: nil)
        }
        return response
    }
}

extension Response {
    /// What every answer says to browsers: nothing from elsewhere, nothing into elsewhere.
    fileprivate mutating func secure() {
        headers.set(
            "Content-Security-Policy", "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
        )
        headers.set("X-Content-Type-Options", "nosniff")
        headers.set("Referrer-Policy", "no-referrer")
        headers.set("Cross-Origin-Resource-Policy", "same-origin")
    }
}

extension HTTPFields {
    fileprivate mutating func set(_ name: String, _ value: String) {
        guard let name = Element.Name(name) else { preconditionFailure("BUG: \(name) is no name of a header") }
        self[name] = value
    }
}
