// `lineside plan`: what the configuration asks of every channel, before anything runs.

import ArgumentParser
import Gateway
import GatewayConfiguration
import ModbusDriver

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show the requests of every Modbus channel, and what they cost in time.",
        discussion: """
            Registers wanted are those that tags lie in; registers read are those that requests carry. On a serial \
            line the cost follows from the baud rate, with 5 ms for the device to think; elsewhere it is an \
            assumption until the gateway has measured it. What devices have taught the gateway (refused values, the \
            longest request) is taken from the site's store when it is there. Asks no device anything.
            """)

    @OptionGroup var site: SiteOptions

    @Flag(name: .shortAndLong, help: "List every request with its addresses in all notations and the tags it carries.")
    var verbose = false

    @Flag(help: "Print JSON, times in milliseconds.")
    var json = false

    @Argument(help: "Channels to show; all without.")
    var channels: [String] = []

    func run() throws {
        let plan = try site.load(printingWarnings: !json).plan
        if let unknown = channels.first(where: { name in !plan.channels.contains { $0.name == name } }) {
            let names = plan.channels.map(\.name).joined(separator: ", ")
            Console.error("no Modbus channel is called '\(unknown)'; there are: \(names.isEmpty ? "none" : names)")
            throw ExitCode.failure
        }
        let shown = plan.channels.filter { channels.isEmpty || channels.contains($0.name) }
        let stored = site.knowledge(of: plan)
        let reports = shown.map {
            let taught = stored?.units(of: $0) ?? [:]
            return PlanReport(
                budget: ChannelBudget($0, knowledge: taught), tags: plan.tags, isVerbose: verbose,
                taught: taught.isEmpty
                    ? nil : "with what \(taught.count) of \($0.units.count) devices taught (\(stored?.file ?? ""))")
        }
        if json {
            Console.out("[\(reports.map(\.json).joined(separator: ",\n "))]")
        } else if reports.isEmpty {
            Console.out("no Modbus channels")
        } else {
            Console.out(reports.map { $0.lines.joined(separator: "\n") }.joined(separator: "\n\n"))
        }
    }
}
