// Topics that got a device by being seen: kept over a restart, until somebody adopts them into the site.

internal import GatewayModel
package import GatewayPlatform
internal import Logging
package import MQTTDriver
internal import Synchronization

/// One topic that was seen, and when for the first time.
struct Discovery: Equatable, Sendable {
    var topic: FoundTopic
    var since: Timestamp
}

/// What was discovered, in the order of its finding. Any thread may ask; losing the file costs the time until the topics
/// speak again, so a disk that fails is only said.
final class Discoveries: Sendable {
    private static let file = "discovered"
    /// Bytes of the file; 10,000 topics of 100 bytes. A longer one was not written by us.
    private static let bytes = 4 << 20
    /// Topics of all sources; the openings' own limits are smaller.
    private static let most = 10_000

    private let folder: String
    private let logger: Logger
    private let known: Mutex<[Discovery]>
    /// Rung when there is something new.
    private let news: @Sendable () -> Void

    init(folder: String, logger: Logger, news: @escaping @Sendable () -> Void) {
        self.folder = folder
        self.logger = logger
        self.news = news
        known = Mutex((try? POSIXDisk(path: folder)).map { Self.read($0) } ?? [])
    }

    var all: [Discovery] { known.withLock { $0 } }

    /// Called on a source's thread: notes, and leaves the work to another.
    @Sendable func note(_ topics: [FoundTopic]) {
        let now = SystemClock().wall()
        let isNew = known.withLock { known in
            let before = known.count
            for topic in topics where known.count < Self.most && !known.contains(where: { $0.topic == topic }) {
                known.append(Discovery(topic: topic, since: now))
            }
            return known.count > before
        }
        if isNew { news() }
    }

    /// Forgets what has no device through being seen: adopted, no longer subscribed to, or refused. Writes the rest down.
    func keep(_ taken: [FoundTopic], ofThose asked: [Discovery]) {
        let taken = Set(taken)
        let gone = Set(asked.map(\.topic).filter { !taken.contains($0) })
        let text = known.withLock { known in
            known.removeAll { gone.contains($0.topic) }
            return known.map { "\($0.since.nanoseconds)\t\($0.topic.source)\t\($0.topic.topic)\n" }.joined()
        }
        do throws(DiskError) {
            try write(Array(text.utf8))
        } catch {
            logger.warning("what was discovered cannot be written down: \(error)")
        }
    }

    static func read(_ disk: POSIXDisk) -> [Discovery] {
        guard let open = try? disk.open(file, create: false), let bytes = try? open.read(count: self.bytes, at: 0) else {
            return []
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap(discovery)
    }

    private static func discovery(_ line: Substring) -> Discovery? {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count == 3, let since = Int64(fields[0]), !fields[1].isEmpty, !fields[2].isEmpty else { return nil }
        return Discovery(
            topic: FoundTopic(source: String(fields[1]), topic: String(fields[2])), since: Timestamp(nanoseconds: since))
    }

    /// A new file takes the old one's place when it is whole.
    private func write(_ bytes: [UInt8]) throws(DiskError) {
        let disk = try POSIXDisk(path: folder)
        let name = "\(Self.file).new"
        try? disk.remove(name)
        let file = try disk.open(name, create: true)
        try unsafe file.write(bytes.span.bytes, at: 0)
        try file.sync()
        try disk.rename(name, to: Self.file)
        try disk.syncDirectory()
    }
}

/// What a gateway discovered, for tools that run beside it. Only reads.
package enum StoredDiscoveries {
    /// - Parameter store: the store's folder; without discoveries there are none.
    /// - Throws: when the folder is there and can't be read.
    package static func topics(store: String) throws(DiskError) -> [FoundTopic] {
        Discoveries.read(try POSIXDisk(readOnly: StoredKnowledge.folder(of: store))).map(\.topic)
    }
}
