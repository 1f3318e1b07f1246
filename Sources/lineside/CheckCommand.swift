// `lineside check`: every problem of a configuration at once, before anything runs.

import ArgumentParser
import GatewayConfiguration

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check the configuration without starting anything.",
        discussion: "Prints one 'file:line:column: error: …' per problem. Exit code 78 when there is an error.")

    @OptionGroup var site: SiteOptions

    @Flag(name: .shortAndLong, help: "Print problems only.")
    var quiet = false

    func run() throws {
        let loaded = try site.load()
        guard !quiet else { return }
        let counts = loaded.counts
        Console.out(
            """
            \(site.config): ok, \(loaded.files.count) files: \(counts.channels) channels, \(counts.sources) MQTT sources, \
            \(counts.devices) devices, \(counts.tags) tags, \(counts.rules) rules for \(counts.alarms) alarms, \
            \(counts.sinks) sinks
            """)
    }
}
