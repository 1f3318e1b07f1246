// What can only be seen when all tags of a profile are known: values beyond a limit, on forbidden ground, overlapping.

internal import ModbusDriver

/// Checks the tags of a profile against the device's limits and against each other.
struct ProfileChecks {
    let limits: ModbusUnitLimits
    let problems: Problems

    func run(_ tags: [ProfileTag]) {
        for tag in tags {
            checkLimits(tag)
            checkForbidden(tag)
        }
        for table in RegisterTable.allCases { checkOverlaps(tags.filter { $0.at.table == table }) }
    }

    private func checkLimits(_ tag: ProfileTag) {
        if tag.addresses.upperBound > 65536 {
            problems.error(
                tag.place,
                "'\(tag.name)' takes \(tag.words) registers from '\(tag.spelledAddress)': past the last address")
        }
        if !tag.at.table.isBits && tag.words > limits.words {
            problems.error(
                tag.place,
                "'\(tag.name)' takes \(tag.words) registers; 'limits.words' lets only \(limits.words) be read at once")
        }
    }

    private func checkForbidden(_ tag: ProfileTag) {
        for range in limits.forbidden
        where range.table == tag.at.table
            && tag.addresses.overlaps(range.addresses.lowerBound..<range.addresses.upperBound + 1)
        {
            problems.error(
                tag.place,
                "'\(tag.name)' at '\(tag.spelledAddress)' lies in the forbidden addresses of 'limits.forbidden'")
            return
        }
    }

    /// Two views of the same registers are fine (a word and its bits), half of a value inside another is a slip.
    private func checkOverlaps(_ tags: [ProfileTag]) {
        let sorted = tags.sorted {
            ($0.addresses.lowerBound, -$0.words, $0.place.line) < ($1.addresses.lowerBound, -$1.words, $1.place.line)
        }
        var widest: ProfileTag?
        for tag in sorted {
            if let other = widest, other.addresses.overlaps(tag.addresses), other.addresses != tag.addresses {
                let (late, early) = tag.place.line >= other.place.line ? (tag, other) : (other, tag)
                problems.warning(
                    late.place,
                    "'\(late.name)' at '\(late.spelledAddress)' overlaps '\(early.name)' at '\(early.spelledAddress)' "
                        + "(\(early.place.seen(from: late.place))), which has another size or start")
            }
            if tag.addresses.upperBound > widest?.addresses.upperBound ?? 0 { widest = tag }
        }
    }
}
