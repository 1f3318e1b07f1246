// How the daemon behaves to those who run it: errors with their place, reload, the service manager, the demo.

import Foundation
import Testing

private let profile = """
    kind: DeviceProfile
    id: test-press
    version: 1.0.0
    addressing: protocol-0
    groups: { fast: 100ms }
    tags:
      pressure: { at: "hr 0", type: u16, unit: bar, scale: 0.1, group: fast, range: [0, 100] }
      state: { at: "hr 1", type: u16, unit: "1", group: fast }
    simulate:
      pressure: { square: { low: 20, high: 60, period: 2s } }
      state: { constant: 3 }
    """

extension EndToEnd {
    @Suite("Operation", .serialized, .timeLimit(.minutes(5)))
    struct OperationTests {
        let plant: Plant
        let devicePort = freePort()
        let deadPort = freePort()

        init() throws {
            plant = try Plant()
            try plant.write(profile, to: "profiles/press.yaml")
            try plant.write(site(), to: "site.yaml")
            // Nobody plays the dead device.
            let living = site().split(separator: "\n").filter { !$0.contains("net-2") }.joined(separator: "\n")
            try plant.write(living, to: "simulated.yaml")
            try plant.write(
                """
                kind: Rules
                for: "packing/**"
                rules:
                  overpressure:
                    when: "pressure > 50 bar"
                    clear: "pressure < 40 bar"
                    priority: high
                    message: "{device} at {value} {unit}"
                """, to: "rules.yaml")
        }

        private func site(extra: String = "", sensorTopic: String = "sensors/a") -> String {
            """
            kind: Site
            id: acme/lyon
            channels:
              net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } }
              net-2: { tcp: { host: 127.0.0.1, port: \(deadPort) } }
            devices:
              packing/line-1/press: { profile: test-press@1, channel: net-1, unit: 1 }
              packing/line-1/dead: { profile: test-press@1, channel: net-2, unit: 1 }
            \(extra)
            mqtt:
              floor:
                broker: "mqtt://127.0.0.1:\(plant.brokerPort)"
                subscribe:
                  - topic: \(sensorTopic)
                    device: packing/line-1/sensor
                    payload: json
                    tags:
                      temp: { at: "$.t", unit: "°C" }
                      note: { at: "$.note", type: text }
            sinks:
              plant: { mqtt: { url: "mqtt://127.0.0.1:\(plant.brokerPort)" } }
            store: { directory: \(plant.folder.path())/store, disk: 64MiB, segment: 1MiB, keep_free: 0MiB }
            http: { listen: "127.0.0.1:\(plant.httpPort)" }
            """
        }

        private func publish(_ payload: String, to topic: String = "sensors/a") throws {
            try runToEnd(
                "/usr/bin/mosquitto_pub", ["-p", String(plant.brokerPort), "-q", "1", "-t", topic, "-m", payload])
        }

