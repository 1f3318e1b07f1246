// What systemd hears, on a socket of its kind.

import GatewayModel
import GatewayPlatform
import Glibc
import TestSupport
import Testing

/// A bound datagram socket, as the service manager has one.
private final class Ear {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        let isAbstract = name.first == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count + (isAbstract ? 0 : 1))
        let status = unsafe withUnsafeBytes(of: &address) { raw in
            unsafe bind(descriptor, raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
        }
        guard status == 0 else { throw POSIXFailure(code: errno) }
    }

    deinit { close(descriptor) }

    /// The next datagram, if there is one already: a local one arrives before its sender goes on.
    func hear() -> String? {
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = unsafe recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}

@Suite("ServiceNotification") struct ServiceNotificationTests {
    @Test("The service manager hears each state in its own words", arguments: [false, true])
    func words(isAbstract: Bool) throws {
        let folder = try TemporaryFolder()
        let path = isAbstract ? "@" + folder.path.dropFirst() : folder.path + "/notify"
        let ear = try Ear(path)
        let notification = ServiceNotification(environment: ["NOTIFY_SOCKET": path])
        notification.ready()
        notification.status("3 devices")
        notification.progress()
        notification.reloading()
        notification.stopping()
        #expect(ear.hear() == "READY=1" && ear.hear() == "STATUS=3 devices" && ear.hear() == "WATCHDOG=1")
        let reloading = try #require(ear.hear()).split(separator: "\n")
        #expect(reloading.first == "RELOADING=1" && reloading.last?.hasPrefix("MONOTONIC_USEC=") == true)
        #expect(ear.hear() == "STOPPING=1" && ear.hear() == nil)
    }

    @Test(
        "Without a usable socket nothing happens",
        arguments: [
            [:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "/no/such"],
            ["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 200)],
        ])
    func silence(environment: [String: String]) {
        ServiceNotification(environment: environment).ready()
    }

    @Test(
        "The watchdog's interval is taken only when it is meant for this process",
        arguments: [
            ([:], nil), (["WATCHDOG_USEC": "20000000"], .seconds(20)),
            (["WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "me"], .seconds(20)),
            (["WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"], nil), (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "soon"], nil),
        ] as [([String: String], Duration?)])
    func watchdog(environment: [String: String], expected: Duration?) {
        let own = environment.mapValues { $0 == "me" ? String(getpid()) : $0 }
        #expect(ServiceNotification(environment: own).watchdogInterval == expected)
    }
}
