// Messages of one device each in the `lineside` shape, for receivers that have no MQTT topics.

package import GatewayModel
internal import Journal

/// Makes messages of one chunk after the other (Documentation/Formats/payload.md), and says whose they are.
package struct DeviceMessages {
    /// What a message is about.
    package enum Subject: Equatable, Sendable {
        case readings(device: String)
        case alarm(device: String)
        case gap
    }

    private var builder: MessageBuilder

    package init(gateway: String, stream: String, payloadBytes: Int) {
        builder = MessageBuilder(gateway: gateway, stream: stream, topics: .unused, payloadBytes: payloadBytes)
    }

    /// The payload of the last message made.
    package var payload: [UInt8] { builder.payload }

    /// The message that begins at `place`, which moves behind it.
    /// - Returns: how many readings it holds; a reason instead when it can't be sent at all.
    /// - Precondition: `place` is inside the chunk.
    package mutating func next(
        _ chunk: OutboundChunk, _ place: inout OutboundPlace
    ) -> (subject: Subject, first: SequenceNumber, readings: Int, flaw: String?) {
        let record = chunk.records[place.record]
        let first = record.number(ofReading: place.reading)
        let subject: Subject =
            switch record.content {
            case .readings(let batch, _):
                .readings(
                    device: chunk.dictionary.table.devices.indices.contains(Int(batch.device.index))
                        ? chunk.dictionary.table[batch.device].path : "")
            case .alarm(let transition): .alarm(device: transition.device)
            case .gap: .gap
            }
        let message = builder.next(chunk, &place)
        return (subject, first, message.readings, message.flaw)
    }
}