        @Test("Registers and topics become readings upstream, and alarms come, go and stay known")
        func mainJob() async throws {
            let broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort], site: "simulated.yaml")
            let subscriber = try await plant.startSubscriber()
            let gateway = try await plant.startGateway()
            #expect(
                await eventuallyAsync(within: 30) {
                    (try? publish(#"{"t":21.5,"note":"läuft"}"#)) != nil
                        && Account(subscriber).byTag["packing/line-1/sensor/temp"] != nil
                })
            #expect(
                await eventually(within: 30) {
                    Set(Account(subscriber).alarms.map(\.state)).isSuperset(of: ["active", "cleared"])
                }, "alarms: \(Account(subscriber).alarms) \(gateway.output)")
            let account = Account(subscriber)
            #expect(account.faults.isEmpty && account.missing.isEmpty, "\(account.faults) \(account.missing)")
            #expect(account.alarms.allSatisfy { $0.alarm == "packing/line-1/press/overpressure" })
            #expect(
                account.byTag["packing/line-1/press/pressure"]?.compactMap(\.value).allSatisfy {
                    [20, 60].contains($0)
                } == true)
            #expect(account.byTag["packing/line-1/dead/pressure"]?.first?.quality == "BadNoCommunication")
            #expect(account.byTag["packing/line-1/sensor/temp"]?.first?.value == 21.5)

            // The alarm's last state is retained for who comes later.
            let late = try await plant.startSubscriber(to: "lineside/acme/lyon/alarms/#", name: "late")
            #expect(await eventually(within: 20) { !Account(late).alarms.isEmpty })
            // And people see all of it.
            #expect(await plant.get("/health").contains("degraded"))
            #expect(await plant.get("/api/v1/tags").contains("packing/line-1/press/pressure"))
            #expect(await plant.get("/api/v1/alarms").contains("overpressure"))
            #expect(await plant.get("/api/v1/series?tag=packing/line-1/press/pressure&from=-1m").contains("60"))
            #expect(await plant.get("/metrics").contains("lineside_build_info"))
            #expect(await plant.get("/").contains("<html"))
            _ = (broker, simulation)
        }

        @Test("Payloads that make no sense are counted and disturb nothing else")
        func badPayloads() async throws {
            let broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort], site: "simulated.yaml")
            let subscriber = try await plant.startSubscriber()
            let gateway = try await plant.startGateway()
            #expect(
                await eventuallyAsync(within: 30) {
                    (try? publish(#"{"t":1,"note":"a"}"#)) != nil
                        && Account(subscriber).byTag["packing/line-1/sensor/temp"] != nil
                })
            try publish("this is not JSON")
            try publish(#"{"t":"hot","note":7}"#)
            try publish("{}")
            try publish("{\"t\":1,\"note\":\"\(String(repeating: "x", count: 100))\",\"pad\":\"")
            try plant.write("{\"t\":5,\"pad\":\"\(String(repeating: "x", count: 300_000))\"}", to: "large.json")
            try runToEnd(
                "/usr/bin/mosquitto_pub",
                [
                    "-p", String(plant.brokerPort), "-q", "1", "-t", "sensors/a", "-f",
                    plant.folder.appending(path: "large.json").path(),
                ])
            try publish(#"{"t":2,"note":"b"}"#)
            #expect(
                await eventually(within: 30) {
                    let byTag = Account(subscriber).byTag
                    // The machine polls at its own pace: its first reading may come after all of these messages.
                    return byTag["packing/line-1/sensor/temp"]?.contains { $0.value == 2 } == true
                        && byTag["packing/line-1/press/pressure"] != nil
                })
            let account = Account(subscriber)
            let qualities = Set(account.byTag["packing/line-1/sensor/temp"]?.compactMap(\.quality) ?? [])
            #expect(qualities.isSuperset(of: ["BadTypeMismatch", "BadDecodingError"]), "\(qualities)")
            #expect(account.faults.isEmpty && account.missing.isEmpty)
            #expect(account.byTag["packing/line-1/press/pressure"]?.allSatisfy { $0.quality == nil } == true)
            // Once per source and minute each, not once per message.
            let lines = gateway.output.split(separator: "\n").filter { $0.contains("JSON") }
            #expect((1...2).contains(lines.count), "\(lines)")
            _ = (broker, simulation)
        }

        @Test(
            "A wrong configuration names every problem with its place, exits with 78, and never stops a running gateway"
        )
        func wrongConfiguration() async throws {
            let wrong = site().replacingOccurrences(of: "unit: 1 }", with: "unti: 1 }")
            try plant.write(wrong, to: "wrong.yaml")
            let check = try Child(
                Built.lineside, ["check", "--config", plant.folder.appending(path: "wrong.yaml").path()], name: "check",
                in: plant.folder)
            #expect(await check.exitCode(within: 20) == 78)
            let errors = check.output.split(separator: "\n").filter { $0.contains(": error: ") }
            #expect(
                errors.count >= 2 && errors.allSatisfy { $0.contains(#/wrong\.yaml:\d+:\d+: error: /#) },
                "\(check.output)")
            #expect(check.output.contains("did you mean 'unit'?"), "\(check.output)")
            let run = try Child(
                Built.lineside, ["run", "--config", plant.folder.appending(path: "wrong.yaml").path()], name: "run",
                in: plant.folder)
            #expect(await run.exitCode(within: 20) == 78)

            let broker = try await plant.startBroker()
            let gateway = try await plant.startGateway()
            try plant.write(wrong, to: "site.yaml")
            gateway.kill(SIGHUP)
            #expect(
                await eventuallyAsync(within: 20) { await plant.metric("lineside_config_last_reload_successful") == 0 },
                "\(gateway.output)")
            #expect(gateway.isRunning && gateway.output.contains("did you mean 'unit'?"))
            _ = broker
        }

        @Test("A reload brings new devices and keeps journal, history and numbering")
        func reload() async throws {
            let broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort], site: "simulated.yaml")
            let subscriber = try await plant.startSubscriber()
            let gateway = try await plant.startGateway()
            #expect(await eventually(within: 30) { Account(subscriber).readings.count > 30 })
            let extra = "  packing/line-1/second: { profile: test-press@1, channel: net-1, unit: 2 }"
            try plant.write(site(extra: extra), to: "site.yaml")
            gateway.kill(SIGHUP)
            // Nobody plays unit 2: it answers with exception 0x0B, and that is a reading too.
            #expect(
                await eventually(within: 30) { Account(subscriber).byTag["packing/line-1/second/pressure"] != nil },
                "\(gateway.output)")
            let heard = Account(subscriber).readings.count
            #expect(await eventually(within: 30) { Account(subscriber).readings.count > heard + 30 })
            let account = Account(subscriber)
            #expect(account.faults.isEmpty && account.missing.isEmpty && account.outOfOrder == 0)
            #expect(account.streams.count == 1 && account.gaps.isEmpty)
            _ = (broker, simulation)
        }

        @Test("The service manager hears of readiness, of progress and of the end, which comes within ten seconds")
        func serviceManager() async throws {
            let socketFile = plant.folder.appending(path: "notify").path()
            let listener = try Child(
                "/usr/bin/socat", ["-u", "UNIX-RECV:\(socketFile)", "-"], name: "notify", in: plant.folder)
            #expect(await eventually(within: 10) { FileManager.default.fileExists(atPath: socketFile) })
            let gateway = try await plant.startGateway(
                environment: ["NOTIFY_SOCKET": socketFile, "WATCHDOG_USEC": "2000000"])
            #expect(
                await eventually(within: 20) {
                    listener.output.contains("READY=1")
                        && listener.output.components(separatedBy: "WATCHDOG=1").count > 3
                }, "\(listener.output)")
            // The broker is away and one device is dead: an orderly end is owed all the same.
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 10) == 0, "\(gateway.output)")
            #expect(await eventually(within: 5) { listener.output.contains("STOPPING=1") })
        }

        @Test("The unit is hardened: an exposure of at most 1.5")
        func hardened() throws {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/systemd-analyze")
            process.arguments = [
                "security", "--offline=true", "--threshold=15", root.appending(path: "systemd/lineside.service").path(),
            ]
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }

        @Test("The demo shows readings and alarms, and leaves nothing behind")
        func demo() async throws {
            let temporary = plant.folder.appending(path: "tmp")
            try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
            let demo = try Child(
                Built.lineside, ["demo", "--port", String(plant.httpPort)], name: "demo", in: plant.folder,
                environment: ["TMPDIR": temporary.path()])
            #expect(await eventually(within: 90) { demo.output.contains("ALARM") }, "\(demo.output)")
            #expect(demo.output.contains("http://127.0.0.1:\(plant.httpPort)/"))
            #expect(await plant.get("/api/v1/tags").contains("Good"))
            demo.kill(SIGINT)
            #expect(await demo.exitCode(within: 20) == 0, "\(demo.output)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path()).isEmpty)
        }
    }
}
