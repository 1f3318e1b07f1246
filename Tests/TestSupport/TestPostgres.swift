// A real PostgreSQL server for tests: a cluster of its own in a folder, on a Unix socket and a free port.

internal import Foundation
internal import Glibc
internal import Synchronization

/// One server process, ended by its id. PostgreSQL refuses to run as root, so root gives it to the user `postgres`.
package final class TestPostgres: Sendable {
    /// Where the newest installed server's programs are; nil without one.
    private static let programs: String? = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return versions.compactMap { Int($0) }.sorted().last.map { "/usr/lib/postgresql/\($0)/bin" }
    }()

    package static let isInstalled = programs != nil
    package static let missing = "PostgreSQL is not installed: apt-get install postgresql"

    package let port: UInt16
    /// The socket's folder.
    package let folder: String
    private let process = Mutex<ChildProcess?>(nil)

    private let isSecured: Bool

    /// - Parameters:
    ///   - login: how TCP connections must log in (pg_hba.conf): `trust` or `scram-sha-256`.
    ///   - isSecured: TLS is offered, with a certificate for the name `localhost` that `certificate` holds.
    package init(login: String = "trust", isSecured: Bool = false) throws {
        self.isSecured = isSecured
        port = TestPort.free()
        folder = "/tmp/lineside-pg-\(port)-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if getuid() == 0, let owner = unsafe getpwnam("postgres") {
            unsafe chown(folder, owner.pointee.pw_uid, owner.pointee.pw_gid)
        }
        run(
            "initdb",
            ["-D", data, "-A", login, "--auth-local=trust", "-N", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres"])
        if isSecured {
            spawn(
                at: "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    "\(data)/server.key",
                    "-out", certificate,
                ]
            ).wait()
        }
        try start()
    }

    /// Its own authority.
    package var certificate: String { "\(data)/server.crt" }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private var data: String { "\(folder)/data" }

    /// Starts (again) and waits until it answers. What `kill` left behind may hold it up for a moment.
    package func start() throws {
        for _ in 0..<50 {
            let server = spawn(
                "postgres",
                [
                    "-D", data, "-k", folder, "-p", "\(port)", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                    "-c",
                    "shared_buffers=16MB", "-c", "max_connections=20", "-c", "ssl=\(isSecured ? "on" : "off")",
                ])
            process.withLock { $0 = server }
            for _ in 0..<200 {
                if query("SELECT 1", quietly: true) == [["1"]] { return }
                usleep(20_000)
                if !server.isRunning { break }
            }
            server.end(SIGKILL)
        }
        throw POSIXFailure(code: ETIMEDOUT)
    }

    /// Ends it in the middle of whatever it does.
    package func kill() { end(SIGKILL) }
    /// Ends it the polite way, connections or not.
    package func stop() { end(SIGINT) }

    /// Stops it from taking connections, though the kernel still does; those that stand go on.
    package func suspend() { process.withLock { $0?.send(SIGSTOP) } }

    private func end(_ signal: Int32) {
        let server = process.withLock { process in
            defer { process = nil }
            return process
        }
        server?.end(signal)
    }

    /// Rows of a query, by psql, over the socket and as the superuser.
    @discardableResult
    package func query(_ sql: String, database: String = "postgres", quietly: Bool = false) -> [[String]] {
        guard let programs = Self.programs else { return [] }
        let (reading, writing) = ChildPipe.make()
        let child = ChildProcess(
            "\(programs)/psql",
            [
                "-X", "-q", "-A", "-t", "-F", "\u{1F}", "-v", "ON_ERROR_STOP=1", "-h", folder, "-p", "\(port)", "-U",
                "postgres", "-d", database, "-c", sql,
            ], output: writing)
        close(writing)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(reading, &piece, piece.count)
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        close(reading)
        child.wait()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            line.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
        }
    }

    private func run(_ program: String, _ arguments: [String]) { spawn(program, arguments).wait() }

    private func spawn(_ program: String, _ arguments: [String]) -> ChildProcess {
        spawn(at: "\(Self.programs ?? "")/\(program)", arguments)
    }

    private func spawn(at path: String, _ arguments: [String]) -> ChildProcess {
        guard getuid() == 0 else { return ChildProcess(path, arguments) }
        return ChildProcess(
            "/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", path] + arguments)
    }
}
