// Tags and their values as JSON.

internal import GatewayModel
internal import History

extension JSONWriter {
    /// What a tag is, without its value.
    mutating func descriptor(_ tag: TagDescriptor, of tags: TagTable) {
        member("path", tags.path(of: tag.id))
        member("device", tags[tag.device].path)
        member("name", tag.name)
        member("unit", tag.unit == "1" ? "" : tag.unit)
        member("kind", "\(tag.kind)")
        key("range")
        if let range = tag.range {
            array {
                $0.number(range.lowerBound)
                $0.number(range.upperBound)
            }
        } else {
            null()
        }
        guard !tag.states.isEmpty else { return }
        key("states")
        object { names in
            for state in tag.states {
                names.key(text: "\(state.code)")
                names.string(state.name)
            }
        }
    }

    /// One row of `/api/v1/tags`.
    mutating func tag(_ tag: TagDescriptor, of tags: TagTable, history: History, now: Timestamp) {
        let last = history.last(tag.id)
        object { row in
            row.descriptor(tag, of: tags)
            row.member("source", tag.source)
            row.member("value", last?.value ?? .none)
            if !tag.states.isEmpty { row.member("state", tag.stateName(of: last?.value ?? .none)) }
            row.member("quality", (last?.quality ?? .badWaitingForInitialData).name)
            row.member("timestamp", last?.timestamp)
            row.member("age_s", last.map { now.duration(since: $0.timestamp).inSeconds } ?? .nan)
            // While the quality is bad: what it was when it could last be read.
            let usable = last?.quality.isBad == true ? history.lastUsable(tag.id) : nil
            row.member("last_value", usable?.value ?? .none)
            row.member("last_timestamp", usable?.timestamp)
        }
    }

    /// A value in the live events: `[id, value, ms]`, with the quality's name unless it is good, and, while it is bad,
    /// with the last usable value and its time.
    mutating func live(_ change: HistoryChange) {
        array { entry in
            entry.integer(change.tag.index)
            entry.value(change.last.value)
            entry.milliseconds(change.last.timestamp)
            guard !change.last.quality.isGood else { return }
            entry.string(change.last.quality.name)
            guard change.last.quality.isBad, let usable = change.lastUsable else { return }
            entry.value(usable.value)
            entry.milliseconds(usable.timestamp)
        }
    }
}

/// `/api/v1/tags`: at most `limit` of the live tags that match.
struct TagsAnswer {
    /// Enough for a page; a whole plant must be asked for in so many words.
    static let defaultLimit = 5000

    static func write(_ source: DashboardSource, matching pattern: TagPattern?, limit: Int) -> [UInt8] {
        let (tags, now) = (source.tags(), source.now())
        let found = tags.tags.filter { $0.isLive && (pattern?.matches(tags.path(of: $0.id)) ?? true) }
        var writer = JSONWriter(capacity: 300 * min(found.count, limit))
        writer.object { answer in
            answer.member("now", now)
            answer.member("total", found.count)
            answer.member("tags", found.prefix(limit)) { $0.tag($1, of: tags, history: source.history, now: now) }
        }
        return writer.bytes
    }
}
