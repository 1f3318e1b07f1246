// `lineside sinks`: what became of records that a sink could not send.

import ArgumentParser
import Export
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import Journal
import Upstream

internal import Glibc

struct SinksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sinks", abstract: "Show what sinks have set aside.", subcommands: [SetAsideCommand.self])
}

struct SetAsideCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-aside", abstract: "Print records that a receiver will never take, oldest first.",
        discussion: """
            Each sink keeps the last 8 to 16 MiB of them in the store, in 'set-aside'. Only reads; may be done beside a \
            running gateway. Exit code 1 when a file can't be read.
            """)

    @OptionGroup var site: SiteOptions

    @Option(
        name: .customLong("directory"), help: "The store's folder. Without it the site file says where it is.",
        completion: .directory)
    var directory: String?

    @Option(help: "Of this sink only.")
    var sink: String?

    @Option(name: .shortAndLong, help: "How many of each sink's last lines.")
    var lines = 50

    @Flag(help: "Print the lines as they are: JSON, with the records' content.")
    var json = false

    func run() throws {
        let store = try directory ?? site.load(printingWarnings: false).plan.store.directory
        do throws(DiskError) {
            guard unsafe access(SetAsideFolder.path(in: store), F_OK) == 0 || errno != ENOENT else {
                return Console.out("nothing has been set aside")
            }
            try show(POSIXDisk(readOnly: SetAsideFolder.path(in: store)))
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
    }

    private func show(_ disk: POSIXDisk) throws(DiskError) {
        var bySink: [(sink: String, lines: [ArraySlice<UInt8>])] = []
        for name in try SetAsideFolder.files(on: disk, of: sink) {
            let file = try disk.open(name, create: false)
            let found = try file.read(count: Int(file.size()), at: 0).split(separator: UInt8(ascii: "\n"))
            let owner = String(name.prefix { $0 != "." })
            if bySink.last?.sink == owner {
                bySink[bySink.count - 1].lines += found
            } else {
                bySink.append((owner, found))
            }
        }
        guard !bySink.isEmpty else { return Console.out("nothing has been set aside") }
        for (_, found) in bySink {
            for line in found.suffix(max(0, lines)) {
                Console.out(json ? String(decoding: line, as: UTF8.self) : Self.spelled(Array(line)))
            }
        }
    }

    /// One line for people; a line that a power cut tore as it is.
    static func spelled(_ line: [UInt8]) -> String {
        guard let json = JSONText(parsing: line), let time = json["time"]?.string, let sink = json["sink"]?.string,
            let reason = json["reason"]?.string
        else { return String(decoding: line, as: UTF8.self) }
        guard let first = json["first"]?.number, let last = json["last"]?.number else {
            return "\(time)  \(sink)  \(Int64(json["lost"]?.number ?? 0)) lost: \(reason)"
        }
        let numbers = first == last ? "\(Int64(first))" : "\(Int64(first)) to \(Int64(last))"
        let what = json["records"]?.elements?.first.flatMap { $0["tag"]?.string ?? $0["alarm"]?.string }
        return "\(time)  \(sink)  \(numbers)\(what.map { "  \($0)" } ?? ""): \(reason)"
    }
}
