// Requests on their way: async-http-client behind a thread of ours.

internal import AsyncHTTPClient
internal import GatewayModel
package import GatewayPlatform
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
package import Upstream

/// Takes requests from the sink's thread, and gives back how each ended with a bell.
///
/// NIO's event loops do the work; the client lives as long as this. Answers are read to their end and no further than
/// `textBytes` kept. Never follows a redirect: the token is meant for the address that was given.
package final class HTTPTransport: Sendable {
    package struct Ended: Sendable {
        package var id: Courier.RequestID
        package var outcome: Outcome
    }

    /// Rings when a request has ended.
    package let bell = WakeUp()
    private let client: HTTPClient
    private let timeout: Duration
    private struct State {
        var ended: [Ended] = []
        var underway: [Courier.RequestID: HTTPClient.Task<Outcome>] = [:]
        var isClosed = false
    }
    private let state = Mutex(State())

    /// What of an answer's text is shown.
    private static let textBytes = 300
    private static let connectLimit = TimeAmount.seconds(5)

    package init(plan: HTTPReceiverPlan) {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(connect: Self.connectLimit))
        if let file = plan.authorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(file)
            configuration.tlsConfiguration = tls
        }
        if let proxy = plan.proxy { configuration.proxy = .server(host: proxy.host, port: proxy.port) }
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = plan.requests
        // Whoever is away is tried again by the courier, with its pauses.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
        timeout = plan.timeout
    }

    deinit { close() }

    package func start(_ id: Courier.RequestID, _ outgoing: OutgoingRequest) {
        var headers = HTTPHeaders()
        for header in outgoing.headers { headers.add(name: header.name, value: header.value.revealed) }
        let request: HTTPClient.Request
        do {
            request = try HTTPClient.Request(
                url: outgoing.url, method: .POST, headers: headers,
                body: .byteBuffer(ByteBuffer(bytes: outgoing.body)))
        } catch {
            return end(id, .failed("the address can't be used: \(error)"))
        }
        let task = client.execute(
            request: request, delegate: AnswerReader(textBytes: Self.textBytes),
            deadline: .now() + .nanoseconds(timeout.nanoseconds))
        state.withLock { $0.underway[id] = task }
        task.futureResult.whenComplete { result in
            switch result {
            case .success(let outcome): self.end(id, outcome)
            case .failure(let error): self.end(id, .failed(Self.words(for: error)))
            }
        }
    }

    /// Exchanges what ended since the last call for the storage of `ended`.
    package func takeEnded(into ended: inout [Ended]) {
        ended.removeAll(keepingCapacity: true)
        state.withLock { swap(&$0.ended, &ended) }
    }

    /// Nobody waits any more for what is on its way.
    package func cancelAll() {
        let tasks = state.withLock { Array($0.underway.values) }
        for task in tasks { task.cancel() }
    }

    /// Ends the connections. Blocks as long as that takes, which is not long: they are cut.
    package func close() {
        guard
            state.withLock({ state in
                defer { state.isClosed = true }
                return !state.isClosed
            })
        else { return }
        cancelAll()
        // Fails only when it was shut down before.
        try? client.syncShutdown()
    }

    private func end(_ id: Courier.RequestID, _ outcome: Outcome) {
        state.withLock { state in
            state.underway[id] = nil
            state.ended.append(Ended(id: id, outcome: outcome))
        }
        bell.ring()
    }

    /// What happened, and what to look at.
    private static func words(for error: any Error) -> String {
        if let error = error as? NIOConnectionError {
            return "no connection to \(error.host):\(error.port); check that the receiver runs and listens there"
        }
        if let error = error as? IOError {
            let said = unsafe String(cString: strerror(error.errnoCode))
            return "no connection: \(said); check that the receiver runs and listens there"
        }
        if error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError {
            return "no trust: \(error); check 'ca', the name in the address and the machine's clock"
        }
        guard let error = error as? HTTPClientError else { return "\(error)" }
        return switch error {
        case .deadlineExceeded, .readTimeout:
            "no answer in time; check whether the receiver is overloaded, and 'timeout'"
        case .connectTimeout: "no connection in time; check the address, and a firewall between"
        case .remoteConnectionClosed: "the receiver closed the connection before it answered"
        case .cancelled: "given up"
        default: "\(error)"
        }
    }
}

/// Reads one answer: its status, when to come back, and the beginning of its text.
private final class AnswerReader: HTTPClientResponseDelegate {
    typealias Response = Outcome

    private struct Answer {
        var status = 0
        var retryAfter: String?
        var text: [UInt8] = []
    }
    private let answer = Mutex(Answer())
    private let textBytes: Int

    init(textBytes: Int) { self.textBytes = textBytes }

    func didReceiveHead(task: HTTPClient.Task<Outcome>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        answer.withLock { answer in
            answer.status = Int(head.status.code)
            answer.retryAfter = head.headers.first(name: "Retry-After")
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Outcome>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        answer.withLock { answer in
            let room = textBytes - answer.text.count
            if room > 0 { answer.text += buffer.readableBytesView.prefix(room) }
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Outcome>) throws -> Outcome {
        answer.withLock { answer in
            let printable = answer.text.map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }
            return .answered(
                status: answer.status, retryAfter: answer.retryAfter, text: String(decoding: printable, as: UTF8.self))
        }
    }
}
