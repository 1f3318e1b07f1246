// Home Assistant's discovery: what makes a tag an entity without anybody typing it in.

internal import GatewayModel

/// Discovery messages (home-assistant.io, MQTT integration): one retained configuration per tag.
enum HomeAssistant {
    /// `<prefix>/<component>/<node>/<object>/config`.
    static func topic(prefix: String, site: String, device: String, tag: TagDescriptor) -> String {
        "\(prefix)/\(component(of: tag))/\(node(site: site, device: device))/\(identifier(tag.name))/config"
    }

    static func component(of tag: TagDescriptor) -> StaticString { tag.kind == .boolean ? "binary_sensor" : "sensor" }

    static func node(site: String, device: String) -> String { identifier("\(site)/\(device)") }

    /// Node and object ids are letters, digits, `_` and `-`.
    static func identifier(_ text: String) -> String {
        String(
            text.map { letter in
                letter.isASCII && (letter.isLetter || letter.isNumber || letter == "-") ? letter : "_"
            })
    }

    static func encode(
        _ tag: TagDescriptor, site: String, device: String, topics: SinkTopics, into json: inout JSONBytes
    ) {
        let node = node(site: site, device: device)
        let state = topics.readings(site: site, device: device, tag: tag.name)
        json.raw("{\"name\":")
        json.string(tag.name.utf8)
        json.raw(",\"unique_id\":")
        json.string("\(node)_\(identifier(tag.name))".utf8)
        json.raw(",\"state_topic\":")
        json.string(state.utf8)
        json.raw(",\"value_template\":")
        json.string(template(tag, isPerTag: topics.isPerTag).utf8)
        if topics.isPerTag {
            json.raw(",\"json_attributes_topic\":")
            json.string(state.utf8)
        }
        if tag.kind == .integer || tag.kind == .real { number(tag, &json) }
        json.raw(",\"availability\":[{\"topic\":")
        json.string(topics.status.utf8)
        json.raw(",\"value_template\":\"{{ value_json.state }}\"")
        json.raw(",\"payload_available\":\"online\",\"payload_not_available\":\"offline\"}]")
        json.raw(",\"device\":{\"identifiers\":[")
        json.string(node.utf8)
        json.raw("],\"name\":")
        json.string(device.utf8)
        let area = EquipmentPath(site: site, device: device).area
        if !area.isEmpty {
            json.raw(",\"suggested_area\":")
            json.string(area.utf8)
        }
        json.raw("},\"origin\":{\"name\":\"lineside\"}}")
    }

    /// `None` is how a template says that the state is unknown; without the tag in a message the state stays.
    private static func template(_ tag: TagDescriptor, isPerTag: Bool) -> String {
        let value = isPerTag ? "value_json.value" : "value_json['\(tag.name)']"
        let said =
            tag.kind == .boolean
            ? "'None' if \(value) is none else 'ON' if \(value) else 'OFF'" : "\(value)"
        return isPerTag ? "{{ \(said) }}" : "{{ (\(said)) if '\(tag.name)' in value_json else this.state }}"
    }

    private static func number(_ tag: TagDescriptor, _ json: inout JSONBytes) {
        let meaning = meanings.first { $0.units.contains(tag.unit) }
        if !tag.unit.isEmpty && tag.unit != "1" {
            json.raw(",\"unit_of_measurement\":")
            json.string((meaning.flatMap { $0.spelled[tag.unit] } ?? tag.unit).utf8)
        }
        if let meaning {
            json.raw(",\"device_class\":")
            json.string(meaning.name.utf8)
        }
        // Home Assistant sums energy up itself and refuses it as a measurement.
        json.raw(meaning?.name == "energy" ? ",\"state_class\":\"total\"" : ",\"state_class\":\"measurement\"")
    }

    private struct Meaning {
        let name: String
        let units: [String]
        /// Where Home Assistant spells a unit otherwise.
        var spelled: [String: String] = [:]
    }

    /// Units that mean one device class, and are allowed with it; the others have none (`%` may be humidity or charge).
    private static let meanings = [
        Meaning(name: "current", units: ["A", "mA"]),
        Meaning(name: "voltage", units: ["V", "mV", "kV"]),
        Meaning(name: "power", units: ["W", "kW", "MW"]),
        Meaning(name: "apparent_power", units: ["VA", "kVA"]),
        Meaning(name: "reactive_power", units: ["var", "kvar"]),
        Meaning(name: "energy", units: ["Wh", "kWh", "MWh"]),
        Meaning(name: "frequency", units: ["Hz", "kHz"]),
        Meaning(name: "temperature", units: ["°C", "°F", "K"]),
        Meaning(
            name: "pressure", units: ["Pa", "hPa", "kPa", "bar", "mbar", "psi"]),
        Meaning(
            name: "volume_flow_rate", units: ["m3/h", "m³/h", "l/min", "L/min"],
            spelled: ["m3/h": "m³/h", "l/min": "L/min"]),
        Meaning(name: "speed", units: ["mm/s", "m/s", "km/h"]),
        Meaning(name: "distance", units: ["mm", "cm", "m", "km"]),
        Meaning(name: "weight", units: ["g", "kg"]),
        Meaning(name: "duration", units: ["s", "ms", "min", "h", "d"]),
    ]
}
