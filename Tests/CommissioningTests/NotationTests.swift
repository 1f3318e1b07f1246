// What technicians type: endpoints, ranges, unit ids, addresses, expectations.

import Commissioning
import ModbusDriver
import Testing

@Suite("What technicians type")
struct NotationTests {
    @Test(
        "An endpoint is understood in the usual spellings",
        arguments: [
            ("tcp://10.0.4.21", ModbusEndpoint.tcp(host: "10.0.4.21", port: 502)),
            ("tcp://10.0.4.21:1502/", .tcp(host: "10.0.4.21", port: 1502)),
            ("meter.plant:503", .tcp(host: "meter.plant", port: 503)),
            ("TCP://[fe80::1]:502", .tcp(host: "fe80::1", port: 502)),
            ("rtu+tcp://10.0.4.9:4001", .rtuOverTCP(host: "10.0.4.9", port: 4001)),
            ("/dev/ttyUSB0", .serial(SerialLine(port: "/dev/ttyUSB0"))),
            (
                "/dev/ttyUSB0?baud=9600&parity=n&stop=1",
                .serial(SerialLine(port: "/dev/ttyUSB0", baud: 9600, parity: .none, stopBits: 1))
            ),
        ])
    func endpoints(text: String, expected: ModbusEndpoint) throws {
        #expect(try EndpointNotation.endpoint(text) == expected)
    }

    @Test(
        "A wrong endpoint is refused with a word on what is wrong",
        arguments: [
            ("udp://10.0.4.21", "unknown kind"), ("tcp://", "no host"), ("tcp://a:0", "port"),
            ("tcp://a:70000", "port"),
            ("/dev/ttyS0?baud=fast", "baud"), ("/dev/ttyS0?colour=red", "unknown setting"), ("tcp://[::1", "bracket"),
            ("tcp://a b", "no host"),
        ])
    func wrongEndpoints(text: String, word: String) {
        let error = #expect(throws: NotationError.self) { try EndpointNotation.endpoint(text) }
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
    }

    @Test(
        "A range of addresses becomes its hosts",
        arguments: [
            ("10.0.4.0/28", 14, "10.0.4.1", "10.0.4.14"), ("10.0.4.7/30:1502", 2, "10.0.4.5", "10.0.4.6"),
            ("10.0.4.20-40", 21, "10.0.4.20", "10.0.4.40"), ("10.0.4.250-10.0.5.3:503", 10, "10.0.4.250", "10.0.5.3"),
            ("10.0.4.21", 1, "10.0.4.21", "10.0.4.21"), ("10.0.4.21/32", 1, "10.0.4.21", "10.0.4.21"),
            ("10.0.4.0/31", 2, "10.0.4.0", "10.0.4.1"), ("press-7.plant", 1, "press-7.plant", "press-7.plant"),
            ("10.0.0.0/20", 4094, "10.0.0.1", "10.0.15.254"),
            ("255.255.255.255", 1, "255.255.255.255", "255.255.255.255"),
        ])
    func ranges(text: String, count: Int, first: String, last: String) throws {
        let endpoints = try ScanTargets.tcp(text)
        func host(_ endpoint: ModbusEndpoint?) -> String? {
            if case .tcp(let host, _)? = endpoint { host } else { nil }
        }
        #expect(endpoints.count == count)
        #expect(host(endpoints.first) == first)
        #expect(host(endpoints.last) == last)
    }

    @Test(
        "A range that is none, or too large, is refused",
        arguments: [
            "10.0.0.0/8", "0.0.0.0/0", "10.0.4.0/33", "10.0.4.40-20", "10.0.4.300", "10.0.4", "10.0.0.1-10.1.0.0",
            "10.0.4.1:0", "", ":502", "10.0.4.1/", "/24", "10.0.4.-5",
        ])
    func wrongRanges(text: String) {
        #expect(throws: NotationError.self) { try ScanTargets.tcp(text) }
    }

