// The one executable: the daemon and the tools of those who run it.

import ArgumentParser

@main
struct Lineside: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lineside",
        abstract: "An edge gateway for factories: reads machines, keeps every reading, raises alarms, sends upstream.",
        discussion: """
            Exit codes: 0 done, 1 failed, 64 wrong use of the command line, 78 the configuration has errors.
            """,
        version: Version.text,
        subcommands: [
            RunCommand.self, CheckCommand.self, PlanCommand.self, ScanCommand.self, PollCommand.self,
            DecodeCommand.self, ImportCommand.self, SimulateCommand.self, DemoCommand.self, AuditCommand.self,
            JournalCommand.self, QueryCommand.self, SinksCommand.self, DiscoveredCommand.self,
            AdoptCommand.self, CommissionDiskCommand.self, VersionCommand.self,
        ])
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")
    func run() { Console.out(Version.text) }
}

enum Version {
    static let text = "0.1.0"
}
