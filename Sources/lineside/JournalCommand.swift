// `lineside journal`: what a store holds, whether it is whole, and its readings for other programs.

import ArgumentParser

struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal", abstract: "Look into the store: what it holds, whether it is whole; export it.",
        discussion: """
            All of it only reads. It may be done beside a running gateway, in a copy of the store's folder, and on \
            a disk that is mounted read-only.
            """,
        subcommands: [JournalInspectCommand.self, JournalVerifyCommand.self, JournalExportCommand.self])
}
