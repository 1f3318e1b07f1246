// The changes of alarms that a store holds.

package import GatewayModel
internal import GatewayPlatform

extension Journal {
    /// All changes of alarms in the order in which they came, of columns and of rows. For a journal that is only read.
    /// - Parameter goOn: asked before each segment; false ends it.
    /// - Returns: the files that can't be read to their end.
    package func alarms(
        goOn: () -> Bool = { true }, _ body: (SequenceNumber, AlarmTransition) throws -> Void
    ) throws -> [String] {
        let (segments, ledger) = memory.withLock { ($0.segments, $0.clock) }
        let oldest = segments.first?.first ?? .max
        for (number, transition) in columnAlarms() where number < oldest {
            try body(SequenceNumber(number), transition)
        }
        var unread: [String] = []
        for (index, segment) in segments.enumerated() where goOn() {
            let end = index + 1 < segments.count ? segments[index + 1].first : .max
            var found: [(UInt64, AlarmTransition)] = []
            do throws(DiskError) {
                var scanner = segment.scanner(try disk.open(segment.file, create: false))
                while let frame = try scanner.next() {
                    guard frame.header.holdsRecords, frame.header.sequence < end else { continue }
                    if let transition = transition(of: frame, ledger) {
                        found.append((frame.header.sequence, transition))
                    }
                }
            } catch {
                unread.append(segment.file)
            }
            for (number, transition) in found { try body(SequenceNumber(number), transition) }
        }
        return unread
    }

    /// Those that are held as columns, with their numbers, oldest first.
    func columnAlarms() -> [(number: UInt64, transition: AlarmTransition)] {
        let ledger = memory.withLock { $0.clock }
        var found: [(number: UInt64, transition: AlarmTransition)] = []
        eachOther { frame in
            if let transition = transition(of: frame, ledger) { found.append((frame.header.sequence, transition)) }
        }
        return found
    }

    private func transition(of frame: ScannedFrame, _ ledger: ClockLedger) -> AlarmTransition? {
        guard frame.header.type == FrameType.event, let transition = AlarmFrame.transition(of: frame),
            case .alarm(_, let right) = ledger.rebase(.alarm(SequenceNumber(frame.header.sequence), transition))
        else { return nil }
        return right
    }
}
