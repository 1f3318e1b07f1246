// One watcher's stream of live events: a snapshot first, then what changes.

internal import Hummingbird
internal import ServiceLifecycle

/// Writes one watcher's events until he goes away, falls silent or the gateway stops.
enum EventStream {
    /// The body of the answer to `/api/v1/events`; nil when there are too many watchers.
    static func body(for request: Request, from feed: LiveFeed) async -> ResponseBody? {
        guard let watcher = await feed.watch() else { return nil }
        return ResponseBody { writer in
            do {
                var output = writer
                try await request.body.consumeWithInboundCloseHandler { _ in
                    try await withGracefulShutdownHandler {
                        try await write(watcher.signals, from: feed, to: &output)
                    } onGracefulShutdown: {
                        watcher.stop.finish()
                    }
                } onInboundClosed: {
                    watcher.stop.finish()
                }
                await feed.stopWatching(watcher.id)
                try await output.finish(nil)
            } catch {
                await feed.stopWatching(watcher.id)
                throw error
            }
        }
    }

    @concurrent private static func write(
        _ signals: AsyncStream<LiveSignal>, from feed: LiveFeed, to writer: inout any ResponseBodyWriter
    ) async throws {
        try await writer.write(ByteBuffer(bytes: LiveEvent.preamble))
        var written = try await writeSnapshot(from: feed, to: &writer)
        for await signal in signals {
            switch signal {
            case .heartbeat:
                try await writer.write(ByteBuffer(bytes: LiveEvent.heartbeat))
            case .change(let number, _) where number <= written:
                continue
            case .change(written + 1, let event):
                try await writer.write(ByteBuffer(bytes: event))
                written += 1
            case .change, .reset:
                written = try await writeSnapshot(from: feed, to: &writer)
            }
        }
    }

    @concurrent private static func writeSnapshot(
        from feed: LiveFeed, to writer: inout any ResponseBodyWriter
    ) async throws -> Int {
        let (number, event) = await feed.snapshot()
        try await writer.write(ByteBuffer(bytes: event))
        return number
    }
}
