// A broker that knows MQTT 3.1.1 only: says no to version 5 in one of two ways, and hands everything else on to a real one.

internal import Foundation
internal import GatewayPlatform
internal import Glibc
internal import Synchronization

/// Listens on a port of the loopback until it goes.
package final class OldBroker: Sendable {
    package enum Manner: CaseIterable, Sendable {
        /// CONNACK of version 3.1.1 with code 1, as NATS 2.14 does.
        case saysSo
        /// Closes the connection without a word, as RabbitMQ 3.10 does.
        case closes
    }

    package let port: UInt16
    private let listener: Int32
    private let manner: Manner
    private let real: UInt16
    private let seen = Mutex<[UInt8]>([])

    package init(_ manner: Manner, before real: UInt16) {
        self.manner = manner
        self.real = real
        (listener, port) = TestSocket.listen(port: 0)
        Thread.detachNewThread { [listener] in
            while case let client = accept(listener, nil, nil), client >= 0 {
                Thread.detachNewThread { [weak self] in self?.serve(client) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// The versions of the CONNECTs so far: 5, or 4 for 3.1.1.
    package var versions: [UInt8] { seen.withLock { $0 } }

    private func serve(_ client: Int32) {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe read(client, &bytes, bytes.count)
        // Fixed header with a short length, then the name "MQTT" with its length, then the version.
        guard count > 9, let name = bytes.firstIndex(of: UInt8(ascii: "M")) else {
            close(client)
            return
        }
        let version = bytes[name + 4]
        seen.withLock { $0.append(version) }
        if version == 5 {
            let refusal: [UInt8] = [0x20, 2, 0, 1]
            if manner == .saysSo { unsafe _ = write(client, refusal, refusal.count) }
            close(client)
            return
        }
        Relay.run(client, to: real, first: bytes[..<count])
        close(client)
    }
}

/// Bytes of one connection, handed on both ways.
enum Relay {
    /// Until one side ends. `client` stays the caller's.
    static func run(_ client: Int32, to port: UInt16, first: ArraySlice<UInt8> = []) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(server) }
        guard unsafe TestSocket.withAddress(port, { unsafe connect(server, $0, $1) }) == 0 else { return }
        unsafe _ = write(server, Array(first), first.count)
        let back = DedicatedThread(name: "relay") { pump(from: server, to: client) }
        pump(from: client, to: server)
        back.join()
    }

    private static func pump(from source: Int32, to target: Int32) {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe read(source, &bytes, bytes.count), count > 0 {
            unsafe _ = write(target, bytes, count)
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(target, Int32(SHUT_RDWR))
    }
}
