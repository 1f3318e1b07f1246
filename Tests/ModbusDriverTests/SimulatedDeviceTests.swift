// The simulated devices themselves: their registers, their exponents, and how they cut requests out of a stream.

import Acquisition
import GatewayModel
import ModbusDriver
import Simulation
import Testing

@Suite("Simulated devices")
struct SimulatedDeviceTests {
    private func image(_ plan: ModbusTagPlan, _ value: Double, exponent: Int = 0) -> RegisterImage? {
        plan.image(of: .real(value), exponent: exponent, now: Timestamp(nanoseconds: 0))
    }

    @Test("Parts of a register say which bits are theirs, and keep within them")
    func parts() {
        let high = tagPlan(0, .holdingRegister, 0, .i8, bits: 8...15)
        #expect(image(high, -2) == RegisterImage(registers: [0xFE00], mask: 0xFF00))
        let low = tagPlan(0, .holdingRegister, 0, .u8)
        #expect(image(low, 300) == RegisterImage(registers: [0x00FF], mask: 0x00FF))
        let bit = tagPlan(0, .holdingRegister, 0, .bool, bits: 15...15)
        #expect(image(bit, 1) == RegisterImage(registers: [0x8000], mask: 0x8000))
        let field = tagPlan(0, .holdingRegister, 0, .u16, bits: 4...6)
        #expect(image(field, 5) == RegisterImage(registers: [0x50], mask: 0x70))
        #expect(image(field, 9) == RegisterImage(registers: [0x70], mask: 0x70), "clamped, not cut")
    }

    @Test("Scale, offset, table, exponent and wrap are undone")
    func inverse() {
        let scaled = tagPlan(
            0, .holdingRegister, 0, .i16, normalisation: NormalisationPlan(scale: 0.1, offset: -40))
        #expect(image(scaled, -35.5)?.registers == [45])
        #expect(image(tagPlan(0, .holdingRegister, 0, .i16), 12.3, exponent: -2)?.registers == [1230])
        #expect(image(tagPlan(0, .holdingRegister, 0, .u16), 12_300, exponent: 2)?.registers == [123])
        let curve = PiecewiseLine([.init(0, 0), .init(100, 50), .init(200, 450)])
        let curved = tagPlan(0, .holdingRegister, 0, .u16, normalisation: NormalisationPlan(curve: curve))
        #expect([25, 50, 250, 900, -1].map { image(curved, $0)?.registers } == [[50], [100], [150], [200], [0]])
        #expect(image(curved, 250, exponent: -1)?.registers == [1500])
        let counter = tagPlan(
            0, .holdingRegister, 0, .u32, normalisation: NormalisationPlan(counter: CounterPlan(wrapsAt: 10_000)))
        #expect(image(counter, 12_345)?.registers == [0, 2345])
    }

    @Test("A text that is no time makes the device's clock show the present")
    func clocks() {
        let now = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
        let plan = tagPlan(0, .holdingRegister, 0, .unixSeconds, words: 2)
        let seconds = UInt32(1_795_000_000)
        for value in [Value.text("now"), .real(3), .text("2026-13-01T00:00:00")] {
            #expect(plan.image(of: value, now: now)?.registers == [UInt16(seconds >> 16), UInt16(seconds & 0xFFFF)])
        }
    }

