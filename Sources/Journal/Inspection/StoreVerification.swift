// Every byte of a store that could mean something, checked; and exact words for what doesn't hold.

internal import GatewayModel
internal import GatewayPlatform

/// Something that is not as it was written.
package struct StoreFinding: Equatable, Sendable {
    package enum Weight: Sendable {
        /// Something is lost, or would be with one more fault.
        case damage
        /// Worth knowing, and nobody's loss.
        case note
    }

    package var weight: Weight
    package var file: String?
    package var segment: UInt64?
    package var bytes: Range<Int64>?
    package var numbers: ClosedRange<UInt64>?
    package var what: String

    package init(
        _ weight: Weight, _ what: String, file: String? = nil, segment: UInt64? = nil, bytes: Range<Int64>? = nil,
        numbers: ClosedRange<UInt64>? = nil
    ) {
        self.weight = weight
        self.what = what
        self.file = file
        self.segment = segment
        self.bytes = bytes
        self.numbers = numbers
    }
}

package struct StoreVerification: Equatable, Sendable {
    package var segments = 0
    package var frames = 0
    package var records: UInt64 = 0
    package var bytes: Int64 = 0
    /// Parts of columns, and the readings in them.
    package var columnParts = 0
    package var columnReadings: UInt64 = 0
    package var findings: [StoreFinding] = []
    package var isWhole: Bool { !findings.contains { $0.weight == .damage } }

    /// Numbers that lead to no record, once each, in order.
    package var lost: [ClosedRange<UInt64>] {
        let ranges = findings.filter { $0.weight == .damage }.compactMap(\.numbers)
            .sorted { $0.lowerBound < $1.lowerBound }
        return ranges.reduce(into: []) { merged, range in
            if let last = merged.last, range.lowerBound <= last.upperBound &+ 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
    }
}

extension Journal {
    /// For a journal that is only read: reads every frame of every live segment, then every record as a sink would.
    ///
    /// A gateway may write the store meanwhile. What it gave up in between is a note, and the segment that it writes is
    /// looked at again before anything is said against it.
    package func verify(progress: (_ done: Int, _ of: Int) -> Void = { _, _ in }) -> StoreVerification {
        var result = StoreVerification()
        let segments = memory.withLock { $0.segments }
        if let trouble = recovery.trouble { result.findings.append(StoreFinding(.damage, trouble)) }
        for slot in strangers() { result.findings.append(slot) }
        var gone: Set<UInt64> = []
        for (index, segment) in segments.enumerated() {
            progress(index, segments.count)
            let end = index + 1 < segments.count ? segments[index + 1].first : UInt64.max
            let findings = verify(segment, until: end, into: &result)
            if isGone(segment) {
                gone.insert(segment.number)
                result.findings.append(
                    StoreFinding(
                        .note, "given up while it was read; what is missing of it is no damage", file: segment.file,
                        segment: segment.number))
            } else {
                result.findings += findings
            }
        }
        progress(segments.count, segments.count)
        readRecords(segments, gone: gone, into: &result)
        verifyColumns(into: &result)
        noteCursors(&result)
        return result
    }

    /// Files that hold no live segment and should hold something.
    private func strangers() -> [StoreFinding] {
        inspectedFiles().compactMap { file, state in
            switch state {
            case .blank, .valid: nil
            case .newer: StoreFinding(.note, "written by a newer version: left alone", file: file)
            case .damaged:
                StoreFinding(
                    .damage, "its header can't be read: whatever it held is lost, unless it was not in use",
                    file: file, bytes: 0..<Int64(SegmentHeader.byteCount))
            case nil: StoreFinding(.damage, "can't be read", file: file)
            }
        }
    }

    private func inspectedFiles() -> [(String, SegmentHeader.Finding?)] {
        ((try? disk.list()) ?? []).filter(SlotRing.isSlot).map { file in
            let bytes = try? disk.open(file, create: false).read(count: SegmentHeader.byteCount, at: 0)
            return (file, bytes.map { SegmentHeader.read($0) })
        }
    }

    private func header(of segment: SegmentInfo) -> (header: SegmentHeader, isHalf: Bool)? {
        guard let bytes = try? disk.open(segment.file, create: false).read(count: SegmentHeader.byteCount, at: 0),
            case .valid(let header) = SegmentHeader.read(bytes)
        else { return nil }
        return (header, SegmentHeader.isHalf(bytes))
    }

    /// Whether another segment took its slot.
    private func isGone(_ segment: SegmentInfo) -> Bool {
        header(of: segment).map { $0.header.number != segment.number } ?? true
    }

    private func verify(
        _ segment: SegmentInfo, until end: UInt64, into result: inout StoreVerification
    ) -> [StoreFinding] {
        func finding(
            _ weight: StoreFinding.Weight, _ what: String, _ bytes: Range<Int64>? = nil,
            _ numbers: ClosedRange<UInt64>? = nil
        ) -> StoreFinding {
            StoreFinding(weight, what, file: segment.file, segment: segment.number, bytes: bytes, numbers: numbers)
        }
        guard let (header, isHalf) = header(of: segment), header.number == segment.number else { return [] }
        var findings: [StoreFinding] = []
        if isHalf {
            findings.append(
                finding(
                    .damage, "one of the two copies of its header can't be read", 0..<Int64(SegmentHeader.byteCount)))
        }
        var survey: SegmentSurvey
        do throws(DiskError) {
            survey = try SegmentSurvey.make(segment, header, until: end, on: disk)
            // A writer may have been in the middle of what was read: damage that stays is damage.
            for _ in 0..<3 where end == .max && !survey.damage.isEmpty {
                let before = survey.damage
                survey = try SegmentSurvey.make(segment, header, until: end, on: disk)
                if survey.damage == before { break }
            }
        } catch {
            let most = end == .max ? recovery.end.value : end
            let numbers = segment.first < most ? segment.first...most - 1 : nil
            return findings + [finding(.damage, "\(error)", nil, numbers)]
        }
        result.segments += 1
        result.frames += survey.frames
        result.records += survey.records
        result.bytes += survey.usedBytes
        for damage in survey.damage { findings.append(finding(.damage, damage.what, damage.bytes, damage.numbers)) }
        if survey.ending == .open, end != .max {
            findings.append(
                finding(.note, "it was ended without a seal: the gateway stopped without warning, or the slot failed"))
        }
        return findings
    }

    /// Everything once more as records: a frame may verify and still hold what can't be understood.
    private func readRecords(_ segments: [SegmentInfo], gone: Set<UInt64>, into result: inout StoreVerification) {
        var next = recovery.oldest
        let known = result.lost
        while next < recovery.end {
            let chunk = readPart(from: next.value, to: recovery.end.value)
            guard chunk.next > next else {
                result.findings.append(
                    StoreFinding(.damage, "can't be read", numbers: next.value...recovery.end.value - 1))
                break
            }
            for case .gap(let gap) in chunk.records where gap.reason == .corrupt || gap.reason == .diskError {
                guard gap.first < recovery.end,
                    !known.contains(where: { $0.lowerBound <= gap.first.value && gap.last.value <= $0.upperBound })
                else { continue }
                let segment = segments.last { $0.first <= gap.first.value }
                if let segment, gone.contains(segment.number) || isGone(segment) { continue }
                result.findings.append(
                    StoreFinding(
                        .damage,
                        gap.reason == .corrupt
                            ? "readings that can't be told without what is damaged" : "the disk failed",
                        file: segment?.file, segment: segment?.number, numbers: gap.first.value...gap.last.value))
            }
            next = chunk.next
        }
    }

    private func noteCursors(_ result: inout StoreVerification) {
        for (sink, next) in memory.withLock({ $0.cursors.next }).sorted(by: { $0.key < $1.key }) {
            if next > recovery.end.value {
                result.findings.append(
                    StoreFinding(.damage, "the cursor of '\(sink)' stands at \(next), behind the end of the log"))
            } else if next < recovery.oldest.value {
                result.findings.append(
                    StoreFinding(
                        .note, "'\(sink)' has not had what was given up before \(recovery.oldest.value)",
                        numbers: next...recovery.oldest.value - 1))
            }
        }
    }
}
