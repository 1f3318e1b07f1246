// `lineside decode`: what the registers at an address mean, or which reading of them is on the display.

import ArgumentParser
import Commissioning
import GatewayModel
import GatewayPlatform
import ModbusDriver

struct DecodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Read registers and show what they can mean; with --expect, which type, order and scale is right.",
        discussion: """
              lineside decode tcp://10.0.4.21 "hr 3027"
              lineside decode --expect 231±5 tcp://10.0.4.21 "hr 3027" --unit 1
              lineside decode --expect 231+-5 "/dev/ttyUSB0?baud=9600&parity=even" "ir 0"
              lineside decode --expect 231 --words 4367,0000 "hr 3027"

            Without --expect: a table of all types and word orders. With it, the value on the device's display: every \
            neighbour (one before, one behind), type, word order and scale that gives that value, the likeliest first, \
            each as a line for a profile with 'addressing: protocol-0'. 231 alone means ±1 %.

            ENDPOINT is tcp://host[:port], rtu+tcp://host:port or a serial port with ?baud=…&parity=…&stop=…; it is left \
            out with --words. ADDRESS is "hr 3027", "ir 0x1B" (from 0), or 43028 and 403028 (Modicon). Exit code 1 when \
            nothing could be read or nothing fits.
            """)

    @Argument(help: "ENDPOINT and ADDRESS; only ADDRESS, or nothing, with --words.")
    var arguments: [String] = []

    @Option(help: "The value on the display: 231±5, 231+-5, 231±2% or 231.")
    var expect: String?

    @Option(help: "Decode these words, hexadecimal, instead of asking a device: 4367,0000.")
    var words: String?

    @Option(help: "Unit id of the device.")
    var unit: UInt8 = 1

    @Option(help: "How many registers to read for the table, 1 to 125.")
    var count = 4

    @Option(help: "How long an answer may take, in milliseconds.")
    var timeout = 1000

    @Flag(help: "Show every candidate, however unlikely.")
    var all = false

    func validate() throws {
        if !(1...125).contains(count) { throw ValidationError("--count is 1 to 125") }
        if !(10...30_000).contains(timeout) { throw ValidationError("--timeout is 10 to 30000") }
        let allowed = words == nil ? 2...2 : 0...1
        if !allowed.contains(arguments.count) {
            throw ValidationError(
                words == nil
                    ? "give an endpoint and an address: lineside decode tcp://10.0.4.21 \"hr 3027\""
                    : "with --words give at most an address: lineside decode --words 4367,0000 \"hr 3027\"")
        }
    }

    func run() async throws {
        ProcessLimits.ignoreBrokenPipes()
        let input: (address: RegisterAddress, expectation: Expectation?, endpoint: ModbusEndpoint?, words: [UInt16])
        do {
            input = (
                try arguments.last.map(AddressConvention.typed) ?? RegisterAddress(.holdingRegister, 0),
                try expect.map { (text: String) throws(NotationError) in try Expectation(parsing: text) },
                try words == nil ? EndpointNotation.endpoint(arguments[0]) : nil,
                try words.map(WordsNotation.words) ?? []
            )
        } catch {
            throw ValidationError("\(error)")
        }
        guard let endpoint = input.endpoint else {
            let window = DecodeDetective.Window(first: Int(input.address.address), words: input.words)
            return try show(input.address, [window], input.expectation)
        }
        let (unit, timeout, count) = (unit, Duration.milliseconds(timeout), count)
        let isSearch = input.expectation != nil && !input.address.table.isBits
        let address = input.address
        let window = await BlockingWork.run("decode") { _ -> Result<RegisterWindow, ModbusError> in
            Result { () throws(ModbusError) in
                var client = ModbusClient(endpoint: endpoint)
                defer { client.close() }
                var window = RegisterWindow()
                let ask = { (start: UInt16, count: UInt16) throws(ModbusError) -> [UInt16] in
                    try client.read(address.table, address: start, count: count, unit: unit, timeout: timeout)
                }
                if isSearch {
                    try window.read(around: address, ask)
                } else {
                    try window.read(at: address, count: count, ask)
                }
                return window
            }
        }
        switch window {
        case .failure(let error):
            Console.error("\(endpoint), unit \(unit): \(error)")
            throw ExitCode.failure
        case .success(let window):
            guard !window.windows.isEmpty else {
                for refusal in window.refusals { Console.error("\(address.table.abbreviation), \(refusal)") }
                throw ExitCode.failure
            }
            try show(address, window.windows, input.expectation)
        }
    }

    private func show(
        _ address: RegisterAddress, _ windows: [DecodeDetective.Window], _ expectation: Expectation?
    ) throws {
        let words = windows.first?.words ?? []
        if address.table.isBits {
            Console.out(address.notations)
            Console.out("  " + words.map { $0 == 0 ? "off" : "on" }.joined(separator: " "))
            return
        }
        guard let expectation else {
            for line in DecodeTable.lines(at: address, words: words) { Console.out(line) }
            return
        }
        let candidates = DecodeDetective(at: address, windows: windows).candidates(for: expectation)
        for line in DecodeTable.lines(candidates, for: expectation, most: all ? .max : 10) { Console.out(line) }
        if candidates.isEmpty {
            for line in DecodeTable.seen(address, windows) { Console.out(line) }
            throw ExitCode.failure
        }
    }
}
