// The frame of one block: up to 2,048 readings of one tag, with their numbers.

internal import GatewayModel
internal import Series

/// Payload of a block frame: tag u32, leader u32, step u32, bytes of the numbers u32, the block, the numbers.
///
/// Numbers that lie `step` apart take nothing; others are a block of their own, with the numbers as its times. Tags that
/// are read together have the same times and the same steps from number to number: only the first of them, the leader,
/// says them, and the others say where its frame begins.
enum ColumnBlock {
    static let codec: UInt8 = 1
    static let prefixBytes = 16
    /// Readings of one block: a query for an hour should not decode half a day for it.
    static let mostReadings = 2048

    /// What a block says of itself without being decoded.
    struct Facts {
        var count: Int
        var earliest: Timestamp
        var latest: Timestamp
        var isUnset: Bool
        var extremes: (minimum: Double, maximum: Double)?
    }

    /// The parts of a frame that was found whole; nil when they aren't what they should be.
    struct Layout {
        let tag: UInt32
        let leader: UInt32
        let step: UInt32
        let block: Range<Int>
        let numbers: Range<Int>
        let header: FrameHeader

        init?(_ frame: ScannedFrame) {
            let (bytes, start) = (frame.bytes, frame.payload.lowerBound)
            header = frame.header
            guard header.type == FrameType.columnBlock, header.codec == codec, frame.payload.count > prefixBytes,
                (1...mostReadings).contains(header.count)
            else { return nil }
            tag = bytes.number(at: start, as: UInt32.self)
            leader = bytes.number(at: start + 4, as: UInt32.self)
            step = bytes.number(at: start + 8, as: UInt32.self)
            let numbersBytes = Int(bytes.number(at: start + 12, as: UInt32.self))
            let first = start + prefixBytes
            guard first + numbersBytes < frame.payload.upperBound else { return nil }
            block = first..<frame.payload.upperBound - numbersBytes
            numbers = block.upperBound..<frame.payload.upperBound
        }

        /// Its clock: readings of one block share it.
        var clock: ClockState {
            header.flags.contains(.clockUnset) ? .unset : header.flags.contains(.clockRebased) ? .rebased : .set
        }
    }

    static func flags(_ clock: ClockState) -> FrameFlags {
        switch clock {
        case .set: []
        case .unset: .clockUnset
        case .rebased: .clockRebased
        }
    }

    static func facts(_ frame: ScannedFrame) -> (layout: Layout, facts: Facts)? {
        guard let layout = Layout(frame) else { return nil }
        let header = unsafe frame.bytes.withUnsafeBytes {
            unsafe BlockHeader(UnsafeRawBufferPointer(rebasing: $0[layout.block]))
        }
        guard let header, header.count == layout.header.count else { return nil }
        return (
            layout,
            Facts(
                count: header.count, earliest: header.earliest, latest: header.latest, isUnset: layout.clock == .unset,
                extremes: header.extremes)
        )
    }
}

extension FrameType {
    /// In column segments only.
    static let columnBlock: UInt8 = 8
    static let columnIndex: UInt8 = 9
}

extension FrameFlags {
    /// Records that were taken while the clock was not set, with times that have been put right since.
    static let clockRebased = FrameFlags(rawValue: 32)
}
