// Writes from outside to the device and back, through the built daemon: HTTP, a real broker, reload, the audit trail.

import Crypto
import Foundation
import Testing

private let profile = """
    kind: DeviceProfile
    id: test-drive
    version: 1.0.0
    addressing: protocol-0
    groups: { fast: 100ms }
    tags:
      set_point:
        at: "hr 10"
        type: u16
        unit: Hz
        scale: 0.1
        group: fast
        writable: { range: [0, 50], step: 0.5, max_change: 20 }
      ramp: { at: "hr 20", type: f32, unit: s, group: fast, writable: { range: [0, 100] } }
      enable: { at: "co 3", type: bool, group: fast, writable: {} }
      remote: { at: "hr 30.4", type: bool, group: fast, writable: { every: 1h } }
      start: { at: "hr 50", type: u16, unit: "1", group: fast, writable: { range: [0, 3], reads_back: cleared } }
      reset: { at: "hr 51.2", type: bool, group: fast, writable: { reads_back: cleared } }
      code: { at: "hr 52", type: u16, unit: "1", group: fast, writable: { range: [0, 9999], reads_back: no } }
      fixed: { at: "hr 40", type: u16, unit: "1", group: fast }
    simulate:
      set_point: { constant: 20 }
      ramp: { constant: 5 }
      enable: { constant: 0 }
      remote: { constant: 0 }
      start: { constant: 0 }
      reset: { constant: 0 }
      code: { constant: 8888 }
      fixed: { constant: 7 }
    """
private let token = "a-token-of-more-than-sixteen-bytes"
private let key = "a-key-of-more-than-sixteen-bytes"
private let drive = "hall/line-1/cell-1/drive"

extension EndToEnd {
    @Suite("Writes", .serialized, .timeLimit(.minutes(5)))
    struct WriteTests {
        let plant: Plant
        let devicePort = freePort()

