// What goes to a receiver in one request or one write: pieces that can be told apart when it refuses some of them.

package import GatewayModel

/// Lines or messages, one after the other in one piece of memory.
package struct Parcel: Equatable, Sendable {
    /// One line or message.
    package struct Piece: Equatable, Sendable {
        package var bytes: Int32
        /// Records of the log in it.
        package var records: Int32
        /// The numbers of the first and the last of them.
        package var first: SequenceNumber
        package var last: SequenceNumber

        package init(bytes: Int, records: Int, first: SequenceNumber, last: SequenceNumber) {
            (self.bytes, self.records, self.first, self.last) = (Int32(bytes), Int32(records), first, last)
        }
    }

    package var bytes: [UInt8] = []
    package var pieces: [Piece] = []

    package init() {}

    package var isEmpty: Bool { pieces.isEmpty }
    package var records: Int { pieces.reduce(0) { $0 + Int($1.records) } }

    /// What was appended to `bytes` since the last piece is one more.
    package mutating func close(from start: Int, records: Int, first: SequenceNumber, last: SequenceNumber) {
        pieces.append(Piece(bytes: bytes.count - start, records: records, first: first, last: last))
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
    }

    /// The pieces of `range` alone.
    package func part(_ range: Range<Int>) -> Parcel {
        let start = pieces[..<range.lowerBound].reduce(0) { $0 + Int($1.bytes) }
        let length = pieces[range].reduce(0) { $0 + Int($1.bytes) }
        var part = Parcel()
        part.bytes = Array(bytes[start..<start + length])
        part.pieces = Array(pieces[range])
        return part
    }
}

/// When a parcel is full.
package struct ParcelBounds: Equatable, Sendable {
    package var pieces: Int
    /// Looked at before a piece is added: the last may reach beyond.
    package var bytes: Int

    package init(pieces: Int, bytes: Int) { (self.pieces, self.bytes) = (pieces, bytes) }

    package func holds(_ parcel: Parcel) -> Bool { parcel.pieces.count < pieces && parcel.bytes.count < bytes }
}

/// Turns records into pieces. One way for every receiver that takes parcels.
package protocol ParcelEncoder: Sendable {
    /// Adds records from `place` on, which moves behind them, until the parcel is full or the chunk at its end.
    /// - Returns: how many readings; or why the record at `place`, which was passed over, can never be sent: then
    ///   nothing was added.
    mutating func fill(_ parcel: inout Parcel, from chunk: OutboundChunk, at place: inout OutboundPlace) -> Filling

    mutating func limit(_ bounds: ParcelBounds)

    /// What was sent last may not have arrived.
    mutating func beginAgain()
}

package enum Filling: Equatable, Sendable {
    case added(readings: Int)
    case flawed(String)
}
