// Requests to answers: the units behind one simulated endpoint, answered by libmodbus' server side.

internal import CModbus
internal import GatewayModel
internal import Glibc
internal import ModbusDriver

/// The units behind one endpoint, and the answer to one request. One owner: the endpoint's thread.
///
/// Requests are cut out of the stream by `IncomingRequest`, not by `modbus_receive`: that knows no function 43, which it
/// would leave lying in the stream, and on RTU it takes requests of one unit only, where a line has several. The answer,
/// framing and CRC included, is libmodbus'. It goes into a socket pair from which it is fetched: RTU contexts send with
/// write(), which raises SIGPIPE on a closed connection, and a paced line must hold the answer back.
@safe
struct SimulatedServer: ~Copyable {
    private let context: OpaquePointer
    /// libmodbus writes into the first; the answer is read from the second.
    private let ends: (Int32, Int32)
    private var units: [UInt8: SimulatedRegisters]
    private let framing: ModbusFraming
    private var answer = [UInt8](repeating: 0, count: Int(MODBUS_TCP_MAX_ADU_LENGTH))

    init?(plan: SimulatedChannel) {
        framing = plan.endpoint.framing
        let made =
            framing == .tcp
            ? unsafe modbus_new_tcp("127.0.0.1", 0)
            : unsafe modbus_new_rtu("none", 9600, CChar(UInt8(ascii: "N")), 8, 1)
        var pair: [Int32] = [-1, -1]
        guard let made = unsafe made else { return nil }
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0
        else {
            unsafe modbus_free(made)
            return nil
        }
        unsafe context = made
        ends = (pair[0], pair[1])
        unsafe modbus_set_socket(made, pair[0])
        // libmodbus sleeps that long after a request that it does not understand.
        unsafe modbus_set_response_timeout(made, 0, 1)
        units = Dictionary(
            plan.units.compactMap { unit in SimulatedRegisters(unit: unit).map { (unit.unitID, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    deinit {
        unsafe modbus_free(context)
        Glibc.close(ends.0)
        Glibc.close(ends.1)
    }

    /// The frame that answers `request`; empty where a device would be silent.
    mutating func answer(to request: IncomingRequest) -> [UInt8] {
        if framing == .rtu && request.unit == UInt8(MODBUS_BROADCAST_ADDRESS) {
            for registers in units.values { perform(request, on: registers) }
            return []
        }
        if let registers = units[request.unit] { return perform(request, on: registers) }
        // On a line nobody answers for a unit that is not there; on TCP a real gateway says 0x0B (V1.1b3, 7).
        return framing == .tcp ? refuse(request, 0x0B) : []
    }

    @discardableResult
    private mutating func perform(_ request: IncomingRequest, on registers: SimulatedRegisters) -> [UInt8] {
        let pdu = Array(request.bytes[request.pdu])
        if pdu[0] == 43 { return framed(Identification.answer(to: pdu, of: registers.unit), request) }
        guard let access = Access(pdu) else { return refuse(request, 1) }
        guard access.isLegal else { return refuse(request, 3) }
        let parts = [access.read, access.written].compactMap(\.self)
        guard parts.allSatisfy({ registers.exist($0.table, $0.first, $0.count) }) else { return refuse(request, 2) }
        if let read = access.read { registers.update(read.table, read.first, read.count) }
        let length = unsafe modbus_reply(context, request.bytes, Int32(request.bytes.count), registers.mapping)
        let answer = fetch()
        if length >= 0, let part = access.written, answer.isEmpty || !Self.isException(answer, framing) {
            registers.noteWritten(part.table, part.first, part.count)
        }
        return answer
    }

    private static func isException(_ answer: [UInt8], _ framing: ModbusFraming) -> Bool {
        answer[framing == .tcp ? 7 : 1] & 0x80 != 0
    }

    private mutating func refuse(_ request: IncomingRequest, _ exception: UInt32) -> [UInt8] {
        unsafe modbus_reply_exception(context, request.bytes, exception)
        return fetch()
    }

    private mutating func fetch() -> [UInt8] {
        let got = unsafe recv(ends.1, &answer, answer.count, Int32(MSG_DONTWAIT))
        return got > 0 ? Array(answer[..<got]) : []
    }

    private func framed(_ pdu: [UInt8], _ request: IncomingRequest) -> [UInt8] {
        if framing == .tcp {
            let length = pdu.count + 1
            return request.bytes[..<4] + [UInt8(length >> 8), UInt8(length & 0xFF), request.unit] + pdu
        }
        let frame = [request.unit] + pdu
        let crc = RTUFrame.checksum(frame.span)
        return frame + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
    }
}

/// What a request reads and writes.
private struct Access {
    struct Part {
        var table: RegisterTable
        var first: Int
        var count: Int
    }
    var read: Part?
    var written: Part?
    /// libmodbus answers exception 3 itself, but throws away the requests that wait behind it.
    var isLegal: Bool

    /// Nil for a function that is not served, or a request too short for its function.
    init?(_ pdu: [UInt8]) {
        func word(_ place: Int) -> Int { Int(pdu[place]) << 8 | Int(pdu[place + 1]) }
        guard pdu.count >= 5 else { return nil }
        let (first, count) = (word(1), word(3))
        switch pdu[0] {
        case 1...4:
            guard let table = RegisterTable(rawValue: pdu[0]) else { return nil }
            read = Part(table: table, first: first, count: count)
            isLegal = (1...(table.isBits ? Limits.bitsPerRequest : Limits.registersPerRequest)).contains(count)
        case 5:
            written = Part(table: .coil, first: first, count: 1)
            isLegal = count == 0 || count == 0xFF00
        case 6:
            written = Part(table: .holdingRegister, first: first, count: 1)
            isLegal = true
        case 15:
            guard pdu.count >= 6 else { return nil }
            written = Part(table: .coil, first: first, count: count)
            isLegal = (1...1968).contains(count) && Int(pdu[5]) == (count + 7) / 8 && pdu.count == 6 + Int(pdu[5])
        case 16:
            guard pdu.count >= 6 else { return nil }
            written = Part(table: .holdingRegister, first: first, count: count)
            isLegal = (1...123).contains(count) && Int(pdu[5]) == 2 * count && pdu.count == 6 + Int(pdu[5])
        case 22:
            guard pdu.count == 7 else { return nil }
            written = Part(table: .holdingRegister, first: first, count: 1)
            isLegal = true
        case 23:
            guard pdu.count >= 10 else { return nil }
            read = Part(table: .holdingRegister, first: first, count: count)
            written = Part(table: .holdingRegister, first: word(5), count: word(7))
            isLegal =
                (1...125).contains(count) && (1...121).contains(word(7)) && Int(pdu[9]) == 2 * word(7)
                && pdu.count == 10 + Int(pdu[9])
        default: return nil
        }
    }
}

/// Function 43/14, Read Device Identification (V1.1b3, 6.21), which libmodbus does not know.
enum Identification {
    static func answer(to pdu: [UInt8], of unit: SimulatedUnit) -> [UInt8] {
        guard pdu.count == 4, pdu[1] == 14 else { return [43 | 0x80, 1] }
        let (category, first) = (pdu[2], pdu[3])
        guard (1...4).contains(category) else { return [43 | 0x80, 3] }
        // Basic are 0 to 2, regular ones up to 0x7F, extended ones all.
        let last: UInt8 = category == 1 ? 2 : category == 2 ? 0x7F : 0xFF
        var wanted = unit.identification.keys.filter { $0 <= last }.sorted()
        if category == 4 {
            guard unit.identification[first] != nil else { return [43 | 0x80, 2] }
            wanted = [first]
        } else if wanted.contains(first) {
            wanted.removeAll { $0 < first }
        }  // An object that there is not: from the beginning.
        var objects: [UInt8] = []
        var count: UInt8 = 0
        var next: UInt8?
        for object in wanted {
            let text = Array((unit.identification[object] ?? "").utf8.prefix(244))
            guard 7 + objects.count + 2 + text.count <= 253 else {
                next = object
                break
            }
            objects += [object, UInt8(text.count)] + text
            count += 1
        }
        // 0x83: every category, as a stream and one by one.
        return [43, 14, category, 0x83, next == nil ? 0 : 0xFF, next ?? 0, count] + objects
    }
}
