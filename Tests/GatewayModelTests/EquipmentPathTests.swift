// Places and patterns over them.

import GatewayModel
import Testing

@Suite("Equipment paths") struct EquipmentPathTests {
    @Test(
        "A pattern matches whole levels and parts of a level",
        arguments: [
            ("press-7", "press-7", true), ("press-7", "press-8", false), ("*/press-*", "line-2/press-7", true),
            ("*/press-*", "press-7", false), ("*", "a/b", false), ("**", "a/b/c", true), ("**", "", true),
            ("**/meter", "meter", true), ("**/meter", "a/b/meter", true), ("**/meter", "a/meter/b", false),
            ("stamping/**/meter", "stamping/meter", true), ("stamping/**", "stamping", true),
            ("a*c", "abbc", true), ("a*c", "ab", false), ("*a*a*", "banana", true), ("", "", true), ("", "a", false),
            ("prüf*", "prüfstand", true),
        ])
    func patterns(pattern: String, path: String, expected: Bool) {
        #expect(PathPattern(pattern).matches(path) == expected)
    }

    @Test(
        "A device's path fills area, line and cell in this order; the last level is the device",
        arguments: [
            ("meter", ["", "", "", "meter"]), ("stamping/meter", ["stamping", "", "", "meter"]),
            ("stamping/line-2/meter", ["stamping", "line-2", "", "meter"]),
            ("stamping/line-2/press-7/meter", ["stamping", "line-2", "press-7", "meter"]),
            ("a/b/c/d/meter", ["a", "b", "c/d", "meter"]),
        ])
    func levels(device: String, expected: [String]) {
        let path = EquipmentPath(site: "acme/north", device: device)
        #expect([path.area, path.line, path.cell, path.device] == expected)
        #expect(path.enterprise == "acme" && path.site == "north")
    }

    @Test(
        "A template takes its levels, and an empty one takes its slash with it",
        arguments: [
            ("{enterprise}/{site}/{area}/{line}/{cell}/{device}", "acme/north/stamping/meter"),
            ("plant/{site}/x-{device}/data", "plant/north/x-meter/data"), ("{device}-{area}", "meter-stamping"),
            ("{cell}", ""), ("fixed", "fixed"),
        ])
    func templates(template: String, expected: String) {
        #expect(EquipmentPath(site: "acme/north", device: "stamping/meter").filled(into: template) == expected)
    }

    @Test("A site of one level has no enterprise")
    func site() {
        let path = EquipmentPath(site: "north", device: "meter")
        #expect(path.enterprise.isEmpty && path.site == "north")
    }
}
