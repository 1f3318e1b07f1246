// What becomes of what libmosquitto's callbacks say.

import GatewayModel
import Testing

@testable import MQTTLink

@Suite("A link hears")
struct CallbackInboxTests {
    private func receive(_ payload: [UInt8], into inbox: CallbackInbox) {
        unsafe payload.withUnsafeBytes { raw in
            unsafe "plant/x".withCString { unsafe inbox.received(topic: $0, payload: raw, qos: 1, isRetained: false) }
        }
    }

    @Test(
        "an acknowledgement only when its reason is below 0x80",
        arguments: [(0, true), (0x10, true), (0x7F, true), (0x80, false), (0x97, false), (0xFF, false)]
            as [(Int32, Bool)])
    func refusal(reason: Int32, isTaken: Bool) {
        let inbox = CallbackInbox()
        inbox.published(7, reason: reason)
        #expect(inbox.events.list == [isTaken ? .acknowledged(7) : .refused(7, reason: UInt8(reason))])
    }

    @Test("a message above the limit by its topic and size alone", arguments: [0, 1])
    func tooLarge(over: Int) {
        let inbox = CallbackInbox()
        let count = Limits.incomingPayloadBytes + over
        receive(Array(repeating: 1, count: count), into: inbox)
        if over == 0 {
            let message = IncomingMessage(topic: 0..<7, payload: 7..<7 + count, qos: 1, isRetained: false)
            #expect(inbox.events.list == [.message(message)])
        } else {
            #expect(inbox.events.list == [.tooLarge(topic: 0..<7, payloadBytes: count)])
            #expect(inbox.events.bytes.count == 7)
        }
    }

    @Test("no more in one turn than it can hold")
    func flood() {
        let inbox = CallbackInbox()
        for _ in 0..<4096 { receive([1], into: inbox) }
        #expect(!inbox.isFlooded)
        receive([1], into: inbox)
        #expect(inbox.isFlooded && inbox.events.list.count == 4096)
    }

    @Test("nothing of a client that is being taken down")
    func closed() {
        let inbox = CallbackInbox()
        inbox.isClosed = true
        inbox.published(1, reason: 0)
        inbox.connectionAnswered(0)
        #expect(inbox.events.list.isEmpty)
    }

    @Test("events of two turns in one list, each with its own bytes")
    func appended() {
        let (first, second) = (CallbackInbox(), CallbackInbox())
        receive([1, 2], into: first)
        receive([3], into: second)
        var events = first.events
        events.append(second.events)
        guard case .message(let message) = events.list.last else { return #expect(Bool(false), "no message") }
        #expect(Array(events.bytes[message.payload]) == [3])
        #expect(String(decoding: events.bytes[message.topic], as: UTF8.self) == "plant/x")
    }
}
