// `influx:` and `webhook:` of a sink: receivers over HTTP.

internal import GatewayModel
internal import Upstream

/// Reads where requests go, how one logs in there, and how many of what size there are.
struct HTTPSinkSection {
    let environment: [String: String]
    let problems: Problems

    private var secrets: BrokerSection { BrokerSection(environment: environment, problems: problems) }

    func influx(_ reader: MappingReader) -> HTTPReceiverPlan? {
        let base = address(reader)
        let path = target(reader)
        let measurement = reader.value("measurement", .name, default: "lineside")
        var headers = self.headers(reader)
        headers += login(reader, scheme: "Token", isOpen: base?.isOpen ?? false)
        var plan = HTTPReceiverPlan(
            url: (base?.url ?? "") + (path ?? ""), content: .lines(measurement: measurement))
        plan.bounds.pieces = reader.value("batch", .integer(1...50_000), default: plan.bounds.pieces)
        plan.linger = reader.value("every", .duration(from: .milliseconds(10), to: .seconds(60)), default: plan.linger)
        limits(reader, &plan)
        plan.headers = headers
        reader.finish()
        return base == nil || path == nil ? nil : plan
    }

    func webhook(_ reader: MappingReader) -> HTTPReceiverPlan? {
        let base = address(reader, keepsEnd: true)
        let secret = reader.node("secret").flatMap { secrets.secret($0, at: reader.place(of: "secret")) }
        var plan = HTTPReceiverPlan(url: base?.url ?? "", content: .messages(signedWith: secret))
        plan.bounds = ParcelBounds(pieces: 100, bytes: 256 << 10)
        plan.bounds.pieces = reader.value("batch", .integer(1...10_000), default: plan.bounds.pieces)
        plan.linger = reader.value("every", .duration(from: .milliseconds(10), to: .seconds(60)), default: .seconds(1))
        limits(reader, &plan)
        plan.headers = headers(reader) + login(reader, scheme: "Bearer", isOpen: base?.isOpen ?? false)
        reader.finish()
        return base == nil ? nil : plan
    }

    private func limits(_ reader: MappingReader, _ plan: inout HTTPReceiverPlan) {
        plan.bounds.bytes = Int(
            reader.value("size", .size(from: 4 << 10, to: 8 << 20), default: Int64(plan.bounds.bytes)))
        plan.isGzipped = reader.value("gzip", .flag, default: plan.isGzipped)
        plan.timeout = reader.value("timeout", .duration(from: .seconds(1), to: .seconds(120)), default: plan.timeout)
        plan.requests = reader.value("requests", .integer(1...8), default: plan.requests)
        plan.authorities = reader.value("ca", .matching("an absolute path") { $0.hasPrefix("/") })
        if let proxy = reader.value("proxy", .matching("a proxy as host:port") { HostAndPort($0) != nil }) {
            plan.proxy = HostAndPort(proxy).map { HTTPReceiverPlan.Proxy(host: $0.host, port: Int($0.port)) }
        }
    }

