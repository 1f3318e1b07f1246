// Alarms alone, for sinks that tell them before a backlog of readings.

package import GatewayModel
internal import GatewayPlatform

extension Journal {
    /// Alarms with the numbers from `from` on and below `end`, in order: those of one segment, or of RAM. Segments
    /// whose directory knows of none are passed over without a look. What can't be read is left out here; reading the
    /// log in its order tells it as a gap.
    /// - Returns: what was found, and where to go on; `next` is `end` when that was all.
    package func alarms(
        from: SequenceNumber, to end: SequenceNumber
    ) -> (alarms: [(number: SequenceNumber, transition: AlarmTransition)], next: SequenceNumber) {
        let (segments, summaries, tail, oldest) = memory.withLock {
            ($0.segments, $0.summaries, $0.tail.first ?? $0.next, $0.oldest)
        }
        var next = max(from.value, oldest)
        let limit = min(end.value, tail)
        for (index, segment) in segments.enumerated() where next < limit {
            let isOpen = index + 1 == segments.count
            let last = isOpen ? limit : min(segments[index + 1].first, limit)
            guard last > next else { continue }
            let known = isOpen ? nil : summaries[segment.number] ?? (try? SegmentScan.seal(of: segment, on: disk))
            if let known, !known.span.tags.contains(TagFilter.alarmBit) {
                next = last
                continue
            }
            return (alarms(in: segment, next..<last), SequenceNumber(last))
        }
        return (alarmsInRAM(max(next, tail)..<max(end.value, tail, next)), end)
    }

    private func alarms(
        in segment: SegmentInfo, _ numbers: Range<UInt64>
    ) -> [(number: SequenceNumber, transition: AlarmTransition)] {
        guard let file = try? disk.open(segment.file, create: false) else { return [] }
        var scanner = segment.scanner(file)
        var found: [(SequenceNumber, AlarmTransition)] = []
        while let frame = try? scanner.next() {
            guard !(frame.header.holdsRecords && frame.header.sequence >= numbers.upperBound) else { break }
            take(frame, numbers, into: &found)
        }
        return found
    }

    private func alarmsInRAM(_ numbers: Range<UInt64>) -> [(number: SequenceNumber, transition: AlarmTransition)] {
        var found: [(SequenceNumber, AlarmTransition)] = []
        for block in memory.withLock({ $0.tail.blocks(from: numbers.lowerBound) }) {
            var offset = block.offset(of: numbers.lowerBound)
            while let header = FrameHeader(block.bytes, at: offset) {
                take(ScannedFrame(header: header, bytes: block.bytes, start: offset), numbers, into: &found)
                offset += header.byteCount
            }
        }
        return found
    }

    private func take(
        _ frame: ScannedFrame, _ numbers: Range<UInt64>, into found: inout [(SequenceNumber, AlarmTransition)]
    ) {
        guard frame.header.type == FrameType.event, frame.header.holdsRecords,
            numbers.contains(frame.header.sequence), let transition = AlarmFrame.transition(of: frame)
        else { return }
        let number = SequenceNumber(frame.header.sequence)
        var record = JournalRecord.alarm(number, transition)
        if record.isClockUnset { record = memory.withLock { $0.clock }.rebase(record) }
        if case .alarm(_, let right) = record { found.append((number, right)) }
    }
}
