// Where a value lies and how registers spell it: `at`, `type`, `order`, `length`, `exponent`.

internal import GatewayModel
internal import ModbusDriver

/// Place and spelling of a value, as a profile gives them for tags and for `identify`.
struct ProfileRegister {
    var at: RegisterAddress
    var type: RegisterType
    var order: WordOrder
    var words: Int
    /// The profile names bits of the register, or a byte.
    var isBitField: Bool

    /// Where a bit of the whole number lies on the wire.
    func place(ofBit bit: Int) -> RegisterAddress {
        let isFirst = words == 1 || (bit >= 16) != order.swapsWords
        let inside = bit % 16
        // Swapped bytes change places inside their register. A single register has no word order.
        let position = words > 1 && order.swapsBytes ? inside ^ 8 : inside
        return RegisterAddress(at.table, at.address &+ (isFirst ? 0 : 1), bits: position...position)
    }
}

/// Reads the keys that say where a value lies.
struct RegisterReader {
    let addressing: Addressing
    /// The profile's `byte_order`.
    let order: WordOrder
    let problems: Problems

    func read(_ reader: MappingReader) -> ProfileRegister? {
        guard let text = text(reader, "at"), var at = address(text, reader, "at") else {
            _ = reader.value("order", Notation<WordOrder>.word)
            return nil
        }
        let isBitField = at.bits != nil
        let type = type(reader, at: at, isByte: text.hasSuffix(".high") || text.hasSuffix(".low"))
        let order = reader.value("order", Notation<WordOrder>.word)
        guard let type else { return nil }
        if (type == .u8 || type == .i8) && at.bits == nil { at.bits = RegisterAddress.lowByte }
        let words = words(reader, type)
        if let order { check(order, of: type, reader) }
        return ProfileRegister(at: at, type: type, order: order ?? self.order, words: words, isBitField: isBitField)
    }

    /// A register beside the value that holds its power of ten.
    func exponent(_ reader: MappingReader, beside value: ProfileRegister) -> ScaleExponent? {
        _ = (reader.node("exponent"), reader.node("decimals"))
        if reader.has("exponent") && reader.has("decimals") {
            problems.error(reader.place(of: "decimals"), "'exponent' and 'decimals' say the same thing; keep one")
            return nil
        }
        let key = reader.has("decimals") ? "decimals" : "exponent"
        guard reader.has(key) else { return nil }
        let place = reader.place(of: key)
        guard RawSpelling(value.type) != nil, value.at.bits == nil else {
            let what = value.at.bits == nil ? value.type.rawValue : "a part of a register"
            problems.error(place, "'\(key)' is for numbers in whole registers; this tag is \(what)")
            return nil
        }
        guard let text = text(reader, key), let at = address(text, reader, key) else { return nil }
        guard at.table == value.at.table else {
            problems.error(
                place, "'\(key)' must lie in the \(value.at.table.name)s, as its value does: one request reads both")
            return nil
        }
        guard at.bits == nil else {
            problems.error(place, "'\(key)' is a whole register, not a part of one")
            return nil
        }
        let first = Int(value.at.address)
        guard !(first..<first + value.words).contains(Int(at.address)) else {
            problems.error(place, "'\(key)' at \(at.notations) is a register of the value itself")
            return nil
        }
        return ScaleExponent(address: at.address, isNegated: key == "decimals")
    }

    private func text(_ reader: MappingReader, _ key: String) -> String? {
        reader.required(key, .matching("an address such as \(addressing.example)") { !$0.isEmpty })
    }

    private func address(_ text: String, _ reader: MappingReader, _ key: String) -> RegisterAddress? {
        do {
            let address = try addressing.address(text)
            if let doubt = addressing.suspicion(about: text) { problems.warning(reader.place(of: key), doubt) }
            return address
        } catch {
            problems.error(reader.place(of: key), error.message)
            return nil
        }
    }

    /// The type as written; a coil, a single bit, a byte and a bit field say it themselves.
    private func type(_ reader: MappingReader, at address: RegisterAddress, isByte: Bool) -> RegisterType? {
        let implied: RegisterType? =
            address.table.isBits ? .bool : address.bits.map { isByte ? .u8 : $0.count == 1 ? .bool : .u16 }
        guard let implied else { return reader.required("type", Notation<RegisterType>.word) }
        guard let type = reader.value("type", Notation<RegisterType>.word) else {
            return reader.has("type") ? nil : implied
        }
        if address.table.isBits && type != .bool {
            problems.error(reader.place(of: "type"), "a \(address.table.name) is a bool, not \(type.rawValue)")
            return nil
        }
        guard let bits = address.bits else { return type }
        let isWholeByte = bits == RegisterAddress.lowByte || bits == RegisterAddress.highByte
        let fitting: [RegisterType] = bits.count == 1 ? [.bool, .u16] : isWholeByte ? [.u8, .i8, .u16] : [.u16]
        guard fitting.contains(type) else {
            let what = bits.count == 1 ? "a bit" : isWholeByte ? "a byte" : "a bit field"
            let words = fitting.map(\.rawValue)
            let listed =
                words.count == 1 ? words[0] : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
            problems.error(reader.place(of: "type"), "\(what) of a register is \(listed), not \(type.rawValue)")
            return nil
        }
        return type
    }

    private func words(_ reader: MappingReader, _ type: RegisterType) -> Int {
        guard type.hasLength else {
            if reader.node("length") != nil {
                problems.error(
                    reader.place(of: "length"),
                    "only a string and bytes have a length; \(type.rawValue) has \(type.words)")
            }
            return type.words
        }
        return reader.required("length", .integer(1...Limits.registersPerRequest)) ?? 1
    }

    private func check(_ order: WordOrder, of type: RegisterType, _ reader: MappingReader) {
        let place = reader.place(of: "order")
        if type.words == 1 && !type.hasLength {
            problems.error(place, "a single register has no word order")
        } else if order.rawValue.count == 8 && !type.hasHalves {
            problems.error(
                place, "\(order.rawValue) is an order of 64-bit values; \(type.rawValue) takes ABCD, CDAB, BADC or DCBA"
            )
        }
    }
}

extension RegisterType {
    /// True for numbers of 64 bits.
    fileprivate var hasHalves: Bool { [.u64, .i64, .f64, .unixMilliseconds].contains(self) }

    var rawKind: ValueKind {
        if isText { return .text }
        if isReal { return .real }
        return self == .bool ? .boolean : .integer
    }
}
