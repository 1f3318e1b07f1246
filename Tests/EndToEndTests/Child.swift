// Programs under test, started and ended by the tests; nothing of them is left behind.

import Foundation
import Synchronization

/// A running program. Its output goes to a file, so that no pipe can fill and stop it.
final class Child: Sendable {
    private let process: Mutex<Process>
    let name: String
    let outputFile: URL

    init(_ program: String, _ arguments: [String], name: String, in folder: URL, environment: [String: String] = [:]) throws
    {
        self.name = name
        outputFile = folder.appending(path: "\(name)-\(UInt32.random(in: 0 ..< .max)).log")
        FileManager.default.createFile(atPath: outputFile.path(), contents: nil)
        let output = try FileHandle(forWritingTo: outputFile)
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        process.standardOutput = output
        process.standardError = output
        try process.run()
        self.process = Mutex(process)
    }

    deinit { kill(SIGKILL) }

    var pid: Int32 { process.withLock(\.processIdentifier) }
    var isRunning: Bool { process.withLock(\.isRunning) }
    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }

    func kill(_ signal: Int32) {
        process.withLock { process in
            if process.isRunning { _ = Foundation.kill(process.processIdentifier, signal) }
        }
    }

    /// Waits until the program has ended; nil when it hasn't within `seconds`.
    func exitCode(within seconds: Double) async -> Int32? {
        await eventually(within: seconds) { !self.isRunning }
            ? process.withLock { $0.terminationReason == .exit ? $0.terminationStatus : -$0.terminationStatus } : nil
    }
}

/// Waits until `condition` holds, asking every few milliseconds. A bound, not a time that is waited in any case.
@discardableResult
func eventually(within seconds: Double, _ condition: () throws -> Bool) async rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
        if try condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return try condition()
}

/// A port of 127.0.0.1 that was free a moment ago.
func freePort() -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe _ = bind(descriptor, $0, length)
            unsafe _ = getsockname(descriptor, $0, &length)
        }
    }
    return Int(UInt16(bigEndian: address.sin_port))
}
