// Brokers and secrets, the same for what is listened to and for what is sent to.

internal import GatewayModel
internal import MQTTLink

/// Reads how to reach a broker and how to log in.
struct BrokerSection {
    let environment: [String: String]
    let problems: Problems

    /// - Parameter address: the key that holds the URL: `broker` or `url`.
    /// - Parameter clientID: the default.
    func read(_ reader: MappingReader, address: String, clientID: String) -> BrokerPlan? {
        let end = reader.node(address).flatMap { endpoint($0) }
        if reader.node(address) == nil {
            problems.error(reader.place, "\(reader.what) needs '\(address)': a broker such as mqtt://127.0.0.1:1883")
        }
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
        reader.refuseLater("tls", "ca", "certificate", "key", "protocol")
        guard let end else { return nil }
        return BrokerPlan(
            host: end.host, port: end.port, clientID: client, username: username, password: password,
            keepAlive: keepAlive)
    }

    private func endpoint(_ node: YAMLNode) -> (host: String, port: UInt16)? {
        let expected = "expected a broker such as mqtt://127.0.0.1:1883, found \(node.found)"
        guard let text = node.text else {
            problems.error(node.place, expected)
            return nil
        }
        if text.contains("@") {
            // Not repeated in the message: it may hold a password.
            problems.error(node.place, "a login in the address: give 'username' and 'password' as keys")
            return nil
        }
        if text.hasPrefix("mqtts://") || text.hasPrefix("wss://") {
            problems.error(node.place, "TLS (\(text.prefix { $0 != ":" })://) comes with a later version")
            return nil
        }
        guard text.hasPrefix("mqtt://") else {
            problems.error(node.place, expected)
            return nil
        }
        guard let end = HostAndPort(text.dropFirst("mqtt://".count), defaultPort: 1883), end.port != 0 else {
            problems.error(node.place, expected)
            return nil
        }
        return (end.host, end.port)
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
        if let credential { return self.credential(credential, at: place) }
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

    /// systemd.exec(5): `LoadCredential=secret:/folder` names each file of the folder `secret_<file>`.
    private func credential(_ name: String, at place: Place) -> Secret? {
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
        return read(path, at: place)
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