    @Test("An exponent fits the largest of the values that share it, and is told where a tag shows it")
    func exponents() {
        func tag(_ index: Int, _ value: Double, _ type: RegisterType, _ exponent: ScaleExponent?) -> SimulatedTag {
            var plan = tagPlan(index, .holdingRegister, index, type)
            plan.exponent = exponent
            return SimulatedTag(plan: plan, signal: .constant(value))
        }
        let shared = ScaleExponent(address: 9)
        func told(_ tags: [SimulatedTag]) -> Int? {
            SimulatedExponents(tags: tags).registers[RegisterPlace(.holdingRegister, 9)]
        }
        #expect(told([tag(0, 100, .i16, shared)]) == -1)
        #expect(told([tag(0, 100, .i16, shared), tag(1, 5000, .i16, shared)]) == 0)
        #expect(told([tag(0, 100, .i16, shared), tag(1, 400_000, .u16, shared)]) == 1)
        #expect(told([tag(0, 100, .i16, ScaleExponent(address: 9, isNegated: true))]) == 1)
        var own = tag(9, -3, .i16, nil)
        #expect(told([tag(0, 1, .i16, shared), own]) == -3)
        own.signal = .sine(mean: 0, amplitude: 3, period: .seconds(1))
        #expect(told([tag(0, 1, .i16, shared), own]) == -1, "an exponent does not swing")
        let negated = SimulatedExponents(tags: [tag(0, 100, .i16, ScaleExponent(address: 9, isNegated: true))])
        #expect(negated.exponent(of: tag(0, 100, .i16, ScaleExponent(address: 9, isNegated: true)).plan) == -1)
    }

    /// Requests of every function, framed for both media.
    private static let operations: [ModbusOperation] = [
        .read(.coil, address: 1, count: 9), .read(.inputRegister, address: 1, count: 125),
        .writeCoil(address: 7, true), .writeRegister(address: 7, 0xFFFF),
        .writeCoils(address: 7, Array(repeating: true, count: 30)), .writeRegisters(address: 7, [1, 2, 3]),
        .maskRegister(address: 1, and: 2, or: 3), .identify(category: 1, object: 0),
    ]

    @Test("Requests are found whole, however they arrive", arguments: [ModbusFraming.tcp, .rtu])
    func requests(framing: ModbusFraming) {
        var stream: [UInt8] = []
        for (index, operation) in Self.operations.enumerated() {
            var frame: [UInt8] = []
            switch framing {
            case .tcp: TCPFrame.encode(operation, unit: UInt8(index), transaction: 7, into: &frame)
            case .rtu: RTUFrame.encode(operation, unit: UInt8(index), into: &frame)
            }
            for count in 0..<frame.count {
                #expect(IncomingRequest.first(in: Array(frame[..<count]), framing: framing) == .incomplete)
            }
            stream += frame
        }
        var units: [UInt8] = []
        while case .frame(let request, let skipped) = IncomingRequest.first(in: stream, framing: framing) {
            var pdu: [UInt8] = []
            Self.operations[units.count].encode(into: &pdu)
            #expect(Array(request.bytes[request.pdu]) == pdu && skipped == 0)
            units.append(request.unit)
            stream.removeFirst(request.bytes.count)
        }
        #expect(units == Array(0..<UInt8(Self.operations.count)) && stream.isEmpty)
    }

    @Test("On a line, noise before a request is passed over and silence ends what is none")
    func noise() {
        var frame: [UInt8] = []
        RTUFrame.encode(.read(.holdingRegister, address: 0, count: 1), unit: 1, into: &frame)
        let noisy = [0xFF, 0x00, 0xFF] + frame
        guard case .frame(let request, let skipped) = IncomingRequest.first(in: noisy, framing: .rtu, isAtRest: true)
        else {
            Issue.record("not found")
            return
        }
        #expect(request.bytes == frame && skipped == 3)
        #expect(IncomingRequest.first(in: Array(frame.dropLast()), framing: .rtu, isAtRest: true) == .nonsense)
        #expect(IncomingRequest.first(in: [1, 2, 3, 4, 5, 6, 7], framing: .tcp) == .nonsense)
        // A function that nobody knows has no length but silence.
        let crc = RTUFrame.checksum([9, 0x41, 1].span)
        let unknown: [UInt8] = [9, 0x41, 1, UInt8(crc & 0xFF), UInt8(crc >> 8)]
        #expect(IncomingRequest.first(in: unknown, framing: .rtu) == .incomplete)
        guard case .frame = IncomingRequest.first(in: unknown, framing: .rtu, isAtRest: true) else {
            Issue.record("an unknown function should be answered with exception 1")
            return
        }
    }
}
