// The broken answers of a serial line.

extension HostileAnswer {
    /// Every class of broken answer on a serial line but the exceptions.
    package static let rtu: [HostileAnswer] = rtuLegal + rtuBroken + rtuForeign

    private static let rtuLegal: [HostileAnswer] = [
        HostileAnswer("whole", .value) { [.send($0.right)] },
        HostileAnswer("byte by byte", .value) { singly($0.right) },
        HostileAnswer("split anywhere", .value) { pieces($0.right, at: $0.number(1...20), pause: 10) },
        HostileAnswer("slow", .value) { [.pause(milliseconds: $0.timeoutMilliseconds / 3), .send($0.right)] },
        HostileAnswer("doubled", .value) { [.send($0.right + $0.right)] },
        HostileAnswer("doubled, the copy late", .value) {
            [.send($0.right), .later(milliseconds: $0.number(1...30), $0.right)]
        },
        HostileAnswer("noise before", .value) { [.send($0.noise($0.number(1...12)) + $0.right)] },
        HostileAnswer("noise after", .value) { [.send($0.right + [0x00, 0xFF])] },
        HostileAnswer("the request's echo before", .value) { [.send(HostileFrame.rtu($0.unit, $0.pdu) + $0.right)] },
        HostileAnswer("another unit's answer before", .value) {
            [.send(HostileFrame.rtu($0.unit &+ 3, $0.poison) + $0.right)]
        },
        HostileAnswer("another unit's request before", .value) {
            [.send(HostileFrame.rtu($0.unit &+ 3, $0.pdu) + $0.right)]
        },
    ]

    private static let rtuBroken: [HostileAnswer] = [
        HostileAnswer("checksum wrong", .reject) { [.send($0.wrong.dropLast() + [$0.wrong[$0.wrong.count - 1] ^ 1])] },
        HostileAnswer("checksum swapped", .reject) { [.send($0.wrong.dropLast(2) + $0.wrong.suffix(2).reversed())] },
        HostileAnswer("checksum 0", .reject) { [.send($0.wrong.dropLast(2) + [0, 0])] },
        HostileAnswer("a bit flipped", .reject) { exchange in
            var bytes = exchange.wrong
            bytes[exchange.number(0...bytes.count - 1)] ^= UInt8(1 << exchange.number(0...7))
            return [.send(bytes)]
        },
        HostileAnswer("cut", .reject) { [.send(Array($0.wrong.prefix($0.number(1...$0.wrong.count - 1))))] },
        HostileAnswer("begun twice, then whole", .either) {
            [.send(Array($0.wrong.prefix($0.wrong.count / 2)) + $0.right)]
        },
        HostileAnswer("less data than asked", .reject) { [.send(HostileFrame.rtu($0.unit, $0.resized(by: -4)))] },
        HostileAnswer("more data than asked", .reject) { [.send(HostileFrame.rtu($0.unit, $0.resized(by: 8)))] },
        HostileAnswer("byte count 255", .reject) {
            [.send(HostileFrame.rtu($0.unit, [$0.pdu[0], 255] + $0.noise(255)))]
        },
        HostileAnswer("an exception of another function", .reject) {
            [.send(HostileFrame.rtu($0.unit, [($0.pdu[0] ^ 7) | 0x80, 2]))]
        },
        HostileAnswer("the other table's function", .reject) {
            [.send(HostileFrame.rtu($0.unit, $0.ofFunction($0.otherFunction)))]
        },
        HostileAnswer("late", .either) { [.later(milliseconds: $0.tooLong(), $0.right)] },
        HostileAnswer("half in time, half late", .either) {
            pieces($0.right, at: $0.number(1...20), pause: $0.tooLong())
        },
        HostileAnswer("silence", .reject) { _ in [] },
    ]

    private static let rtuForeign: [HostileAnswer] = [
        HostileAnswer("another unit", .reject) { [.send(HostileFrame.rtu($0.unit &+ 3, $0.poison))] },
        HostileAnswer("unit 0", .reject) { [.send(HostileFrame.rtu(0, $0.poison))] },
        HostileAnswer("the request's echo alone", .reject) { [.send(HostileFrame.rtu($0.unit, $0.pdu))] },
        HostileAnswer("noise alone", .reject) { [.send($0.noise($0.number(1...40)))] },
        HostileAnswer("noise without end", .reject) {
            [.endless([UInt8](repeating: 0x55, count: 32), everyMilliseconds: 5, forMilliseconds: $0.number(200...500))]
        },
        HostileAnswer("beginnings of answers without end", .reject) {
            [.endless(Array($0.wrong.prefix(3)), everyMilliseconds: 2, forMilliseconds: $0.number(200...500))]
        },
        HostileAnswer("foreign answers without end", .reject) {
            [
                .endless(
                    HostileFrame.rtu($0.unit &+ 3, $0.poison), everyMilliseconds: 3,
                    forMilliseconds: $0.number(200...500))
            ]
        },
    ]
}

extension HostileExchange {
    fileprivate var right: [UInt8] { HostileFrame.rtu(unit, good) }
    fileprivate var wrong: [UInt8] { HostileFrame.rtu(unit, poison) }
}