        init() throws {
            plant = try Plant()
            try plant.write(profile, to: "profiles/drive.yaml")
            for (name, secret) in [("token", token), ("key", key)] {
                try plant.write(secret, to: name)
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o600], ofItemAtPath: plant.folder.appending(path: name).path())
            }
            try plant.write(site(writes: true), to: "site.yaml")
        }

        private func site(writes: Bool) -> String {
            let section = """
                writes:
                  allow: ["\(drive)/**"]
                  http: { tokens: { anna: { file: \(plant.folder.path())/token } } }
                  mqtt:
                    broker: "mqtt://127.0.0.1:\(plant.brokerPort)"
                    topic: "plant/commands"
                    senders: { scada: { key: { file: \(plant.folder.path())/key } } }
                """
            return """
                kind: Site
                id: acme/lyon
                channels:
                  net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } }
                devices:
                  \(drive): { profile: test-drive@1, channel: net-1, unit: 1 }
                store: { directory: \(plant.folder.path())/store, disk: 64MB }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                \(writes ? section : "")
                """
        }

        private func start() async throws -> (broker: Child, devices: Child, gateway: Child) {
            let broker = try await plant.startBroker()
            let devices = try await plant.startSimulation(ports: [devicePort])
            let gateway = try await plant.startGateway()
            #expect(await eventually(within: 30) { await present("set_point") == "20" })
            return (broker, devices, gateway)
        }

        /// What the API says of a tag now.
        private func present(_ name: String) async -> String {
            let body = await plant.get("/api/v1/tags?match=\(drive)/\(name)")
            let answer = try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
            let tag = (answer?["tags"] as? [[String: Any]])?.first
            return (tag?["value"]).map { "\($0)" } ?? "?"
        }

        private func post(
            _ name: String, _ value: String, token: String? = token
        ) async throws -> (status: Int, json: [String: Any]) {
            let url = try #require(URL(string: "http://127.0.0.1:\(plant.httpPort)/api/v1/writes"))
            let answer = plant.folder.appending(path: "answer-\(UUID().uuidString)")
            let status = plant.folder.appending(path: "status-\(UUID().uuidString)")
            var arguments = ["-s", "-o", answer.path(), "-w", "%{http_code}", "-H", "Content-Type: application/json"]
            if let token { arguments += ["-H", "Authorization: Bearer \(token)"] }
            arguments += ["-d", #"{"tag":"\#(drive)/\#(name)","value":\#(value)}"#, url.absoluteString]
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/curl")
            process.arguments = arguments
            _ = FileManager.default.createFile(atPath: status.path(), contents: nil)
            process.standardOutput = try FileHandle(forWritingTo: status)
            try process.run()
            process.waitUntilExit()
            let body = (try? Data(contentsOf: answer)) ?? Data()
            let code = Int((try? String(contentsOf: status, encoding: .utf8)) ?? "") ?? 0
            return (code, (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:])
        }

        private func command(
            _ name: String, _ value: String, id: String, nonce: String = UUID().uuidString, key: String = key,
            expires: Double = 29, gateway: String = "acme/lyon"
        ) -> String {
            let moment = Int64((Date().timeIntervalSince1970 + expires) * 1000)
            let fields = ["lineside-write-1", gateway, "scada", id, "\(drive)/\(name)", value, nonce, "\(moment)", ""]
            let signed = fields.map { "\($0.utf8.count):\($0)," }.joined()
            let code = HMAC<SHA256>.authenticationCode(
                for: Data(signed.utf8), using: SymmetricKey(data: Data(key.utf8)))
            let mac = code.map { String(format: "%02x", $0) }.joined()
            return """
                {"id":"\(id)","gateway":"\(gateway)","sender":"scada","tag":"\(drive)/\(name)","value":\(value),\
                "nonce":"\(nonce)","expires":\(moment),"mac":"\(mac)"}
                """
        }

        private func publish(_ payload: String, isRetained: Bool = false) throws {
            try runToEnd(
                "/usr/bin/mosquitto_pub",
                ["-p", String(plant.brokerPort), "-q", "1", "-t", "plant/commands", "-m", payload]
                    + (isRetained ? ["-r"] : []))
        }

        private func audit(_ command: String, _ more: [String] = []) throws -> (text: String, code: Int32) {
            let output = plant.folder.appending(path: "audit-\(UUID().uuidString)")
            _ = FileManager.default.createFile(atPath: output.path(), contents: nil)
            let process = Process()
            process.executableURL = URL(filePath: Built.lineside)
            process.arguments = ["audit", command, "--store", plant.folder.appending(path: "store").path()] + more
            process.standardOutput = try FileHandle(forWritingTo: output)
            try process.run()
            process.waitUntilExit()
            return ((try? String(contentsOf: output, encoding: .utf8)) ?? "", process.terminationStatus)
        }

        @Test("A value written over HTTP is in the device, in the API and in the audit trail; others are refused")
        func http() async throws {
            let running = try await start()
            #expect(try await post("set_point", "21.5").status == 200)
            #expect(await eventually(within: 20) { await present("set_point") == "21.5" })
            let done: [(String, String, String)] = [
                ("ramp", "12.25", "12.25"), ("enable", "true", "1"), ("remote", "true", "1"),
            ]
            for (name, value, shown) in done {
                let answer = try await post(name, value)
                #expect(answer.status == 200 && answer.json["outcome"] as? String == "done", "\(name): \(answer)")
                #expect(await eventually(within: 20) { await ["true", shown].contains(present(name)) }, "\(name)")
            }
            for (name, value, readBack) in [("start", "2", 0), ("reset", "true", 0), ("code", "1234", nil)] {
                let answer = try await post(name, value)
                #expect(answer.status == 200 && answer.json["outcome"] as? String == "done", "\(name): \(answer)")
                #expect((answer.json["read_back"] as? NSNumber)?.intValue == readBack, "\(name): \(answer)")
            }
            let refused: [(String, String, String?, Int, String)] = [
                ("set_point", "21.6", token, 422, "off_step"), ("set_point", "60", token, 422, "outside_range"),
                ("set_point", "48", token, 409, "change_too_large"), ("set_point", "true", token, 422, "wrong_type"),
                ("remote", "false", token, 409, "too_soon"), ("fixed", "1", token, 403, "not_allowed"),
                ("nothing", "1", token, 403, "not_allowed"), ("set_point", "22", "wrong", 401, "unauthorised"),
                ("set_point", "22", nil, 401, "unauthorised"), ("set_point", "\"22\"", token, 400, "malformed"),
            ]
            for (name, value, token, status, code) in refused {
                let answer = try await post(name, value, token: token)
                #expect(answer.status == status && answer.json["code"] as? String == code, "\(name): \(answer)")
            }
            #expect(await present("set_point") == "21.5")
            #expect(await eventually(within: 20) { await plant.metric("lineside_writes_accepted_total") == 7 })

            // Writes go away with a reload, and come back with the next.
            try plant.write(site(writes: false), to: "site.yaml")
            running.gateway.kill(SIGHUP)
            #expect(
                await eventually(within: 20) { (try? await post("set_point", "22"))?.json["code"] as? String == "off" })
            try plant.write(site(writes: true), to: "site.yaml")
            running.gateway.kill(SIGHUP)
            #expect(await eventually(within: 20) { (try? await post("set_point", "22").status) == 200 })

            let head = try #require(
                try JSONSerialization.jsonObject(with: Data(await plant.get("/api/v1/audit").utf8)) as? [String: Any])
            let pin = try #require(head["pin"] as? String)
            running.gateway.kill(SIGTERM)
            #expect(await running.gateway.exitCode(within: 20) == 0)
            let shown = try audit("show").text
            #expect(shown.contains("done \(drive)/set_point 21.5 by anna over http"), "\(shown)")
            #expect(shown.contains("refused \(drive)/set_point 21.6"), "\(shown)")
            #expect(shown.contains("refused \(drive)/fixed"), "\(shown)")
            let verified = try audit("verify", ["--pin", pin])
            #expect(verified.code == 0 && verified.text.contains(pin), "\(pin): \(verified.text)")
            #expect(try audit("verify", ["--pin", "1:" + pin.suffix(64)]).code == 1)
            for secret in [token, key] {
                #expect(!running.gateway.output.contains(secret) && !shown.contains(secret))
            }
            let file = plant.folder.appending(path: "store/audit.jsonl")
            let mode = try FileManager.default.attributesOfItem(atPath: file.path())[.posixPermissions] as? Int
            #expect(mode == 0o600)
            // One changed figure.
            let text = try String(contentsOf: file, encoding: .utf8)
            try text.replacing("21.5", with: "22.5", maxReplacements: 1)
                .write(to: file, atomically: true, encoding: .utf8)
            #expect(try audit("verify").code == 1)
        }

        @Test("A signed command over MQTT is done once and answered; what only looks like one changes nothing")
        func mqtt() async throws {
            let running = try await start()
            let subscriber = try await plant.startSubscriber(to: "plant/commands/reply")
            #expect(await eventually(within: 20) { await plant.metric("lineside_commands_connected") == 1 })
            // Just after its start the gateway refuses what an earlier run may have seen: asked until it is taken.
            var last = ""
            let isDone = await eventually(within: 60) {
                last = command("set_point", "23.5", id: "first")
                try? publish(last)
                _ = await eventually(within: 1) { subscriber.output.contains(#""outcome":"done""#) }
                return subscriber.output.contains(#""outcome":"done""#)
            }
            #expect(isDone, "\(subscriber.output)")
            #expect(await eventually(within: 20) { await present("set_point") == "23.5" })
            #expect(try await post("set_point", "24").status == 200)

            try publish(last)
            #expect(await eventually(within: 20) { subscriber.output.contains(#""code":"replayed""#) })
            try publish(command("set_point", "25.1", id: "step"))
            #expect(await eventually(within: 20) { subscriber.output.contains(#""id":"step""#) })
            #expect(subscriber.output.contains(#""code":"off_step""#))
            try publish(command("set_point", "25", id: "late", expires: -1))
            #expect(await eventually(within: 20) { subscriber.output.contains(#""code":"expired""#) })
            try publish(command("set_point", "25", id: "early", expires: 60))
            #expect(await eventually(within: 20) { subscriber.output.contains(#""code":"too_far_ahead""#) })
            let silent: [(String, String)] = [
                ("forged", command("set_point", "25", id: "x", key: "another-key-of-sixteen-bytes")),
                ("wrong_gateway", command("set_point", "25", id: "x", gateway: "acme/paris")),
                ("malformed", "{}"),
            ]
            for (code, payload) in silent {
                try publish(payload)
                #expect(await eventually(within: 20) { await plant.get("/metrics").contains("\"\(code)\"") }, "\(code)")
            }
            #expect(!subscriber.output.contains(#""id":"x""#), "a stranger gets no answer")
            #expect(await present("set_point") == "24")

            // A retained command is refused when the gateway subscribes, which it does after every start.
            try publish(command("set_point", "25", id: "kept"), isRetained: true)
            #expect(await eventually(within: 20) { subscriber.output.contains(#""id":"kept""#) })
            running.gateway.kill(SIGKILL)
            _ = await running.gateway.exitCode(within: 20)
            let next = try await plant.startGateway()
            #expect(await eventually(within: 20) { await plant.get("/metrics").contains("\"retained\"") })
            next.kill(SIGTERM)
            #expect(await next.exitCode(within: 20) == 0)
            let verified = try audit("verify")
            #expect(verified.code == 0, "\(verified.text)")
            let shown = try audit("show").text
            for word in ["replayed", "here before", "retained message", "signature is wrong", "by scada over mqtt"] {
                if word != "replayed" { #expect(shown.contains(word), "\(word): \(shown)") }
            }
        }
    }
}

/// The same with a condition that waits.
@discardableResult
private func eventually(within seconds: Double, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return try await condition()
}
