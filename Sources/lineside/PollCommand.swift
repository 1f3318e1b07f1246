// `lineside poll`: one round over a device of the configuration, every byte shown.

import ArgumentParser
import Commissioning
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import ModbusDriver

struct PollCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "poll",
        abstract: "Read a device of the configuration once and show everything: requests, bytes, words, values.",
        discussion: """
            Makes the same requests as the gateway, in the order of its plan and with what the device has taught it when \
            the site's store is there, and shows for each the address as manuals \
            write it (from 0, Modicon with five and six digits, hexadecimal), the bytes sent and received and the \
            milliseconds; for each tag the raw words, type and order, raw value, value and quality.

              lineside poll press-7/meter --config site.yaml

            DEVICE is the place of the device, or its last levels if they are unique. A block that the device refuses is \
            asked again value by value, so that the culprit shows. Many devices allow one client only: stop the gateway, \
            or expect it to lose a scan. Exit code 1 when nothing could be read.
            """)

    @Argument(help: "The device, as the site names it: press-7/meter.")
    var device: String

    @OptionGroup var site: SiteOptions

    func run() async throws {
        ProcessLimits.capDescriptors()
        ProcessLimits.ignoreBrokenPipes()
        let plan = try site.load().plan
        let (channel, unit) = try find(in: plan)
        let table = plan.tags
        let stored = site.knowledge(of: plan)
        let taught = stored?.units(of: channel)[unit.device]
        if taught != nil, let file = stored?.file { Console.out("with what the device taught (\(file))") }
        let summary = await BlockingWork.run("poll") { stop in
            var round = PollRound(
                channel: channel, unit: unit, tags: table, knowledge: taught ?? UnitKnowledge())
            return round.run(stop: stop) { Console.out($0) }
        }
        Console.out("")
        Console.out(
            "\(summary.values) of \(summary.tags) tags read with \(summary.requests) requests, \(summary.failed) failed"
        )
        if summary.values == 0 { throw ExitCode.failure }
    }

    private func find(in plan: GatewayPlan) throws -> (ModbusChannelPlan, ModbusUnitPlan) {
        let all = plan.channels.flatMap { channel in channel.units.map { (channel, $0) } }
        if let exact = all.first(where: { $0.1.name == device }) { return exact }
        let near = all.filter { $0.1.name.hasSuffix("/\(device)") }
        if near.count == 1, let only = near.first { return only }
        if near.count > 1 {
            Console.error("'\(device)' is not unique: \(near.map(\.1.name).joined(separator: ", "))")
        } else if plan.tags.devices.contains(where: { $0.path == device || $0.path.hasSuffix("/\(device)") }) {
            Console.error("'\(device)' speaks MQTT; poll is for Modbus devices")
        } else {
            Console.error("there is no device '\(device)'. The Modbus devices of \(site.config):")
            for (channel, unit) in all.prefix(50) {
                Console.error("  \(unit.name)  (\(channel.endpoint), unit \(unit.unitID))")
            }
        }
        throw ExitCode.failure
    }
}