    /// - Parameter keepsEnd: the address is used as it is, query included; otherwise a path is put behind it.
    /// - Returns: `isOpen` when others on the network can read what is sent.
    private func address(_ reader: MappingReader, keepsEnd: Bool = false) -> (url: String, isOpen: Bool)? {
        let expected = "an address such as https://tsdb.example:8086"
        guard let node = reader.node("url") else {
            problems.error(reader.place, "\(reader.what) needs 'url': \(expected)")
            return nil
        }
        guard let text = node.text else {
            problems.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        let scheme = ["https://", "http://"].first { text.hasPrefix($0) }
        let rest = text.dropFirst(scheme?.count ?? 0)
        let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if text.contains("@") {
            // Not repeated in the message: it may hold a password.
            problems.error(node.place, "a login in the address: give it as a key of its own")
            return nil
        }
        let isSpelled = rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && !rest.contains("#")
        guard let scheme, isSpelled, keepsEnd || !rest.contains("?"),
            let end = HostAndPort(host, defaultPort: 443), end.port != 0
        else {
            problems.error(node.place, "expected \(expected), found \(node.found)")
            return nil
        }
        let isNear = end.host == "localhost" || end.host == "::1" || end.host.hasPrefix("127.")
        var url = text
        while !keepsEnd, url.hasSuffix("/") { url.removeLast() }
        return (url, scheme == "http://" && !isNear)
    }

    /// The path and query of version 2 (`bucket`) or 1 (`database`).
    private func target(_ reader: MappingReader) -> String? {
        let organisation = reader.value("org", .text)
        let bucket = reader.value("bucket", .text)
        let database = reader.value("database", .text)
        let policy = reader.value("retention_policy", .text)
        let version = reader.value("version", .integer(1...2))
        switch (bucket, database) {
        case (let bucket?, nil):
            if version == 1 {
                problems.error(reader.place(of: "bucket"), "a bucket is of version 2; version 1 has a 'database'")
            }
            if policy != nil {
                problems.error(reader.place(of: "retention_policy"), "a bucket has its own; only a 'database' takes it")
            }
            return "/api/v2/write?org=\(Self.encoded(organisation ?? ""))&bucket=\(Self.encoded(bucket))&precision=ns"
        case (nil, let database?):
            if version == 2 {
                problems.error(
                    reader.place(of: "database"), "a database is of version 1; version 2 has 'org' and 'bucket'")
            }
            if organisation != nil { problems.error(reader.place(of: "org"), "'org' needs a 'bucket'") }
            let kept = policy.map { "&rp=\(Self.encoded($0))" } ?? ""
            return "/write?db=\(Self.encoded(database))\(kept)&precision=ns"
        case (nil, nil):
            problems.error(
                reader.place, "\(reader.what) needs 'org' and 'bucket' (version 2) or 'database' (version 1)")
        case (.some, .some):
            problems.error(reader.place(of: "database"), "either 'bucket' (version 2) or 'database' (version 1)")
        }
        return nil
    }

    private func login(_ reader: MappingReader, scheme: String, isOpen: Bool) -> [HTTPReceiverPlan.Header] {
        let token = reader.node("token").flatMap { secrets.secret($0, at: reader.place(of: "token")) }
        let username = reader.value("username", .text)
        let password = reader.node("password").flatMap { secrets.secret($0, at: reader.place(of: "password")) }
        if (token != nil || password != nil), isOpen {
            problems.warning(
                reader.place(of: token != nil ? "token" : "password"),
                "goes over the network for all to read: use https")
        }
        if reader.has("token"), reader.has("username") || reader.has("password") {
            problems.error(reader.place(of: "token"), "either 'token' or 'username' and 'password'")
        }
        if reader.has("username") != reader.has("password") {
            problems.error(
                reader.place(of: reader.has("username") ? "username" : "password"),
                "'username' and 'password' go together")
        }
        if let token { return [.init("Authorization", Secret("\(scheme) \(token.revealed)"))] }
        guard let username, let password else { return [] }
        return [.init("Authorization", Secret("Basic \(Self.base64("\(username):\(password.revealed)"))"))]
    }

    private func headers(_ reader: MappingReader) -> [HTTPReceiverPlan.Header] {
        reader.names("headers", "headers by name").compactMap { entry in
            let kept = [
                "content-type", "content-length", "content-encoding", "host", "transfer-encoding", "authorization",
            ]
            guard Notation<String>.name.parse(entry.key) != nil, !kept.contains(entry.key.lowercased()) else {
                problems.error(
                    entry.place,
                    "expected the name of a header that the gateway doesn't set itself, found '\(entry.key)'")
                return nil
            }
            if case .mapping = entry.value.content {
                return secrets.secret(entry.value, at: entry.value.place).map { .init(entry.key, $0) }
            }
            guard let text = entry.value.text, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
                problems.error(entry.value.place, "expected a text in one line, found \(entry.value.found)")
                return nil
            }
            return .init(entry.key, Secret(text))
        }
    }

    /// RFC 3986, 2.1: everything but the unreserved.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = text.utf8.flatMap { byte in
            byte.isNameByte || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "~")
                ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// RFC 4648, 4.
    static func base64(_ text: String) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let bytes = Array(text.utf8)
        var spelled: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let three = bytes[start..<min(start + 3, bytes.count)]
            let bits = three.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - three.count))
            for place in 0..<4 {
                spelled.append(place <= three.count ? letters[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: spelled, as: UTF8.self)
    }
}
