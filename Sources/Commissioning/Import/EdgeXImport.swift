// A device profile of EdgeX Foundry's device-modbus-go (YAML or JSON) to a draft of a profile.

internal import ModbusDriver

package enum EdgeXImport {
    package static func profile(_ bytes: [UInt8], id: String, source: String) throws(ImportError) -> ImportedProfile {
        let root = try Document.parse(bytes)
        // An export of the metadata service wraps it.
        let document = root["profile"] ?? root
        guard let resources = document["deviceResources"]?.elements else {
            throw ImportError(line: document.line, "no EdgeX device profile: it has no list 'deviceResources'")
        }
        var profile = ImportedProfile(id: document["name"]?.text ?? id, source: source)
        profile.vendor = document["manufacturer"]?.text ?? ""
        profile.model = document["model"]?.text ?? ""
        profile.guesses.append("startingAddress counts from 0, as in device-modbus-go 2 and later")
        profile.guesses.append("without rawType the registers hold valueType")
        profile.guesses.append("value = raw × scale + offset, with 'base' not used; nothing is writable")
        for resource in resources { try add(resource, to: &profile) }
        return profile
    }

    private static func add(_ resource: Document, to profile: inout ImportedProfile) throws(ImportError) {
        let line = resource.line
        guard let name = resource["name"]?.text else {
            throw ImportError(line: line, "a device resource without a name")
        }
        guard let attributes = resource["attributes"], let tableName = attributes["primaryTable"]?.text else {
            return profile.leave(out: "'\(name)' has no attribute primaryTable", line: line)
        }
        guard let table = tables[tableName.uppercased()] else {
            throw ImportError(line: attributes.line, "unknown primaryTable '\(tableName.printable)'")
        }
        guard let number = attributes["startingAddress"]?.text.flatMap({ Spelled.integer($0[...]) }),
            let address = UInt16(exactly: number)
        else { throw ImportError(line: attributes.line, "'\(name.printable)' has no startingAddress from 0 to 65535") }
        let properties = resource["properties"]
        let valueType = properties?["valueType"]?.text ?? ""
        let raw = attributes["rawType"]?.text ?? valueType
        var tag = ImportedTag(
            name: name.name(orElse: "\(table.abbreviation)_\(address)"), at: RegisterAddress(table, address), type: .u16
        )
        if table.isBits {
            tag.type = .bool
        } else if let type = types[raw.lowercased()] {
            tag.type = type
        } else {
            tag.notes.append("the type '\(raw)' is not known, taken as u16")
        }
        if tag.type == .string {
            let length = attributes["stringRegisterSize"]?.text.flatMap { Int($0) }
            tag.length = length.flatMap { (1...125).contains($0) ? $0 : nil } ?? 8
            if length == nil { tag.notes.append("no stringRegisterSize: 8 registers taken") }
        }
        if tag.type.words > 1 {
            func isSet(_ key: String) -> Bool { attributes[key]?.text?.lowercased() == "true" }
            tag.order =
                switch (isSet("isByteSwap"), isSet("isWordSwap")) {
                case (false, false): nil
                case (false, true): .cdab
                case (true, false): .badc
                case (true, true): .dcba
                }
        }
        for (key, path) in [("scale", \ImportedTag.scale), ("offset", \ImportedTag.offset)] {
            guard let text = properties?[key]?.text, !text.isEmpty else { continue }
            guard let value = Spelled.number(text), !(key == "scale" && value == 0) else {
                throw ImportError(
                    line: properties?.line ?? line, "the \(key) '\(text.printable)' of '\(name.printable)' is no number"
                )
            }
            tag[keyPath: path] = value
        }
        tag.unit = properties?["units"]?.text ?? ""
        tag.description = resource["description"]?.text ?? ""
        if properties?["readWrite"]?.text?.uppercased() == "W" {
            return profile.leave(out: "'\(name)' can only be written", line: line)
        }
        try profile.add(tag, line: line)
    }

    private static let tables: [String: RegisterTable] = [
        "HOLDING_REGISTERS": .holdingRegister, "INPUT_REGISTERS": .inputRegister, "COILS": .coil,
        "DISCRETES_INPUT": .discreteInput, "DISCRETE_INPUTS": .discreteInput,
    ]

    private static let types: [String: RegisterType] = [
        "bool": .bool, "uint8": .u8, "int8": .i8, "uint16": .u16, "int16": .i16, "uint32": .u32, "int32": .i32,
        "uint64": .u64, "int64": .i64, "float32": .f32, "float64": .f64, "string": .string,
    ]
}
