// What the demo needs around it: a folder, free ports, a broker. All of it goes with the demo.

import GatewayPlatform

internal import CPlatform
internal import Glibc

/// Why the demo cannot be given.
struct DemoError: Error, CustomStringConvertible {
    let description: String
}

/// A folder under $TMPDIR that is removed with everything in it.
struct TemporaryFolder {
    let path: String

    init() throws(DemoError) {
        let base = ProcessEnvironment.current["TMPDIR"] ?? "/tmp"
        var template = Array("\(base)/lineside-demo-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw DemoError(description: "cannot make a folder in \(base): \(systemError())")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func write(_ bytes: [UInt8], to name: String) throws(DemoError) {
        let descriptor = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DemoError(description: "cannot write \(name): \(systemError())") }
        defer { close(descriptor) }
        let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw DemoError(description: "cannot write \(name): \(systemError())") }
    }

    func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        if let folder = unsafe opendir(path) {
            while let entry = unsafe readdir(folder) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                    unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name == "." || name == ".." { continue }
                let isFolder = unsafe entry.pointee.d_type == UInt8(DT_DIR)
                if isFolder { remove("\(path)/\(name)") } else { unsafe unlink("\(path)/\(name)") }
            }
            unsafe closedir(folder)
        }
        unsafe rmdir(path)
    }
}

/// Ports of 127.0.0.1.
enum LoopbackPort {
    static func isFree(_ port: UInt16) -> Bool { bound(port) != nil }

    static func free() throws(DemoError) -> UInt16 {
        guard let port = bound(0) else { throw DemoError(description: "no free port on 127.0.0.1") }
        return port
    }

    /// The port that could be bound, and is free again.
    private static func bound(_ port: UInt16) -> UInt16? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var one: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        return unsafe withLoopback(port) { address, length in
            var length = length
            guard unsafe bind(descriptor, address, length) == 0, unsafe getsockname(descriptor, address, &length) == 0
            else {
                return nil
            }
            return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: unsafe $0.pointee.sin_port)
            }
        }
    }

    static func accepts(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        return unsafe withLoopback(port) { address, length in unsafe connect(descriptor, address, length) == 0 }
    }

    private static func withLoopback<Result>(
        _ port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }
}

/// mosquitto on a free loopback port, as a child of this process.
struct DemoBroker {
    let port: UInt16
    private let process: pid_t

    init(folder: TemporaryFolder) throws(DemoError) {
        let places = (ProcessEnvironment.current["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/sbin"]
        let programs = places.map { "\($0)/mosquitto" }
        guard let program = programs.first(where: { (path: String) in unsafe access(path, X_OK) == 0 }) else {
            throw DemoError(description: "mosquitto is not installed: apt-get install mosquitto, or run ./scripts/demo")
        }
        port = try LoopbackPort.free()
        let configuration = "listener \(port) 127.0.0.1\nallow_anonymous true\npersistence false\n"
        try folder.write(Array(configuration.utf8), to: "mosquitto.conf")
        let log = unsafe open("\(folder.path)/mosquitto.log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(log) }
        process = Self.spawn([program, "-c", "\(folder.path)/mosquitto.conf"], output: log)
        guard process > 0 else { throw DemoError(description: "mosquitto cannot be started: \(systemError())") }
        for _ in 0..<100 {
            if LoopbackPort.accepts(port) { return }
            usleep(50_000)
        }
        stop()
        throw DemoError(description: "mosquitto did not open 127.0.0.1:\(port) within five seconds")
    }

    func stop() {
        kill(process, SIGTERM)
        for _ in 0..<100 {
            if waitpid(process, nil, WNOHANG) == process { return }
            usleep(20_000)
        }
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    private static func spawn(_ arguments: [String], output: Int32) -> pid_t {
        let copies: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe copies.forEach { unsafe free($0) } }
        var pointers: [UnsafePointer<CChar>?] = unsafe copies.map { unsafe $0.map { unsafe UnsafePointer($0) } }
        return unsafe lineside_spawn(&pointers, output)
    }
}

private func systemError() -> String { unsafe String(cString: strerror(errno)) }
