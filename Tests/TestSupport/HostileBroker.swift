// A broker that accepts a client and then misbehaves in one named way.

internal import Foundation
internal import Glibc
internal import Synchronization

/// What a hostile broker does to every client. Bytes after shared/tools/faults/mqtt_adv.py.
package enum Misbehaviour: String, CaseIterable, Sendable {
    case packetTypeZero, qosThree, fiveByteLength, shortConnack, silence, silenceAfterConnack, refusal, twoConnacks
    case closeAtOnce, closeInPacket, noise, subackTooLong, longTopic, webServer

    private static let connack: [UInt8] = [0x20, 2, 0, 0]

    /// What is sent in answer to CONNECT; nil: nothing, and the connection stays open.
    fileprivate var answer: [UInt8]? {
        switch self {
        case .packetTypeZero: Self.connack + [0, 0]
        case .qosThree: Self.connack + [0x36, 10, 0, 3, 0x61, 0x2F, 0x62, 0, 1, 1, 2, 3]
        case .fiveByteLength: Self.connack + [0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]
        case .shortConnack: [0x20, 1, 0]
        case .silence: nil
        case .silenceAfterConnack: Self.connack
        case .refusal: [0x20, 2, 0, 5]
        case .twoConnacks: Self.connack + Self.connack
        case .closeAtOnce: []
        case .closeInPacket: Self.connack + [0x30, 100, 0, 3, 0x61]
        case .noise: (0..<400).map { UInt8(truncatingIfNeeded: $0 * 167 + 13) }
        case .subackTooLong: Self.connack + [0x90, 5, 0, 77, 0, 0, 0]
        case .longTopic: Self.connack + [0x30, 5, 0xEA, 0x60, 0x61, 0x62, 0x63]
        case .webServer: Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        }
    }

    fileprivate var closes: Bool { self == .closeAtOnce || self == .closeInPacket || self == .webServer }
}

/// Listens on a port until `stop`, and does the same to every client.
package final class HostileBroker: Sendable {
    package let port: UInt16
    private let listener: Int32
    private let behaviour: Misbehaviour
    private struct State {
        var clients: [Int32] = []
        var connections = 0
        var isStopped = false
    }
    private let state = Mutex(State())

    package init(_ behaviour: Misbehaviour, port: UInt16 = 0) {
        self.behaviour = behaviour
        (listener, self.port) = TestSocket.listen(port: port)
        Thread.detachNewThread { self.serve() }
    }

    /// Clients so far that sent something.
    package var connections: Int { state.withLock { $0.connections } }

    /// Closes the port and every connection, so that another broker can have it.
    package func stop() {
        let clients = state.withLock { state in
            state.isStopped = true
            return state.clients
        }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        for client in clients { close(client) }
    }

    private func serve() {
        while !state.withLock({ $0.isStopped }) {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { continue }
            var bytes = [UInt8](repeating: 0, count: 512)
            guard unsafe recv(client, &bytes, bytes.count, 0) > 0 else {
                close(client)
                continue
            }
            if let answer = behaviour.answer {
                _ = unsafe send(client, answer, answer.count, Int32(MSG_NOSIGNAL))
            }
            if behaviour.closes { shutdown(client, Int32(SHUT_RDWR)) }
            // Whoever comes anew has given up the connection before the last; descriptors are not for ever.
            let over = state.withLock { state in
                state.connections += 1
                state.clients.append(client)
                return state.isStopped ? client : state.clients.count > 2 ? state.clients.removeFirst() : -1
            }
            if over >= 0 { close(over) }
        }
    }
}
