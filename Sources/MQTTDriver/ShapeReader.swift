// JSON in the shapes of Telegraf, EdgeX and ThingsBoard: values that come with their names.

internal import Acquisition

/// A shape of JSON documents that others have agreed on.
package enum PayloadShape: String, Sendable, CaseIterable {
    /// `{"name":"cpu","tags":{"host":"a"},"fields":{"idle":97.5},"timestamp":1795467761}`, or `{"metrics":[…]}` of such.
    case telegraf
    /// An event of API v3, alone or as `event` of a request: readings with `resourceName` and a `value` in quotes.
    case edgex
    /// `{"press-1":[{"ts":1795467761000,"values":{"temp":71.8}}]}` of a gateway; `{"ts":…,"values":{…}}`, `{"temp":71.8}` and
    /// arrays of both of a device.
    case thingsboard
}

/// Which value of a shape a tag takes: `cpu.idle{host=a}`.
package struct ShapeName: Equatable, Sendable {
    /// `measurement.field`, `device.resource` or `device.key`; without the first part where a message has none.
    package var name: String
    /// Tags of a Telegraf metric that must be as said.
    package var tags: [String: String]

    package init(name: String, tags: [String: String] = [:]) {
        self.name = name
        self.tags = tags
    }
}

/// Finds the planned values by their names, in one pass after the one that checks the grammar.
struct ShapeReader: Sendable {
    struct Found: Sendable {
        var place: Int
        var value: JSONField
        /// As the document has it; missing when it has none.
        var time: JSONField
    }

    private struct Place: Sendable {
        var name: [UInt8]
        var tags: [(key: [UInt8], value: [UInt8])]
        var isText: Bool
    }

    private let shape: PayloadShape
    private let places: [Place]
    private var grammar = JSONReader(paths: [])
    private(set) var found: [Found] = []
    private(set) var unescaped: [UInt8] = []

    /// See `JSONReader.fieldLimit`.
    private static let most = 65_536

    init(_ shape: PayloadShape, names: [(name: ShapeName, isText: Bool)]) {
        self.shape = shape
        places = names.map { name, isText in
            Place(
                name: Array(name.name.utf8), tags: name.tags.map { (Array($0.key.utf8), Array($0.value.utf8)) },
                isText: isText)
        }
    }

    /// - Returns: false when it is no JSON, or holds more than a machine says at once.
    mutating func read(_ bytes: Span<UInt8>) -> Bool {
        found.removeAll(keepingCapacity: true)
        unescaped.removeAll(keepingCapacity: true)
        guard grammar.read(bytes) else { return false }
        var index = bytes.count >= 3 && bytes[0] == 0xEF ? 3 : 0
        switch shape {
        case .telegraf: telegraf(bytes, &index)
        case .edgex: edgex(bytes, &index)
        case .thingsboard: thingsboard(bytes, &index)
        }
        return found.count <= Self.most
    }

    // MARK: Telegraf

    private mutating func telegraf(_ bytes: Span<UInt8>, _ index: inout Int) {
        if JSONWalk.enter("[", bytes, &index) {
            while JSONWalk.element(bytes, &index) { telegraf(bytes, &index) }
            return
        }
        guard JSONWalk.enter("{", bytes, &index) else { return JSONWalk.skip(bytes, &index) }
        var (name, time) = (0..<0, JSONField.missing)
        var (tags, fields): (Int?, Int?) = (nil, nil)
        while let key = JSONWalk.member(bytes, &index) {
            if Self.spells("metrics", bytes, key) {
                telegraf(bytes, &index)
            } else if Self.spells("name", bytes, key) {
                name = text(bytes, &index)
            } else if Self.spells("timestamp", bytes, key) {
                time = value(bytes, &index)
            } else {
                if Self.spells("tags", bytes, key) { tags = index }
                if Self.spells("fields", bytes, key) { fields = index }
                JSONWalk.skip(bytes, &index)
            }
        }
        guard var place = fields, JSONWalk.enter("{", bytes, &place) else { return }
        while let key = JSONWalk.member(bytes, &place) { take(name, key, time, tags, bytes, &place) }
    }

    // MARK: EdgeX

    private mutating func edgex(_ bytes: Span<UInt8>, _ index: inout Int) {
        guard JSONWalk.enter("{", bytes, &index) else { return JSONWalk.skip(bytes, &index) }
        var (device, origin) = (0..<0, JSONField.missing)
        var readings: Int?
        while let key = JSONWalk.member(bytes, &index) {
            if Self.spells("event", bytes, key) {
                edgex(bytes, &index)
            } else if Self.spells("deviceName", bytes, key) {
                device = text(bytes, &index)
            } else if Self.spells("origin", bytes, key) {
                origin = value(bytes, &index)
            } else {
                if Self.spells("readings", bytes, key) { readings = index }
                JSONWalk.skip(bytes, &index)
            }
        }
        guard var place = readings, JSONWalk.enter("[", bytes, &place) else { return }
        while JSONWalk.element(bytes, &place) {
            guard JSONWalk.enter("{", bytes, &place) else {
                JSONWalk.skip(bytes, &place)
                continue
            }
            var (own, resource, time, value) = (device, 0..<0, origin, Int?.none)
            while let key = JSONWalk.member(bytes, &place) {
                if Self.spells("deviceName", bytes, key) {
                    own = text(bytes, &place)
                } else if Self.spells("resourceName", bytes, key) {
                    resource = text(bytes, &place)
                } else if Self.spells("origin", bytes, key) {
                    time = self.value(bytes, &place)
                } else {
                    if Self.spells("value", bytes, key) { value = place }
                    JSONWalk.skip(bytes, &place)
                }
            }
            if var value { take(own, resource, time, nil, bytes, &value) }
        }
    }

