// `lineside simulate`: the devices and sensors of a configuration, played by this machine.

import ArgumentParser
import GatewayConfiguration
import GatewayPlatform
import Simulation

internal import UnixSignals

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Serve the devices of a configuration as real Modbus servers, and publish for its MQTT sensors.",
        discussion: """
            Values come from the 'simulate:' sections. Serves on 127.0.0.1 only, and on serial ports, until ^C.

            A serial channel needs the other end of its line. Without wires: socat -d -d \\
              pty,raw,echo=0,link=/tmp/gateway pty,raw,echo=0,link=/tmp/device
            with 'port: /tmp/device' for simulate and 'port: /tmp/gateway' for run.
            """)

    @OptionGroup var site: SiteOptions

    func run() async throws {
        ProcessLimits.capDescriptors()
        ProcessLimits.ignoreBrokenPipes()
        let plan = try site.load().plan.simulation
        let plant: SimulatedPlant
        do {
            plant = try SimulatedPlant(plan: plan)
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
        plant.start()
        Console.out(
            "simulating \(plan.channels.count) Modbus servers and \(plan.sensors.count) MQTT sensors; ^C ends")
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { break }
        plant.stop()
    }
}
