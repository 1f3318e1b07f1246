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
                "'\(tag.name)' takes \(tag.words) registers from \(tag.at.notations): past the last address")
        }
        guard !tag.at.table.isBits, tag.span.count > limits.words else { return }
        let what = tag.exponent == nil ? "'\(tag.name)' takes" : "'\(tag.name)' and its exponent take"
        problems.error(
            tag.place,
            "\(what) \(tag.span.count) registers; 'limits.words' lets only \(limits.words) be read at once")
    }

    private func checkForbidden(_ tag: ProfileTag) {
        let ranges = limits.forbidden.filter { $0.table == tag.at.table }
            .map { $0.addresses.lowerBound..<$0.addresses.upperBound + 1 }
        if ranges.contains(where: tag.addresses.overlaps) {
            problems.error(
                tag.place,
                "'\(tag.name)' at \(tag.at.notations) lies in the forbidden addresses of 'limits.forbidden'")
        } else if ranges.contains(where: tag.span.overlaps) {
            problems.error(
                tag.place,
                "'\(tag.name)' and its exponent are read in one request, which would carry addresses of "
                    + "'limits.forbidden'")
        }
    }

    /// Two views of the same registers are fine (a word and its bits), half of a value inside another is a slip. What is
    /// read alone may mean something else at its address than it does inside a block.
    private func checkOverlaps(_ tags: [ProfileTag]) {
        let sorted = tags.filter { !$0.isFlagOfWord && !$0.isAlone }.sorted {
            ($0.addresses.lowerBound, -$0.words, $0.place.line) < ($1.addresses.lowerBound, -$1.words, $1.place.line)
        }
        var widest: ProfileTag?
        for tag in sorted {
            if let other = widest, other.addresses.overlaps(tag.addresses), other.addresses != tag.addresses {
                let (late, early) = tag.place.line >= other.place.line ? (tag, other) : (other, tag)
                problems.warning(
                    late.place,
                    "'\(late.name)' at \(late.at.notations) overlaps '\(early.name)' at \(early.at.notations) "
                        + "(\(early.place.seen(from: late.place))), which has another size or start")
            }
            if tag.addresses.upperBound > widest?.addresses.upperBound ?? 0 { widest = tag }
        }
    }
}
