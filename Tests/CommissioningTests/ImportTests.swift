// Register maps of others become profiles that load, and what was guessed is said.

import Acquisition
@testable import Commissioning
import Foundation
import GatewayConfiguration
import ModbusDriver
import TestSupport
import Testing

/// The tags of a profile's text, loaded as a site would.
func loaded(_ profile: ImportedProfile, sourceLocation: SourceLocation = #_sourceLocation) throws -> [String:
    ModbusTagPlan]
{
    let folder = try TemporaryFolder()
    try Data(profile.yaml.utf8).write(to: URL(filePath: "\(folder.path)/profile.yaml"))
    let site = """
        kind: Site
        id: acme/lyon
        channels: { net: { tcp: { host: 127.0.0.1 } } }
        devices: { cell/device: { profile: \(profile.id)@1, channel: net, unit: 1 } }
        """
    try Data(site.utf8).write(to: URL(filePath: "\(folder.path)/site.yaml"))
    do throws(ConfigurationError) {
        let plan = try ConfigurationLoader(environment: [:], profileFolders: []).load(
            siteFile: "\(folder.path)/site.yaml"
        ).plan
        let tags = plan.channels.flatMap(\.units).flatMap(\.scans).flatMap(\.tags)
        return Dictionary(tags.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    } catch {
        Issue.record("\(error)\n\(profile.yaml)", sourceLocation: sourceLocation)
        throw error
    }
}

@Suite("Import of CSV")
struct CSVImportTests {
    struct Dialect: CustomTestStringConvertible, Sendable {
        var name: String
        var text: String
        var says: String
        var testDescription: String { name }
    }

    /// The same four values as six vendors would list them.
    static let dialects: [Dialect] = [
        Dialect(
            name: "comma, addresses from 0",
            text: """
                Name,Address,Type,Scale,Unit,Description
                Voltage L1,3027,FLOAT32,,V,"Phase 1, to neutral"
                Current,100,UINT16,0.1,A,
                Power,102,INT32,1,W,
                Model,10,STRING[20],,,
                """, says: "protocol-0"),
        Dialect(
            name: "semicolon, decimal comma, German, register numbers",
            text: """
                Messwerte der Anlage;;;;;
                ;;;;;
                Bezeichnung;Register;Datentyp;Faktor;Einheit;Länge
                Voltage L1;3028;Float;;V;2
                Current;101;unsigned;0,1;A;1
                Power;103;signed;1;W;2
                Model;11;string;;;10
                """, says: "register-1"),
        Dialect(
            name: "tab, Modicon numbers of five digits",
            text: "Signal\tModbus address\tFormat\tMultiplier\tUnits\tSize\nVoltage L1\t43028\tReal\t1\tV\t2\n"
                + "Current\t40101\tWORD\t1/10\tA\t1\r\nPower\t40103-40104\tDINT\t\tW\t2\nModel\t40011\tASCII\t\t\t10\n",
            says: "modicon-5"),
        Dialect(
            name: "six digits, carriage returns, byte order mark, gain",
            text: "\u{FEFF}Signal name,Register address,Data type,Gain,Unit,Quantity\rVoltage L1,403028,F32,1,V,2\r"
                + "Current,400101,U16,10,A,1\rPower,400103,I32,1,W,2\rModel,400011,STR,1,N/A,10\r",
            says: "modicon-6"),
        Dialect(
            name: "hexadecimal, function codes, decimals",
            text: """
                Parameter;Addr;Function;Data Type;Decimals;Unit;Words
                Voltage L1;0x0BD3;03;IEEE754;;V;2
                Current;0064h;03/06;ushort;1;A;1
                Power;0x66;3;long;0;W;2
                Model;0x0A;3;char;;;10
                """, says: "protocol-0"),
        Dialect(
            name: "table beside the number",
            text: """
                "Tag","Address","Data Type","Scaling","UOM","Register Type","Length"
                "Voltage L1","hr 3027","Float","x 1","V","Holding Register","2"
                "Current","hr 100","Unsigned Int","*0.1","A","Holding Register","1"
                "Power","hr 102","int32","","W","Holding Register","2"
                "Model","hr 10","Text","","","Holding Register","10"
                """, says: "protocol-0"),
    ]

    @Test("The same values are found in every dialect, and the profile loads", arguments: dialects)
    func dialect(_ dialect: Dialect) throws {
        let profile = try CSVImport.profile(Array(dialect.text.utf8), id: "meter", source: "meter.csv")
        let tags = try loaded(profile)
        #expect(tags["voltage_l1"]?.at == RegisterAddress(.holdingRegister, 3027))
        #expect(tags["voltage_l1"]?.type == .f32)
        #expect(tags["current"]?.at == RegisterAddress(.holdingRegister, 100))
        #expect(tags["current"]?.type == .u16)
        #expect(tags["current"]?.normalisation.scale == 0.1)
        #expect(tags["power"]?.at == RegisterAddress(.holdingRegister, 102))
        #expect(tags["power"]?.type == .i32)
        #expect(tags["model"]?.type == .string)
        #expect(tags["model"]?.words == 10)
        #expect(tags.count == 4)
        #expect(profile.yaml.contains(dialect.says))
        #expect(profile.yaml.contains("evidence: draft"))
    }

    @Test("Tables, bits, orders, offsets and what can only be written are respected")
    func details() throws {
        let text = """
            Name;Address;Type;Table;Access;Byte order;Offset
            Door;5;bit;Coil;R;;
            Switch;6;;Discrete input;R;;
            Ready;20.3;;Holding;R;;
            Energy;30;UINT64;Input Register;R;little endian;
            Flow;40;FLOAT;Input Register;RO;CDAB;
            Temperature;50;INT16;;R/W;;-40
            Reset;60;UINT16;;W;;
            Nonsense;70;QUUX;;;;
            Text;somewhere;UINT16;;;;
            Door;7;bit;Coil;R;;
            """
        let profile = try CSVImport.profile(Array(text.utf8), id: "x", source: "x.csv")
        let tags = try loaded(profile)
        #expect(tags["door"]?.at == RegisterAddress(.coil, 5))
        #expect(tags["door_2"]?.at == RegisterAddress(.coil, 7))
        #expect(tags["switch"]?.at == RegisterAddress(.discreteInput, 6))
        #expect(tags["ready"]?.at == RegisterAddress(.holdingRegister, 20, bits: 3...3))
        #expect(tags["energy"]?.order == .dcba)
        #expect(tags["flow"]?.order == .cdab)
        #expect(tags["flow"]?.at.table == .inputRegister)
        #expect(tags["temperature"]?.normalisation.offset == -40)
        #expect(tags["reset"] == nil)
        #expect(profile.leftOut.contains { $0.contains("line 8") && $0.contains("written") })
        #expect(profile.leftOut.contains { $0.contains("line 10") && $0.contains("somewhere") })
        #expect(profile.yaml.contains("'QUUX' is not known"))
        #expect(!profile.yaml.contains("writable:"))
    }

    @Test("Told how the list counts, nothing is guessed")
    func told() throws {
        let text = "Name,Register,Type\nA,40100,UINT16\n"
        func address(_ convention: AddressConvention?) throws -> UInt16? {
            try CSVImport.profile(Array(text.utf8), id: "x", source: "x", convention: convention).tags.first?.at.address
        }
        #expect(try address(nil) == 99)
        #expect(try address(.protocol0) == 40100)
        #expect(try address(.register1) == 40099)
    }

    @Test(
        "A factor is understood as vendors write it",
        arguments: [
            ("0.1", 0.1), ("0,01", 0.01), ("x10", 10), ("* 0.5", 0.5), ("/10", 0.1), ("÷ 100", 0.01), ("1/1000", 0.001),
            ("10^-2", 0.01), ("0.1 kW", 0.1), ("1e-3", 0.001), ("-1", -1),
        ] as [(String, Double)])
    func factors(text: String, expected: Double) throws {
        let factor = try #require(CSVImport.factor(text))
        #expect((factor - expected).magnitude < 1e-12)
    }

    @Test("What is no factor is none", arguments: ["", "n/a", "1/0", "/0", "kW", "10^99", "1,2,3", "--5"])
    func noFactors(text: String) { #expect(CSVImport.factor(text) == nil) }

    @Test(
        "A bad file is refused with its line",
        arguments: [
            ("", nil, "empty"), ("\n\n\n", nil, "empty"), ("a,b\n1,2\n", 1, "no header"),
            ("Name,Address\n", 1, "no row"), ("Name,Address\nA,none\n", 1, "no address"),
            ("Name,Address\n\"open,1\n", 2, "quote"), ("Name,Address\nA\0,1\n", 2, "zero"),
        ] as [(String, Int?, String)])
    func bad(text: String, line: Int?, word: String) {
        let error = #expect(throws: ImportError.self) {
            try CSVImport.profile(Array(text.utf8), id: "x", source: "x.csv")
        }
        #expect(error?.line == line)
        #expect(error?.message.contains(word) == true, "\(String(describing: error))")
    }
}

@Suite("Import of SunSpec models and EdgeX profiles")
struct DocumentImportTests {
    /// Model 103, cut down: a value with a factor, an enumeration, flags, a counter, a text and a float.
    static let model = """
        {
          "group": {
            "label": "Inverter (Three Phase)", "name": "inverter", "type": "group",
            "points": [
              {"name": "ID", "size": 1, "type": "uint16", "value": 103},
              {"name": "L", "size": 1, "type": "uint16"},
              {"name": "A", "size": 1, "type": "uint16", "units": "A", "sf": "A_SF", "label": "Amps"},
              {"name": "PhVphA", "size": 1, "type": "uint16", "units": "V", "sf": "V_SF"},
              {"name": "W", "size": 1, "type": "int16", "units": "W", "sf": -1},
              {"name": "WH", "size": 2, "type": "acc32", "units": "Wh", "sf": "WH_SF", "label": "WattHours \\"all\\""},
              {"name": "A_SF", "size": 1, "type": "sunssf"},
              {"name": "V_SF", "size": 1, "type": "sunssf"},
              {"name": "WH_SF", "size": 1, "type": "sunssf"},
              {"name": "St", "size": 1, "type": "enum16", "symbols": [
                {"name": "OFF", "value": 1}, {"name": "MPPT", "value": 4}, {"name": "MPPT", "value": 5}]},
              {"name": "Evt1", "size": 2, "type": "bitfield32", "symbols": [
                {"name": "GROUND_FAULT", "value": 0}, {"name": "DC_OVER_VOLT", "value": 1}]},
              {"name": "Pad", "size": 1, "type": "pad"},
              {"name": "Nam", "size": 8, "type": "string"},
              {"name": "Hz", "size": 2, "type": "float32", "units": "Hz"}
            ],
            "groups": [
              {"name": "module", "count": "N", "points": [
                {"name": "DCA", "size": 1, "type": "uint16", "units": "A", "sf": "A_SF"},
                {"name": "DCW", "size": 1, "type": "uint16", "units": "W"}]}
            ]
          },
          "id": 103
        }
        """

    @Test("A SunSpec model becomes a profile with factors, states, flags and sentinels, and loads")
    func sunSpec() throws {
        let profile = try SunSpecImport.profile(Array(Self.model.utf8), id: "model_103", source: "model_103.json")
        let tags = try loaded(profile)
        #expect(tags["a"]?.at == RegisterAddress(.holdingRegister, 40072))
        #expect(tags["a"]?.exponent == ScaleExponent(address: 40077))
        #expect(tags["a"]?.normalisation.sentinels == [65535])
        #expect(tags["ph_vph_a"]?.exponent == ScaleExponent(address: 40078))
        #expect(tags["w"]?.normalisation.scale == 0.1)
        #expect(tags["w"]?.normalisation.sentinels == [-32768])
        #expect(tags["wh"]?.type == .u32)
        #expect(tags["wh"]?.at.address == 40075)
        #expect(tags["st"]?.at.address == 40080)
        #expect(tags["evt1"]?.at.address == 40081)
        #expect(tags["evt1_ground_fault"]?.type == .bool)
        #expect(tags["nam"]?.words == 8)
        #expect(tags["hz"]?.at.address == 40092)
        #expect(tags["module_dca"]?.exponent == ScaleExponent(address: 40077))
        #expect(tags["id"] == nil)
        #expect(profile.yaml.contains("states: { 1: off, 4: mppt, 5: mppt_5 }"))
        #expect(profile.guesses.contains { $0.contains("40070") })
        #expect(profile.guesses.contains { $0.contains("'module' repeats") })
        let moved = try SunSpecImport.profile(Array(Self.model.utf8), id: "m", source: "m", at: 50069)
        #expect(try loaded(moved)["a"]?.at.address == 50071)
    }

    static let edgeX = """
        name: "Pump Drive 7"
        manufacturer: "Acme"
        model: "P7"
        deviceResources:
          - name: "OutputSpeed"
            description: "Speed of the motor: $ & more"
            attributes: { primaryTable: "HOLDING_REGISTERS", startingAddress: 99, rawType: "Int16" }
            properties: { valueType: "Float32", readWrite: "R", scale: 0.1, units: "rpm" }
          - name: "Energy"
            attributes: { primaryTable: "INPUT_REGISTERS", startingAddress: "10", isWordSwap: true }
            properties: { valueType: "Uint32", readWrite: "R", offset: "5" }
          - name: "Running"
            attributes: { primaryTable: "COILS", startingAddress: 0 }
            properties: { valueType: "Bool", readWrite: "RW" }
          - name: "Reset"
            attributes: { primaryTable: "COILS", startingAddress: 1 }
            properties: { valueType: "Bool", readWrite: "W" }
          - name: "Label"
            attributes: { primaryTable: "HOLDING_REGISTERS", startingAddress: 200, stringRegisterSize: 12 }
            properties: { valueType: "String", readWrite: "R" }
        """

    @Test("An EdgeX profile becomes one of ours, and loads")
    func edgex() throws {
        let profile = try EdgeXImport.profile(Array(Self.edgeX.utf8), id: "x", source: "x.yaml")
        let tags = try loaded(profile)
        #expect(profile.id == "pump-drive-7")
        #expect(tags["outputspeed"]?.at == RegisterAddress(.holdingRegister, 99))
        #expect(tags["outputspeed"]?.type == .i16)
        #expect(tags["outputspeed"]?.normalisation.scale == 0.1)
        #expect(tags["energy"]?.at == RegisterAddress(.inputRegister, 10))
        #expect(tags["energy"]?.order == .cdab)
        #expect(tags["energy"]?.normalisation.offset == 5)
        #expect(tags["running"]?.at == RegisterAddress(.coil, 0))
        #expect(tags["reset"] == nil)
        #expect(tags["label"]?.words == 12)
    }

    @Test(
        "A document that is none of them is refused with its line",
        arguments: [
            ("", "empty"), ("[1, 2", "not YAML or JSON"), ("{\"a\": 1}", "no "), ("just text", "no "),
            ("a: &x 1\nb: *x\n", "anchors"), ("\u{1}", "not YAML"), (String(repeating: "[", count: 100_000), ""),
            ("{\"group\": {\"points\": [{\"name\": \"a\", \"type\": \"int16\"}]}, \"deviceResources\": [{}]}", ""),
            (
                "{\"group\": {\"points\": [{\"name\": \"a\", \"type\": \"int16\", \"size\": 9999}]}, \"deviceResources\": 1}",
                ""
            ),
        ])
    func bad(text: String, word: String) {
        for make in [
            { try SunSpecImport.profile(Array(text.utf8), id: "x", source: "x") },
            { try EdgeXImport.profile(Array(text.utf8), id: "x", source: "x") },
        ] {
            let error = #expect(throws: ImportError.self) { try make() }
            #expect(word.isEmpty || error?.message.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test("A model that would lie behind the last register is refused, and a missing factor is named")
    func limits() {
        let high = #expect(throws: ImportError.self) {
            try SunSpecImport.profile(Array(Self.model.utf8), id: "x", source: "x", at: 65530)
        }
        #expect(high?.message.contains("--at") == true)
        let text = Self.model.replacing("\"V_SF\", \"size\"", with: "\"X_SF\", \"size\"")
        let missing = #expect(throws: ImportError.self) {
            try SunSpecImport.profile(Array(text.utf8), id: "x", source: "x")
        }
        #expect(missing?.message.contains("V_SF") == true)
        #expect(missing?.line == 8)
    }
}
