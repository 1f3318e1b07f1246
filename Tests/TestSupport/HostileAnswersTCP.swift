// The broken answers of Modbus TCP.

extension HostileAnswer {
    private typealias Frame = HostileFrame

    /// Every class of broken answer on TCP but the exceptions.
    package static let tcp: [HostileAnswer] = tcpLegal + tcpLate + tcpCut + tcpCounts + tcpHeaders + tcpForeign

    /// All exceptions that a byte can spell.
    package static func exception(_ code: UInt8, tcp: Bool) -> HostileAnswer {
        var answer = HostileAnswer("exception \(code)", .reject) { exchange in
            let pdu = [exchange.pdu[0] | 0x80, code]
            return [
                .send(tcp ? Frame.tcp(exchange.transaction, exchange.unit, pdu) : Frame.rtu(exchange.unit, pdu))
            ]
        }
        answer.exception = code
        return answer
    }

    private static let tcpLegal: [HostileAnswer] = [
        HostileAnswer("whole", .value) { [.send($0.right)] },
        HostileAnswer("byte by byte", .value) { singly($0.right) },
        HostileAnswer("header, then the rest", .value) { pieces($0.right, at: 7, pause: 10) },
        HostileAnswer("split anywhere", .value) { pieces($0.right, at: $0.number(1...30), pause: 10) },
        HostileAnswer("slow", .value) { [.pause(milliseconds: $0.timeoutMilliseconds / 3), .send($0.right)] },
        HostileAnswer("doubled", .value) { [.send($0.right + $0.right)] },
        HostileAnswer("doubled, the copy late", .value) {
            [.send($0.right), .later(milliseconds: $0.number(1...60), $0.right)]
        },
        HostileAnswer("endless copies", .either) {
            [.endless($0.right, everyMilliseconds: 3, forMilliseconds: 300)]
        },
        HostileAnswer("then garbage", .either) { [.send($0.right + [0xDE, 0xAD, 0xDE, 0xAD, 0xDE])] },
        HostileAnswer("then closed", .either) { [.send($0.right), .close] },
        HostileAnswer("then reset", .either) { [.send($0.right), .reset] },
    ]

    private static let tcpLate: [HostileAnswer] = [
        HostileAnswer("late", .either) { [.later(milliseconds: $0.tooLong(), $0.right)] },
        HostileAnswer("late, and everything after it waits", .either) {
            [.pause(milliseconds: $0.tooLong()), .send($0.right)]
        },
        HostileAnswer("half in time, half late", .either) {
            pieces($0.right, at: $0.number(1...20), pause: $0.tooLong())
        },
        HostileAnswer("silence", .reject) { _ in [] },
        HostileAnswer("dripping too slowly", .reject) { exchange in
            let pause = exchange.timeoutMilliseconds / 8
            return exchange.wrong.flatMap { [.send([$0]), .pause(milliseconds: pause)] as [HostileStep] }
        },
    ]

    private static let tcpCut: [HostileAnswer] = [
        HostileAnswer("four bytes and silence", .reject) { [.send(Array($0.wrong.prefix(4)))] },
        HostileAnswer("three bytes short and silence", .reject) { [.send($0.wrong.dropLast(3))] },
        HostileAnswer("cut and closed", .reject) {
            [.send(Array($0.wrong.prefix($0.number(1...$0.wrong.count - 1)))), .close]
        },
        HostileAnswer("cut and reset", .reject) {
            [.send(Array($0.wrong.prefix($0.number(1...$0.wrong.count - 1)))), .reset]
        },
        HostileAnswer("closed", .reject) { _ in [.close] },
        HostileAnswer("reset", .reject) { _ in [.reset] },
    ]

    private static let tcpCounts: [HostileAnswer] = [
        HostileAnswer("less data than asked", .reject) { [.send($0.frame($0.resized(by: -2)))] },
        HostileAnswer("more data than asked", .reject) { [.send($0.frame($0.resized(by: 4)))] },
        HostileAnswer("no data", .reject) { [.send($0.frame([$0.pdu[0], 0]))] },
        HostileAnswer("an odd byte count", .reject) { [.send($0.frame($0.resized(by: 1)))] },
        HostileAnswer("byte count 255", .reject) { [.send($0.frame([$0.pdu[0], 255] + $0.noise(255)))] },
        HostileAnswer("byte count too high for the data", .reject) {
            [.send($0.frame($0.resized(by: 0, byteCount: $0.poison.count + 4)))]
        },
        HostileAnswer("byte count too low for the data", .reject) {
            [.send($0.frame($0.resized(by: 0, byteCount: max(0, $0.poison.count - 4))))]
        },
        HostileAnswer("an exception with data", .reject) { [.send($0.frame([$0.pdu[0] | 0x80, 2, 0xDE, 0xAD]))] },
        HostileAnswer("an exception without a code", .reject) { [.send($0.frame([$0.pdu[0] | 0x80]))] },
        HostileAnswer("an exception of another function", .reject) { [.send($0.frame([($0.pdu[0] ^ 7) | 0x80, 2]))] },
    ]

