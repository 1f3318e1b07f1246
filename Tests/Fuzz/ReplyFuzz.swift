// Answers of devices: framing of both kinds, the exchange over a torn stream, and the decoding of every type.

internal import Acquisition
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver

enum ReplyFuzz {
    /// The first bytes choose request and pieces; the rest is what comes back.
    static func run(_ input: [UInt8]) {
        guard input.count > 6 else { return }
        let operation = operation(input)
        let reply = Array(input[6...])
        frames(reply, operation, unit: input[4])
        exchange(
            reply, operation, unit: input[4], pieces: Int(input[5] & 15) + 1, framing: input[5] & 16 == 0 ? .tcp : .rtu)
        exchange(reply, operation, unit: input[4], pieces: 400, framing: input[5] & 16 == 0 ? .tcp : .rtu)
    }

    private static func operation(_ input: [UInt8]) -> ModbusOperation {
        let address = UInt16(input[1]) << 4
        switch input[0] % 10 {
        case 0, 1: return .read(.holdingRegister, address: address, count: UInt16(input[2] % 125) + 1)
        case 2: return .read(.inputRegister, address: address, count: UInt16(input[2] % 125) + 1)
        case 3: return .read(.coil, address: address, count: (UInt16(input[2]) * 8 + UInt16(input[3])) % 2000 + 1)
        case 4: return .read(.discreteInput, address: address, count: UInt16(input[2]) + 1)
        case 5: return .writeCoil(address: address, input[2] & 1 == 1)
        case 6: return .writeRegister(address: address, UInt16(input[2]))
        case 7:
            return .writeRegisters(
                address: address, [UInt16](repeating: UInt16(input[3]), count: Int(input[2] % 123) + 1))
        case 8: return .maskRegister(address: address, and: UInt16(input[2]), or: UInt16(input[3]))
        default: return .identify(category: input[2] % 4 + 1, object: input[3])
        }
    }

    private static func frames(_ reply: [UInt8], _ operation: ModbusOperation, unit: UInt8) {
        if case .frame(_, _, let total) = TCPFrame.header(reply.span) {
            precondition(total > TCPFrame.headerBytes && total <= TCPFrame.longest, "BUG: a frame of \(total) bytes")
        }
        if case .exactly(let count) = operation.length(of: reply.span) {
            precondition(count >= 2 && count <= 253, "BUG: a PDU of \(count) bytes")
            if count <= reply.count { _ = operation.verdict(on: reply.span.extracting(0..<count)) }
        }
        // As it is, and as the end of a frame whose checksum is right: a fuzzer does not guess checksums.
        let framed = [unit] + reply
        let crc = RTUFrame.checksum(framed.span)
        for bytes in [reply, framed + [UInt8(crc & 0xFF), UInt8(crc >> 8)]] {
            guard case .complete(let pdu, let foreign) = RTUFrame.examine(bytes.span, unit: unit, operation: operation)
            else { continue }
            precondition(foreign + 1 == pdu.lowerBound && pdu.upperBound + 2 <= bytes.count, "BUG: a PDU outside")
            check(Array(bytes[pdu]), operation)
        }
    }

    /// The whole exchange; the stream hands the reply out in pieces, with the transaction put right where it stands for 0.
    private static func exchange(
        _ reply: [UInt8], _ operation: ModbusOperation, unit: UInt8, pieces: Int, framing: ModbusFraming
    ) {
        var connection = ModbusConnection(stream: FuzzStream(reply, pieces: pieces, framing: framing), framing: framing)
        let end = MonotonicTime(nanoseconds: 1_000_000)
        for _ in 0..<3 {
            do throws(ModbusError) {
                if !connection.isOpen { try connection.open(deadline: end) }
                check(try connection.perform(operation, unit: unit, deadline: end), operation)
            } catch {
                connection.settle(now: end)
            }
        }
    }

    /// An accepted answer has the length that the request demands, and every type can be read from it.
    private static func check(_ pdu: [UInt8], _ operation: ModbusOperation) {
        guard case .read(let table, let address, let count) = operation, pdu.count > 2, pdu[0] & 0x80 == 0 else {
            return
        }
        precondition(pdu.count == 2 + operation.dataBytes && Int(pdu[1]) == operation.dataBytes, "BUG: a wrong length")
        let data = unsafe pdu.span.bytes.extracting(2..<pdu.count)
        if table.isBits {
            for index in 0..<Int(count) { decode(.bool, table, Int(address) + index, 1, .abcd, data, Int(address)) }
            return
        }
        for type in RegisterType.allCases {
            let words = type.hasLength ? min(Int(count), 8) : type.words
            guard words <= Int(count) else { continue }
            for order in WordOrder.distinct(words: words) {
                decode(type, table, Int(address) + Int(count) - words, words, order, data, Int(address))
            }
        }
    }

    private static func decode(
        _ type: RegisterType, _ table: RegisterTable, _ address: Int, _ words: Int, _ order: WordOrder,
        _ data: RawSpan, _ base: Int
    ) {
        guard address < 65536 else { return }
        let kind: ValueKind = type.isText ? .text : type == .bool ? .boolean : .real
        let plan = ModbusTagPlan(
            tag: TagID(0), at: RegisterAddress(table, UInt16(address)), type: type, order: order, words: words,
            normalisation: NormalisationPlan(kind: kind))
        let field = ReadField(plan, position: 0)
        var normaliser = Normaliser(plan.normalisation)
        var batch = ReadingBatch(device: DeviceID(0))
        if type.isText {
            guard let text = field.text(in: data, from: base) else { return }
            normaliser.text(text[...], tag: field.tag, at: Timestamp(nanoseconds: 0), into: &batch)
            precondition(batch.text.count <= Limits.textBytes, "BUG: a long text")
        } else if let raw = field.number(in: data, from: base, bits: table.isBits) {
            let reading = normaliser.reading(raw, tag: field.tag, at: Timestamp(nanoseconds: 0))
            precondition(reading?.number?.isFinite ?? true, "BUG: a value that is none")
        }
    }
}

/// Hands out a reply in pieces, again for every request, and then nothing.
private struct FuzzStream: FieldStream {
    private let reply: [UInt8]
    private let pieces: Int
    private let framing: ModbusFraming
    private var rest: [UInt8] = []
    private(set) var isOpen = false

    init(_ reply: [UInt8], pieces: Int, framing: ModbusFraming) {
        self.reply = reply
        self.pieces = pieces
        self.framing = framing
    }

    mutating func open(deadline: MonotonicTime) throws(ModbusError) { isOpen = true }
    mutating func send(_ bytes: [UInt8], deadline: MonotonicTime) throws(ModbusError) {
        rest = reply
        // The fuzzer cannot guess a random transaction: 0 stands for the right one.
        if framing == .tcp && rest.count >= 2 && rest[0] == 0 && rest[1] == 0 {
            rest.replaceSubrange(0..<2, with: bytes[0..<2])
        }
    }
    mutating func receive(
        into buffer: inout [UInt8], at start: Int, deadline: MonotonicTime
    ) throws(ModbusError) -> Int {
        guard !rest.isEmpty else { throw .timeout }
        precondition(start < buffer.count, "BUG: no room to receive into")
        let count = min(pieces, rest.count, buffer.count - start)
        buffer.replaceSubrange(start..<start + count, with: rest[..<count])
        rest.removeFirst(count)
        return count
    }
    mutating func drain(quiet: Duration, deadline: MonotonicTime) -> Int {
        defer { rest = [] }
        return rest.count
    }
    mutating func close() { isOpen = false }
    mutating func rest(until moment: MonotonicTime) {}
}
