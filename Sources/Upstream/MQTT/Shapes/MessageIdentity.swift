// (gateway, stream, sequence) in the places that shapes have for it.

internal import GatewayModel

/// Who we are and which life of the journal this is, encoded once.
struct MessageIdentity: Sendable {
    let gateway: String
    let stream: String
    /// The first half of the stream's UUID with the version of ids that are made by a rule of one's own (RFC 9562, 5.8).
    private let half: String

    enum Subject: UInt64, Sendable {
        case reading = 0x8000_0000_0000_0000
        case message = 0xA000_0000_0000_0000
        case metadata = 0xB000_0000_0000_0000
    }

    init(gateway: String, stream: String) {
        self.gateway = gateway
        self.stream = stream
        var letters = Array(stream.utf8.prefix(18))
        if letters.count == 18 { letters[14] = UInt8(ascii: "8") }
        half = String(decoding: letters, as: UTF8.self)
    }

    /// A UUID in quotes that says stream and number: the same record has the same id each time it is sent.
    func id(_ number: SequenceNumber, of subject: Subject, into json: inout JSONBytes) {
        // 60 bits are left beside variant and subject: 36,000 years at a million readings a second.
        let low = subject.rawValue | number.value & 0x0FFF_FFFF_FFFF_FFFF
        json.raw("\"")
        json.text(half)
        json.raw("-")
        json.hexadecimal(low >> 48, digits: 4)
        json.raw("-")
        json.hexadecimal(low, digits: 12)
        json.raw("\"")
    }
}
