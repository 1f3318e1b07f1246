// Records of the journal as messages of JSON for receivers that take several at once (Documentation/Formats/payload.md).

internal import GatewayModel
internal import Journal

/// The messages that an MQTT sink publishes, as pieces of a parcel. Owned by the sink's thread.
package struct MessageEncoder: ParcelEncoder {
    private var builder: MessageBuilder
    private var bounds: ParcelBounds

    /// Bytes of one message: what a receiver refuses is set aside by the message, so that it should not be long.
    private static let messageBytes = 32 * 1024

    package init(gateway: String, stream: String, bounds: ParcelBounds) {
        builder = MessageBuilder(
            gateway: gateway, stream: stream, topics: .unused, payloadBytes: Self.messageBytes)
        self.bounds = bounds
    }

    package mutating func limit(_ bounds: ParcelBounds) { self.bounds = bounds }

    package mutating func beginAgain() {}

    package mutating func fill(
        _ parcel: inout Parcel, from chunk: OutboundChunk, at place: inout OutboundPlace
    ) -> Filling {
        let before = parcel.pieces.count
        var readings = 0
        while place.record < chunk.records.count, bounds.holds(parcel) {
            let start = place
            let first = chunk.records[place.record].number(ofReading: place.reading)
            let message = builder.next(chunk, &place)
            if let flaw = message.flaw {
                guard parcel.pieces.count > before else { return .flawed(flaw) }
                place = start
                break
            }
            let size = parcel.bytes.count
            parcel.bytes += builder.payload
            readings += message.readings
            let last = SequenceNumber(max(first.value, place.next(in: chunk).value &- 1))
            parcel.close(from: size, records: max(1, message.readings), first: first, last: last)
        }
        return .added(readings: readings)
    }
}
