// What devices have taught, kept over a restart: a small file beside the journal.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import ModbusDriver
internal import Synchronization

/// Reads the file once, and writes it anew some seconds after something was learned, on a thread of its own: no scan
/// ever waits for it. Losing it costs some refused requests and nothing else, so a disk that fails is only said.
final class KnowledgeKeeper: Sendable {
    private static let file = StoredKnowledge.name
    private static let period = Duration.seconds(10)

    private let folder: String
    private let logger: Logger
    private let known: Mutex<KnowledgeFile>
    private let channels: @Sendable () -> [ModbusChannel]
    private let stopping = StopSignal()
    private let thread = Mutex<DedicatedThread?>(nil)

    /// - Parameters:
    ///   - folder: made when it is missing; of nobody else.
    ///   - channels: those that run at the moment of the call.
    init(folder: String, logger: Logger, channels: @escaping @Sendable () -> [ModbusChannel]) {
        self.folder = folder
        self.logger = logger
        self.channels = channels
        var file = KnowledgeFile()
        if let disk = try? POSIXDisk(path: folder), let open = try? disk.open(Self.file, create: false),
            let bytes = try? open.read(count: KnowledgeFile.bytes, at: 0)
        {
            file = KnowledgeFile(text: String(decoding: bytes, as: UTF8.self))
            if file.badLines > 0 {
                logger.warning("lines that say nothing in the file of what devices taught: \(file.badLines)")
            }
        }
        known = Mutex(file)
    }

    /// What the units of a channel have taught in an earlier run, or before a reload.
    func knowledge(of plan: ModbusChannelPlan) -> [DeviceID: UnitKnowledge] {
        known.withLock { file in
            Dictionary(
                plan.units.map { ($0.device, file.knowledge(of: $0, on: plan.endpoint)) },
                uniquingKeysWith: { first, _ in first })
        }
    }

    func start() {
        thread.withLock { $0 = DedicatedThread(name: "learned") { [self] in run() } }
    }

    /// Writes what is new and ends.
    func stop() {
        stopping.raise()
        thread.withLock { $0 }?.join()
    }

    /// Takes over what a channel knows that is about to end.
    func take(from channel: ModbusChannel) {
        let taught = channel.unitKnowledge
        known.withLock { file in
            for unit in channel.plan.units {
                if let knowledge = taught[unit.device] { file.set(knowledge, of: unit, on: channel.plan.endpoint) }
            }
        }
    }

    private func run() {
        var written = known.withLock { $0.text }
        var isStopping = false
        while !isStopping {
            isStopping = stopping.wait(until: SystemClock().monotonic().advanced(by: Self.period))
            for channel in channels() { take(from: channel) }
            let text = known.withLock { $0.text }
            guard text != written else { continue }
            do throws(DiskError) {
                try POSIXDisk(path: folder).store(Array(text.utf8), as: Self.file)
                written = text
            } catch {
                logger.warning("what devices taught cannot be written down: \(error)")
            }
        }
    }
}