    // MARK: ThingsBoard

    private mutating func thingsboard(_ bytes: Span<UInt8>, _ index: inout Int) {
        if JSONWalk.enter("[", bytes, &index) {
            while JSONWalk.element(bytes, &index) { sample(0..<0, bytes, &index) }
            return
        }
        var ahead = index
        guard JSONWalk.enter("{", bytes, &ahead) else { return JSONWalk.skip(bytes, &index) }
        var isOfGateway = false
        while JSONWalk.member(bytes, &ahead) != nil {
            JSONWalk.skipSpace(bytes, &ahead)
            if ahead < bytes.count, bytes[ahead] == UInt8(ascii: "[") { isOfGateway = true }
            JSONWalk.skip(bytes, &ahead)
        }
        guard isOfGateway, JSONWalk.enter("{", bytes, &index) else { return sample(0..<0, bytes, &index) }
        while let device = JSONWalk.member(bytes, &index) {
            guard JSONWalk.enter("[", bytes, &index) else {
                JSONWalk.skip(bytes, &index)
                continue
            }
            while JSONWalk.element(bytes, &index) { sample(device, bytes, &index) }
        }
    }

    /// `{"ts":…,"values":{…}}`, or the values alone.
    private mutating func sample(_ device: Range<Int>, _ bytes: Span<UInt8>, _ index: inout Int) {
        var time = JSONField.missing
        var values: Int?
        let start = index
        guard JSONWalk.enter("{", bytes, &index) else { return JSONWalk.skip(bytes, &index) }
        while let key = JSONWalk.member(bytes, &index) {
            if Self.spells("ts", bytes, key) {
                time = value(bytes, &index)
            } else {
                if Self.spells("values", bytes, key) { values = index }
                JSONWalk.skip(bytes, &index)
            }
        }
        var place = values ?? start
        guard JSONWalk.enter("{", bytes, &place) else { return }
        while let key = JSONWalk.member(bytes, &place) { take(device, key, time, nil, bytes, &place) }
    }

    // MARK: Values

    private mutating func value(_ bytes: Span<UInt8>, _ index: inout Int) -> JSONField {
        JSONWalk.value(bytes, &index, &unescaped)
    }

    /// A name; one that is none, or is spelled with escapes, is that of no tag.
    private mutating func text(_ bytes: Span<UInt8>, _ index: inout Int) -> Range<Int> {
        if case .text(let range, false) = value(bytes, &index) { range } else { 0..<0 }
    }

    /// Reads the value here for every place of that name.
    private mutating func take(
        _ subject: Range<Int>, _ field: Range<Int>, _ time: JSONField, _ tags: Int?, _ bytes: Span<UInt8>,
        _ index: inout Int
    ) {
        let value = value(bytes, &index)
        guard found.count <= Self.most else { return }
        for place in places.indices where isNamed(places[place], subject, field, tags, bytes) {
            found.append(Found(place: place, value: spelled(value, places[place].isText, bytes), time: time))
        }
    }

    /// EdgeX puts every value in quotes: a number is one all the same.
    private func spelled(_ value: JSONField, _ isText: Bool, _ bytes: Span<UInt8>) -> JSONField {
        guard shape == .edgex, !isText, case .text(let range, false) = value else { return value }
        if Self.spells("true", bytes, range) { return .boolean(true) }
        if Self.spells("false", bytes, range) { return .boolean(false) }
        var index = range.lowerBound
        let text = bytes.extracting(0..<range.upperBound)
        guard let number = JSONNumber.scan(text, at: &index), index == range.upperBound else { return value }
        return .number(number)
    }

    private func isNamed(
        _ place: Place, _ subject: Range<Int>, _ field: Range<Int>, _ tags: Int?, _ bytes: Span<UInt8>
    ) -> Bool {
        let prefix = subject.isEmpty ? 0 : subject.count + 1
        guard place.name.count == prefix + field.count else { return false }
        for offset in 0..<subject.count where place.name[offset] != bytes[subject.lowerBound + offset] { return false }
        if prefix > 0, place.name[prefix - 1] != UInt8(ascii: ".") { return false }
        for offset in 0..<field.count where place.name[prefix + offset] != bytes[field.lowerBound + offset] {
            return false
        }
        return place.tags.allSatisfy { key, wanted in
            guard var index = tags, JSONWalk.enter("{", bytes, &index) else { return false }
            while let name = JSONWalk.member(bytes, &index) {
                JSONWalk.skipSpace(bytes, &index)
                let start = index
                JSONWalk.skip(bytes, &index)
                guard Self.isSame(key, bytes, name) else { continue }
                return index - start == wanted.count + 2 && Self.isSame(wanted, bytes, start + 1..<index - 1)
            }
            return false
        }
    }

    private static func isSame(_ wanted: [UInt8], _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard wanted.count == range.count else { return false }
        for offset in wanted.indices where wanted[offset] != bytes[range.lowerBound + offset] { return false }
        return true
    }

    private static func spells(_ word: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count {
            guard unsafe bytes[range.lowerBound + offset] == word.utf8Start[offset] else { return false }
        }
        return true
    }
}
