// A SunSpec model (github.com/sunspec/models, JSON) to a draft of a profile.

internal import ModbusDriver

package enum SunSpecImport {
    /// Where a model stands that follows the common model of 66 registers at the usual base: 40000 + 2 + 2 + 66.
    package static let usualAddress = 40070
    private static let mostInstances = 16

    /// - Parameter address: of the model's id register; nil takes the usual one.
    package static func profile(
        _ bytes: [UInt8], id: String, source: String, at address: Int? = nil
    ) throws(ImportError) -> ImportedProfile {
        let root = try Document.parse(bytes)
        guard let group = root["group"], group["points"]?.elements != nil else {
            throw ImportError(line: root.line, "no SunSpec model: it has no 'group' with 'points'")
        }
        let model = root["id"]?.text.flatMap { Int($0) }
        let start = address ?? (model == 1 ? 40002 : usualAddress)
        var profile = ImportedProfile(id: id, source: source)
        profile.vendor = "SunSpec"
        profile.model = "Model \(model.map(String.init) ?? "?"): \(group["label"]?.text ?? group["name"]?.text ?? "")"
        profile.guesses.append(
            address == nil
                ? "the model begins at hr \(start), which most devices have; 'lineside scan' shows where, then give --at"
                : "the model begins at hr \(start), as told")
        profile.guesses.append("all in holding registers, word order ABCD (SunSpec 1.1, 4.1)")
        profile.guesses.append("sentinels as SunSpec gives them to each type; nothing is writable")
        var reader = Reader(profile: profile, position: start)
        try reader.read(group, prefix: "", factors: [:])
        return reader.profile
    }

    private struct Reader {
        var profile: ImportedProfile
        var position: Int

        mutating func read(_ group: Document, prefix: String, factors outer: [String: Factor]) throws(ImportError) {
            let points = group["points"]?.elements ?? []
            // Scale factors stand behind the values that they scale.
            var factors = outer
            var place = position
            for point in points {
                let size = try self.size(of: point)
                if point["type"]?.text == "sunssf", let name = point["name"]?.text {
                    factors[name] = Factor(address: place, constant: point["value"]?.text.flatMap { Int($0) })
                }
                place += size
            }
            for point in points { try read(point, prefix, factors) }
            for inner in group["groups"]?.elements ?? [] {
                let name = (inner["name"]?.text ?? "group").name(orElse: "group")
                let count = inner["count"]?.text
                let fixed = count.flatMap { Int($0) }
                let instances = max(1, min(fixed ?? 1, SunSpecImport.mostInstances))
                if count != nil && fixed == nil || (fixed ?? 1) > instances || fixed == 0 {
                    profile.guesses.append(
                        "the group '\(name)' repeats as often as the device says (\(count ?? "")): \(instances) taken")
                }
                for instance in 1...instances {
                    let label = instances > 1 ? "\(name)_\(instance)" : name
                    try read(inner, prefix: "\(prefix)\(label)_", factors: factors)
                }
            }
        }

        private func size(of point: Document) throws(ImportError) -> Int {
            guard let size = point["size"]?.text.flatMap({ Int($0) }), (1...125).contains(size) else {
                throw ImportError(line: point.line, "a point without a 'size' from 1 to 125")
            }
            return size
        }

        private mutating func read(
            _ point: Document, _ prefix: String, _ factors: [String: Factor]
        ) throws(ImportError) {
            let size = try size(of: point)
            let place = position
            position += size
            guard let name = point["name"]?.text, let typeName = point["type"]?.text else {
                throw ImportError(line: point.line, "a point without 'name' or 'type'")
            }
            guard let address = UInt16(exactly: place) else {
                throw ImportError(line: point.line, "'\(name.printable)' lies behind the last register; check --at")
            }
            guard !["sunssf", "pad"].contains(typeName), !(prefix.isEmpty && ["ID", "L"].contains(name)) else { return }
            guard let (type, invalid) = Self.types[typeName] else {
                return profile.leave(out: "'\(name)' has the type '\(typeName)'", line: point.line)
            }
            var tag = ImportedTag(
                name: "\(prefix)\(name)".snakeCased.name(orElse: "hr_\(address)"),
                at: RegisterAddress(.holdingRegister, address), type: type)
            tag.length = type.hasLength ? size : nil
            tag.invalid = invalid
            tag.unit = point["units"]?.text ?? ""
            tag.description = point["label"]?.text ?? point["desc"]?.text ?? ""
            try scale(point, factors, &tag)
            symbols(point, typeName, &tag)
            try profile.add(tag, line: point.line)
        }

        private mutating func scale(
            _ point: Document, _ factors: [String: Factor], _ tag: inout ImportedTag
        ) throws(ImportError) {
            guard let text = point["sf"]?.text else { return }
            var constant = Int(text)
            if constant == nil {
                guard let factor = factors[text] else {
                    throw ImportError(line: point.line, "the scale factor '\(text.printable)' is not in the model")
                }
                constant = factor.constant
                // One request must carry both, so that they are of one moment.
                let distance = (factor.address - Int(tag.at.address)).magnitude
                if constant == nil, distance + 4 <= 125, let address = UInt16(exactly: factor.address) {
                    tag.exponent = RegisterAddress(.holdingRegister, address)
                } else if constant == nil {
                    tag.notes.append(
                        "its scale factor is at hr \(factor.address), too far to be read together: set 'scale'")
                }
            }
            if let constant, constant.magnitude <= 18, let scale = Double("1e\(constant)") { tag.scale = scale }
        }

        private func symbols(_ point: Document, _ typeName: String, _ tag: inout ImportedTag) {
            var seen: Set<String> = []
            var values: Set<Int> = []
            for symbol in (point["symbols"]?.elements ?? []).prefix(64) {
                guard let value = symbol["value"]?.text.flatMap({ Int($0) }), value >= 0, values.insert(value).inserted
                else { continue }
                let base = (symbol["name"]?.text ?? symbol["label"]?.text ?? "").snakeCased.name(
                    orElse: "code_\(value)")
                let isFlag = typeName.hasPrefix("bitfield")
                let word = isFlag ? "\(tag.name)_\(base)" : base
                let unique = seen.insert(word).inserted ? word : "\(word)_\(value)"
                if !isFlag {
                    if value <= 65535 || typeName == "enum32" { tag.states.append((value, unique)) }
                } else if value < tag.type.words * 16, tag.type != .u64 {
                    tag.flags.append((value, unique))
                }
            }
        }

        /// Our type of SunSpec's, with the raw value that means "not implemented" (1.1, 4.2). NaN needs none.
        private static let types: [String: (RegisterType, String)] = [
            "int16": (.i16, "0x8000"), "uint16": (.u16, "0xFFFF"), "count": (.u16, "0xFFFF"), "acc16": (.u16, "0"),
            "enum16": (.u16, "0xFFFF"), "bitfield16": (.u16, "0xFFFF"), "raw16": (.u16, ""),
            "int32": (.i32, "0x80000000"), "uint32": (.u32, "0xFFFFFFFF"), "acc32": (.u32, "0"),
            "enum32": (.u32, "0xFFFFFFFF"), "bitfield32": (.u32, "0xFFFFFFFF"), "int64": (.i64, "0x8000000000000000"),
            "uint64": (.u64, "0xFFFFFFFFFFFFFFFF"), "acc64": (.u64, "0"), "bitfield64": (.u64, "0xFFFFFFFFFFFFFFFF"),
            "float32": (.f32, ""), "float64": (.f64, ""), "string": (.string, ""), "ipaddr": (.bytes, ""),
            "ipv6addr": (.bytes, ""), "eui48": (.bytes, ""),
        ]
    }

    struct Factor {
        var address: Int
        var constant: Int?
    }
}

extension String {
    /// `PhVphA` → `Ph_Vph_A`; what is written in capitals stays together: `DCW`, `I_STATUS`.
    fileprivate var snakeCased: String {
        var text = ""
        var previous: Character = "_"
        for character in prefix(128) {
            if character.isUppercase && (previous.isLowercase || previous.isNumber) { text += "_" }
            text.append(character)
            previous = character
        }
        return text
    }
}