    private static let tcpHeaders: [HostileAnswer] = tcpLengths + tcpProtocols + tcpIdentities

    private static let tcpLengths =
        [0, 1, 2, 255, 65535].map { (length: Int) -> HostileAnswer in
            HostileAnswer("length \(length)", .reject) { [.send($0.frame($0.poison, length: length))] }
        }
        + [-1, 1].map { (change: Int) -> HostileAnswer in
            HostileAnswer("length off by \(change)", .reject) {
                [.send($0.frame($0.poison, length: $0.poison.count + 1 + change))]
            }
        }

    private static let tcpProtocols = [0x0001, 0x0100, 0xFFFF].map { (protocolID: UInt16) -> HostileAnswer in
        HostileAnswer("protocol \(protocolID)", .reject) {
            [.send(Frame.tcp($0.transaction, $0.unit, $0.poison, protocolID: protocolID))]
        }
    }

    private static let tcpIdentities: [HostileAnswer] = [
        HostileAnswer("a bent transaction", .reject) {
            [.send(Frame.tcp($0.transaction ^ UInt16($0.number(1...65535)), $0.unit, $0.poison))]
        },
        HostileAnswer("the transaction before", .reject) {
            [.send(Frame.tcp($0.transaction &- 0x9E37, $0.unit, $0.poison))]
        },
        HostileAnswer("the transaction after", .reject) {
            [.send(Frame.tcp($0.transaction &+ 0x9E37, $0.unit, $0.poison))]
        },
        HostileAnswer("transaction 0", .reject) {
            [.send(Frame.tcp($0.transaction == 0 ? 1 : 0, $0.unit, $0.poison))]
        },
        HostileAnswer("another unit", .reject) { [.send(Frame.tcp($0.transaction, $0.unit &+ 1, $0.poison))] },
        HostileAnswer("unit 0", .reject) { [.send(Frame.tcp($0.transaction, 0, $0.poison))] },
        HostileAnswer("unit 255", .reject) { [.send(Frame.tcp($0.transaction, 255, $0.poison))] },
        HostileAnswer("the other table's function", .reject) { [.send($0.frame($0.ofFunction($0.otherFunction)))] },
        HostileAnswer("function 0", .reject) { [.send($0.frame($0.ofFunction(0)))] },
        HostileAnswer("function 127", .reject) { [.send($0.frame($0.ofFunction(127)))] },
        HostileAnswer("the request itself", .reject) { [.send($0.frame($0.pdu))] },
    ]

    private static let tcpForeign: [HostileAnswer] = [
        HostileAnswer("garbage, then the answer", .either) { [.send([0xDE, 0xAD, 0xBE, 0xEF, 0xDE] + $0.right)] },
        HostileAnswer("a foreign answer, then the own", .either) {
            [.send(Frame.tcp($0.transaction &+ 77, $0.unit, $0.poison) + $0.right)]
        },
        HostileAnswer("the answer before, then the own", .either) {
            [.send(Frame.tcp($0.transaction &- 0x9E37, $0.unit, $0.poison) + $0.right)]
        },
        HostileAnswer("a web server", .reject) { _ in
            [.send(Array("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".utf8)), .close]
        },
        HostileAnswer("a TLS alert", .reject) { _ in [.send([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]), .close] },
        HostileAnswer("an SSH server", .reject) { _ in [.send(Array("SSH-2.0-OpenSSH_9.2p1 Debian\r\n".utf8))] },
        HostileAnswer("noise", .reject) { [.send([0xDE] + $0.noise($0.number(1...300)))] },
        HostileAnswer("noise without end", .reject) {
            [.endless($0.noise(1024), everyMilliseconds: 1, forMilliseconds: 600)]
        },
        HostileAnswer("foreign answers without end", .reject) {
            [
                .endless(
                    Frame.tcp($0.transaction &+ 5, $0.unit, $0.poison), everyMilliseconds: 1, forMilliseconds: 600)
            ]
        },
    ]
}

extension HostileExchange {
    /// The right answer, and the wrong one of the right shape, as frames.
    fileprivate var right: [UInt8] { frame(good) }
    fileprivate var wrong: [UInt8] { frame(poison) }
    fileprivate func frame(_ pdu: [UInt8], length: Int? = nil) -> [UInt8] {
        HostileFrame.tcp(transaction, unit, pdu, length: length)
    }
}