    @Test(
        "Unit ids come in the order given, each once",
        arguments: [
            ("1-3", [1, 2, 3]), ("255", [255]), ("1-3,255,2", [1, 2, 3, 255]), ("0", [0]),
            ("253-255", [253, 254, 255]),
        ] as [(String, [UInt8])])
    func units(text: String, expected: [UInt8]) throws {
        #expect(try ScanTargets.units(text) == expected)
    }

    @Test("Unit ids that are none are refused", arguments: ["", "1-", "-1", "256", "3-1", "1,,2", "a"])
    func wrongUnits(text: String) {
        #expect(throws: NotationError.self) { try ScanTargets.units(text) }
    }

    @Test("A serial scan goes over every speed in every parity, each once")
    func modes() throws {
        let lines = try ScanTargets.serial(
            port: "/dev/ttyUSB0", bauds: "9600,19200,9600", parities: "even,none", stopBits: nil)
        let modes = lines.map { if case .serial(let line) = $0 { line.mode } else { "" } }
        #expect(modes == ["9600 8E1", "19200 8E1", "9600 8N2", "19200 8N2"])
        for (bauds, parities) in [("", "even"), ("9600", ""), ("9600", "mark"), ("5", "even")] {
            #expect(throws: NotationError.self) {
                try ScanTargets.serial(port: "/dev/ttyS0", bauds: bauds, parities: parities, stopBits: 1)
            }
        }
    }

    @Test(
        "An address is understood as manuals write it",
        arguments: [
            ("hr 3027", RegisterAddress(.holdingRegister, 3027)), ("IR 0x1B", .init(.inputRegister, 27)),
            ("co 0", .init(.coil, 0)), ("43028", .init(.holdingRegister, 3027)), ("30001", .init(.inputRegister, 0)),
            ("403028", .init(.holdingRegister, 3027)), ("465536", .init(.holdingRegister, 65535)),
            ("00001", .init(.coil, 0)),
        ])
    func addresses(text: String, expected: RegisterAddress) throws {
        #expect(try AddressConvention.typed(text) == expected)
    }

    @Test(
        "An address that is none is refused",
        arguments: ["", "hr", "hr 65536", "xr 1", "20001", "40000", "3027", "hr -1", "hr 0x", "hr 1 2", "4000000"])
    func wrongAddresses(text: String) {
        #expect(throws: NotationError.self) { try AddressConvention.typed(text) }
    }

    @Test(
        "The value on the display is understood with its tolerance",
        arguments: [
            ("231±5", 231, 5), ("231+-5", 231, 5), ("231 +/- 5", 231, 5), ("231", 231, 2.31), ("231±2%", 231, 4.62),
            ("0,5±0,1", 0.5, 0.1), ("-20±1", -20, 1), ("0±1", 0, 1),
        ] as [(String, Double, Double)])
    func expectations(text: String, value: Double, tolerance: Double) throws {
        let expectation = try Expectation(parsing: text)
        #expect(expectation.value == value)
        #expect((expectation.tolerance - tolerance).magnitude < 1e-9)
    }

    @Test(
        "An expectation that is none, or that fits everything, is refused",
        arguments: ["", "a", "231±", "±5", "5±9", "nan", "inf", "1±2±3", "231±-5", "1e999"])
    func wrongExpectations(text: String) {
        #expect(throws: NotationError.self) { try Expectation(parsing: text) }
    }

    @Test("Words of a trace are read, and what is none is refused")
    func words() throws {
        #expect(try WordsNotation.words("4367,0000 0xFF") == [0x4367, 0, 0xFF])
        for text in ["", "12345", "xyz", "-1", String(repeating: "0,", count: 126)] {
            #expect(throws: NotationError.self) { try WordsNotation.words(text) }
        }
    }

    @Test(
        "Numbers are printed as people write them",
        arguments: [
            (231, "231"), (230.33020019, "230.3302"), (0.1, "0.1"), (-0.001, "-0.001"), (1e20, "1e20"),
            (1.5e-9, "1.5e-9"),
            (.nan, "NaN"), (-.infinity, "-Inf"), (0, "0"), (2.5e-300, "2.5e-300"),
            (1.7976931348623157e308, "1.798e308"),
        ] as [(Double, String)])
    func numbers(number: Double, text: String) { #expect(Spelled.short(number) == text) }
}
