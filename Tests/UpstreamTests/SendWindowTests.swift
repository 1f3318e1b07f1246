// How far a cursor may go: never over a record that the broker hasn't got.

import GatewayModel
import TestSupport
import Testing
import Upstream

@Suite("A sink's window")
struct SendWindowTests {
    private func sequence(_ value: UInt64) -> SequenceNumber { SequenceNumber(value) }

    @Test("moves the cursor over acknowledged messages without a gap before them")
    func contiguous() {
        var window = SendWindow(size: 3, cursor: sequence(10))
        for (id, next) in [(1, 20), (2, 25), (3, 26)] as [(DeliveryID, UInt64)] {
            window.sent(id, next: sequence(next), readings: Int(id))
        }
        #expect(!window.hasRoom)
        #expect(window.position == sequence(26))
        let steps = ([3, 2, 1] as [DeliveryID]).map { id in (window.acknowledged(id), window.cursor) }
        #expect(steps.map(\.0) == [3, 2, 1])
        #expect(steps.map(\.1) == [sequence(10), sequence(10), sequence(26)])
        #expect(window.hasRoom && window.inFlight == 0)
    }

    @Test("ignores acknowledgements that are late, doubled or invented", arguments: [1, 7, 0, -1] as [DeliveryID])
    func strangeAcknowledgement(id: DeliveryID) {
        var window = SendWindow(size: 3, cursor: sequence(1))
        window.sent(1, next: sequence(2), readings: 1)
        _ = window.acknowledged(1)
        window.sent(2, next: sequence(3), readings: 1)
        let readings = window.acknowledged(id)
        #expect(readings == nil)
        #expect(window.cursor == sequence(2))
    }

    @Test("goes back to the cursor when the link is lost, and forgets the message ids")
    func linkLost() {
        var window = SendWindow(size: 4, cursor: sequence(1))
        for id in 1...4 as ClosedRange<DeliveryID> { window.sent(id, next: sequence(UInt64(id) + 1), readings: 1) }
        _ = window.acknowledged(1)
        _ = window.acknowledged(3)
        window.linkLost()
        #expect(window.cursor == sequence(2))
        #expect(
            window.position == sequence(2), "what was acknowledged out of order is sent again: order before economy")
        #expect(window.inFlight == 0)
        let stale = window.acknowledged(2)
        #expect(stale == nil)
        #expect(window.cursor == sequence(2))
    }

    @Test("is not blocked by what is set aside")
    func setAside() {
        var window = SendWindow(size: 3, cursor: sequence(1))
        window.setAside(next: sequence(5))
        #expect(window.cursor == sequence(5), "nothing before it is open")
        window.sent(1, next: sequence(6), readings: 1)
        window.setAside(next: sequence(9))
        window.sent(2, next: sequence(10), readings: 1)
        #expect(window.cursor == sequence(5))
        _ = window.acknowledged(1)
        #expect(window.cursor == sequence(9))
        window.setAside(2)
        #expect(window.cursor == sequence(10))
    }

    @Test("keeps its promises whatever happens in whatever order", arguments: 0..<50)
    func random(seed: UInt64) {
        var random = Seeded(seed: seed)
        var window = SendWindow(size: 8, cursor: sequence(1))
        var open: [(id: DeliveryID, first: UInt64)] = []
        var id: DeliveryID = 0
        for _ in 0..<400 {
            let before = window.cursor
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5 where window.hasRoom:
                id += 1
                open.append((id, window.position.value))
                window.sent(id, next: window.position.advanced(by: Int.random(in: 0...5, using: &random)), readings: 1)
            case 5..<8:
                if let place = open.indices.randomElement(using: &random) {
                    _ = window.acknowledged(open.remove(at: place).id)
                }
            case 8 where window.hasRoom:
                window.setAside(next: window.position.advanced(by: 1))
            case 9 where Int.random(in: 0..<5, using: &random) == 0:
                window.linkLost()
                open.removeAll()
                #expect(window.position == window.cursor)
            default: break
            }
            #expect(window.cursor >= before, "a cursor never goes back")
            #expect(window.cursor <= window.position)
            #expect(window.inFlight == open.count)
            if let first = open.first?.first {
                #expect(window.cursor.value == first, "everything before the oldest open message is settled")
            } else {
                #expect(window.cursor == window.position)
            }
        }
    }
}
