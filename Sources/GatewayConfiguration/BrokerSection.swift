// Brokers and secrets, the same for what is listened to and for what is sent to.

internal import GatewayModel
internal import MQTTLink

/// Reads how to reach a broker and how to log in.
struct BrokerSection {
    let environment: [String: String]
    let problems: Problems

    /// - Parameter address: the key that holds one URL or a list of them: `broker` or `url`.
    /// - Parameter clientID: the default.
    func read(_ reader: MappingReader, address: String, clientID: String) -> BrokerPlan? {
        let servers = servers(reader, address)
        let client = reader.value(
            "client_id",
            .matching("a client id of at most 128 letters without blanks") { text in
                !text.isEmpty && text.utf8.count <= 128 && !text.contains(where: \.isWhitespace)
            }, default: clientID)
        let username = reader.value("username", .text)
        let password = reader.node("password").flatMap { secret($0, at: reader.place(of: "password")) }
        if reader.has("password") && !reader.has("username") {
            problems.error(reader.place(of: "password"), "a password without a 'username'")
        }
        let keepAlive = reader.value(
            "keep_alive", .duration(from: .seconds(5), to: .seconds(3600)), default: .seconds(30))
        let version = reader.value("protocol", Notation<MQTTVersion>.word, default: .v311)
        let isEncrypted = servers.first?.isEncrypted
        let tls = tls(reader, isEncrypted: isEncrypted, host: servers.first?.server.host ?? "localhost")
        guard let isEncrypted else { return nil }
        return BrokerPlan(
            servers: servers.map(\.server), clientID: client, username: username, password: password,
            keepAlive: keepAlive, tls: isEncrypted ? tls ?? TLSPlan() : nil, version: version)
    }

    private typealias End = (server: BrokerPlan.Server, isEncrypted: Bool)

    private func servers(_ reader: MappingReader, _ key: String) -> [End] {
        guard let node = reader.node(key) else {
            problems.error(reader.place, "\(reader.what) needs '\(key)': a broker such as mqtt://127.0.0.1:1883")
            return []
        }
        guard case .list(let nodes) = node.content else { return endpoint(node).map { [$0] } ?? [] }
        if nodes.isEmpty { problems.error(node.place, "expected at least one broker, found an empty list") }
        let ends = nodes.compactMap(endpoint)
        for (node, end) in zip(nodes, ends) where ends.count == nodes.count {
            if end.isEncrypted != ends[0].isEncrypted {
                problems.error(node.place, "some brokers with TLS (mqtts://) and some without: give all of them one way")
            }
        }
        return ends.count == nodes.count ? ends : []
    }

    private func endpoint(_ node: YAMLNode) -> End? {
        let expected = "expected a broker such as mqtt://127.0.0.1:1883 or mqtts://broker:8883, found \(node.found)"
        guard let text = node.text else {
            problems.error(node.place, expected)
            return nil
        }
        if text.contains("@") {
            // Not repeated in the message: it may hold a password.
            problems.error(node.place, "a login in the address: give 'username' and 'password' as keys")
            return nil
        }
        if text.hasPrefix("ws://") || text.hasPrefix("wss://") {
            problems.error(node.place, "MQTT over WebSockets (\(text.prefix { $0 != ":" })://) is not supported")
            return nil
        }
        let isEncrypted = text.hasPrefix("mqtts://")
        let prefix = isEncrypted ? "mqtts://" : "mqtt://"
        guard text.hasPrefix(prefix),
            let end = HostAndPort(text.dropFirst(prefix.count), defaultPort: isEncrypted ? 8883 : 1883), end.port != 0
        else {
            problems.error(node.place, expected)
            return nil
        }
        return (BrokerPlan.Server(host: end.host, port: end.port), isEncrypted)
    }

    /// `{credential: name}`, `{file: path}` or `{env: NAME}`. Never a plain text: the file may be read by others.
    func secret(_ node: YAMLNode, at place: Place) -> Secret? {
        guard case .mapping = node.content,
            let secret = MappingReader(node, "a reference to a secret", at: place, problems: problems)
        else {
            // What stands there isn't repeated: messages go to logs.
            problems.error(
                place, "a secret in the open; give {credential: name}, {file: path} or {env: NAME} instead")
            return nil
        }
        let errors = problems.errorCount
        let credential = secret.value(
            "credential", .matching("the name of a credential") { PathLevel.isValid($0[...]) })
        let file = secret.value("file", .text)
        let variable = secret.value("env", .name)
        secret.finish()
        guard problems.errorCount == errors else { return nil }
        let place = secret.entries.first?.value.place ?? secret.place
        guard secret.entries.count == 1 else {
            problems.error(secret.place, "expected one of {credential: name}, {file: path} and {env: NAME}")
            return nil
        }
        if let credential { return credentialPath(credential, at: place).flatMap { read($0, at: place) } }
        if let file {
            if ConfigurationFiles.isOpenToOthers(file) {
                problems.error(place, "\(file) can be read or written by others; chmod 600 \(file)")
                return nil
            }
            return read(file, at: place)
        }
        guard let variable, let value = environment[variable] else {
            problems.error(place, "the environment variable \(variable ?? "") isn't set")
            return nil
        }
        return Secret(value)
    }

