// What Sparkplug sinks ask of the rest of the gateway, and where the numbers of their sessions lie.

internal import GatewayModel
internal import GatewayPlatform
internal import History
internal import Journal
internal import Upstream
internal import UpstreamSparkplug
internal import Writes

/// Answers from the journal's table, the newest values in RAM and the write service; owns nothing.
struct SparkplugWiring: Sendable {
    let journal: Journal
    let history: History
    let pipeline: ReadingPipeline
    let writes: WriteSide
    /// Where what must outlive a restart lies, beside the log.
    let folder: String

    func surroundings(of sink: String) -> SparkplugSurroundings {
        let number = SessionNumber(folder: folder, sink: sink)
        return SparkplugSurroundings(
            tags: { [journal] in
                // Behind the end there are no records, and the dictionary is the present one.
                journal.read(from: SequenceNumber(.max), maxRecords: 1, maxBytes: 1).dictionary.table
            },
            present: { [history] tag in
                history.last(tag).map {
                    PresentReading(value: $0.value, quality: $0.quality, timestamp: $0.timestamp)
                }
            },
            alarms: { [pipeline] in pipeline.currentAlarms }, isWritable: { [writes] in writes.isWritable($0) },
            write: { [writes] command in
                let request = WriteRequest(
                    id: "", tag: command.tag, value: command.value, who: "sparkplug:\(sink)", door: .sparkplug)
                // Judged, written and put on record there; a host sees what became of it by the tag's value.
                writes.service.request(request) { _ in }
            }, lastBirth: { number.last }, keepBirth: { number.keep($0) })
    }
}

/// The number of a sink's last session, in a file of four bytes.
///
/// Durable before the connection that uses it: a host must never meet a number again, or it takes the late will of an
/// earlier session for the present one's. With a disk that fails it may, which is all that this costs, so nothing is
/// said of it.
struct SessionNumber {
    let folder: String
    let sink: String
    private var file: String { "sparkplug-\(sink)" }

    var last: UInt8? {
        guard let disk = try? POSIXDisk(path: folder), let open = try? disk.open(file, create: false),
            let bytes = try? open.read(count: 3, at: 0)
        else { return nil }
        return UInt8(String(decoding: bytes, as: UTF8.self))
    }

    func keep(_ number: UInt8) {
        let digits = String(number)
        let line = String(repeating: "0", count: 3 - digits.count) + digits + "\n"
        try? POSIXDisk(path: folder).store(Array(line.utf8), as: file)
    }
}
