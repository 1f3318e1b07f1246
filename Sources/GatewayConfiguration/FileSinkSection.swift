// `file:` of a sink: a folder from which somebody takes files away.

internal import GatewayModel
internal import Upstream

/// Reads where files go, of which kind, and how large and old they get.
struct FileSinkSection {
    let problems: Problems

    /// Nil when the sink has no `file`, or what it has is wrong.
    func read(_ reader: MappingReader) -> FileReceiverPlan? {
        let directory = reader.required("directory", .matching("an absolute path") { $0.hasPrefix("/") })
        var plan = FileReceiverPlan(directory: directory ?? "/")
        plan.format = reader.value("format", Notation<FileReceiverPlan.Format>.word, default: plan.format)
        plan.fileBytes = reader.value("size", .size(from: 64 << 10, to: 1 << 30), default: plan.fileBytes)
        plan.age = reader.value("age", .duration(from: .seconds(10), to: .seconds(30 * 86_400)), default: plan.age)
        plan.isGzipped = reader.value("gzip", .flag, default: plan.isGzipped)
        plan.totalBytes = reader.value("total", .size(from: 1 << 20, to: 16 << 40), default: plan.totalBytes)
        plan.removesOldest = reader.value("delete_oldest", .flag, default: plan.removesOldest)
        plan.commit = reader.value(
            "commit", .duration(from: .milliseconds(50), to: .seconds(60)), default: plan.commit)
        plan.measurement = reader.value("measurement", .name, default: plan.measurement)
        if reader.has("measurement"), plan.format != .influx {
            problems.error(reader.place(of: "measurement"), "only 'format: influx' has a measurement")
        }
        // While one file is written or compressed another is there beside it.
        if plan.totalBytes / 3 < plan.fileBytes {
            problems.error(
                reader.place(of: reader.has("total") ? "total" : "size"),
                "files of \(Spelling.size(plan.fileBytes)) in \(Spelling.size(plan.totalBytes)): it must hold three")
        }
        reader.finish()
        return directory == nil ? nil : plan
    }
}
