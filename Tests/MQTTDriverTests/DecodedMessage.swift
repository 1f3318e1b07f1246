// What a decoder made of one payload, together, for tests.

import GatewayModel
import MQTTDriver

@dynamicMemberLookup
struct DecodedMessage {
    var outcome: MessageDecoder.Outcome
    /// Nil when the payload was not spelled as planned.
    var batch: ReadingBatch?

    subscript<Member>(dynamicMember path: KeyPath<MessageDecoder.Outcome, Member>) -> Member { outcome[keyPath: path] }
}

extension MessageDecoder {
    mutating func decode(_ bytes: [UInt8], _ range: Range<Int>, arrival: Timestamp) -> DecodedMessage {
        var batch = ReadingBatch(device: DeviceID(4))
        let outcome = decode(bytes, range, arrival: arrival, into: &batch)
        return DecodedMessage(outcome: outcome, batch: outcome.isUnreadable ? nil : batch)
    }

    mutating func decode(_ payload: [UInt8], arrival: Timestamp) -> DecodedMessage {
        decode(payload, 0..<payload.count, arrival: arrival)
    }
}
