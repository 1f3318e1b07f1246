// Judges every value that a channel delivers against the server that it was read from.

internal import GatewayModel
internal import Synchronization
internal import TestSupport

/// Called on the channel's thread, before the channel asks for anything again: so the last request of a group is the
/// one that a delivered value must come from.
final class Judge: Sendable {
    struct Counts: Sendable {
        var wrong = 0
        var stale = 0
        var neighbourGood = 0
        var neighbourBad = 0
    }
    private struct State {
        var counts = Counts()
        /// Numbers of the hostile unit's requests whose values came out right, in order.
        var good: [Int] = []
    }
    private let server: HostileModbusServer
    private let state = Mutex(State())

    init(_ server: HostileModbusServer) { self.server = server }

    var counts: Counts { state.withLock(\.counts) }
    var newestGood: Int { state.withLock { $0.good.last ?? -1 } }
    func wasTaken(_ request: Int) -> Bool { state.withLock { $0.good.contains(request) } }
    func firstGood(after request: Int) -> Int? { state.withLock { $0.good.first { $0 > request } } }

    func take(_ batches: inout [ReadingBatch]) -> Bool {
        for batch in batches {
            for reading in batch.readings { take(reading, of: Int(batch.device.index)) }
        }
        batches.removeAll(keepingCapacity: true)
        return true
    }

    private func take(_ reading: Reading, of position: Int) {
        let unit = position == 0 ? Campaign.unit : Campaign.neighbour
        let place = Int(reading.tag.index) - 100 * position
        guard reading.kind != .none else {
            // A value that could not be read, which is no lie; one out of range would be: poison spells such numbers.
            state.withLock { state in
                if reading.quality == .badNumericOverflow { state.counts.wrong += 1 }
                if position == 1 { state.counts.neighbourBad += 1 }
            }
            return
        }
        let latest = place < 16 ? server.latest(unit: unit, group: place) : server.latest(unit: unit, bit: place - 16)
        guard let latest else { return state.withLock { $0.counts.wrong += 1 } }
        let judgement: HostileTruth.Judgement
        if place < 16 {
            judgement = server.truth.judge(reading.bits, unit: unit, group: place, latest: latest)
        } else {
            let expected = server.truth.bit(unit: unit, address: place - 16, request: latest)
            judgement = (reading.bits == 1) == expected ? .right : .wrong
        }
        state.withLock { state in
            switch judgement {
            case .wrong: state.counts.wrong += 1
            case .stale: state.counts.stale += 1
            case .right:
                if position == 1 {
                    state.counts.neighbourGood += 1
                } else if state.good.last != latest {
                    state.good.append(latest)
                }
            }
        }
    }
}