    /// - Parameter isEncrypted: nil when the address was wrong, and was reported.
    private func tls(_ reader: MappingReader, isEncrypted: Bool?, host: String) -> TLSPlan? {
        for key in ["ca", "certificate", "key"] where reader.has(key) {
            _ = reader.node(key)
            problems.error(reader.place(of: key), "'\(key)' stands under 'tls': tls: { \(key): … }")
        }
        guard let section = reader.mapping("tls", "the TLS of a broker") else { return nil }
        if isEncrypted == false {
            problems.error(reader.place(of: "tls"), "'tls' without TLS: the address begins with mqtt://, not mqtts://")
        }
        let errors = problems.errorCount
        if section.has("insecure") {
            _ = section.node("insecure")
            problems.error(
                section.place(of: "insecure"),
                "a broker whose certificate isn't checked can be anybody; give its authority as 'ca', and the name in "
                    + "its certificate as 'server_name'")
        }
        let certificate = section.node("certificate").flatMap { file($0, isSecret: false) }
        let plan = TLSPlan(
            authorities: section.node("ca").flatMap { file($0, isSecret: false) }, certificate: certificate,
            key: section.node("key").flatMap { file($0, isSecret: true) },
            serverName: section.value("server_name", .host))
        if section.has("certificate") != section.has("key") {
            problems.error(section.place, "'certificate' and 'key' go together: our certificate, and the key of it")
        }
        section.finish()
        guard problems.errorCount == errors else { return nil }
        if let problem = plan.problem(host: host) { problems.error(section.place, problem) }
        return plan
    }

    /// An absolute path, or `{credential: name}`. A key must be for us alone.
    private func file(_ node: YAMLNode, isSecret: Bool) -> String? {
        let path: String
        if case .mapping = node.content {
            guard let section = MappingReader(node, "a reference to a file", problems: problems) else { return nil }
            let name = section.required(
                "credential", .matching("the name of a credential") { PathLevel.isValid($0[...]) })
            section.finish()
            guard let name, let found = credentialPath(name, at: node.place) else { return nil }
            path = found
        } else if let text = node.text, text.hasPrefix("/") {
            path = text
        } else {
            problems.error(node.place, "expected an absolute path or {credential: name}, found \(node.found)")
            return nil
        }
        guard ConfigurationFiles.exists(path) else {
            problems.error(node.place, "there is no file \(path)")
            return nil
        }
        if isSecret && ConfigurationFiles.isOpenToOthers(path) {
            problems.error(node.place, "\(path) can be read or written by others; chmod 600 \(path)")
            return nil
        }
        return path
    }

    /// systemd.exec(5): `LoadCredential=secret:/folder` names each file of the folder `secret_<file>`.
    private func credentialPath(_ name: String, at place: Place) -> String? {
        guard let folder = environment["CREDENTIALS_DIRECTORY"] else {
            problems.error(
                place, "the credential '\(name)' needs $CREDENTIALS_DIRECTORY, which systemd sets for a service")
            return nil
        }
        let paths = ["\(folder)/\(name)", "\(folder)/secret_\(name)"]
        guard let path = paths.first(where: ConfigurationFiles.exists) else {
            problems.error(place, "there is no credential '\(name)' in \(folder)")
            return nil
        }
        return path
    }

    private func read(_ path: String, at place: Place) -> Secret? {
        do {
            var bytes = try ConfigurationFiles.read(path, limit: 64 << 10)
            while bytes.last == UInt8(ascii: "\n") || bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
                problems.error(place, "\(path) holds no text")
                return nil
            }
            return Secret(text)
        } catch {
            problems.error(place, "\(path) can't be read: \(error.message)")
            return nil
        }
    }
}

/// `host:port`, with IPv6 addresses in brackets.
struct HostAndPort {
    var host: String
    var port: UInt16

    init?(_ text: some StringProtocol, defaultPort: UInt16? = nil) {
        var rest = Substring(text)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        if rest.first == "[" {
            guard let close = rest.firstIndex(of: "]") else { return nil }
            host = String(rest[..<close].dropFirst())
            rest = rest[close...].dropFirst()
        } else {
            host = String(rest.prefix { $0 != ":" })
            rest = rest.dropFirst(host.count)
        }
        guard Notation<String>.host.parse(host) != nil else { return nil }
        if rest.isEmpty, let defaultPort {
            port = defaultPort
        } else {
            guard rest.first == ":", let number = UInt16(rest.dropFirst()), rest.dropFirst().utf8.allSatisfy(\.isDigit)
            else { return nil }
            port = number
        }
    }
}
