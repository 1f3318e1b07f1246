// A receiver in memory that goes away when told, and keeps a ledger of what arrived.

package import GatewayModel
package import GatewayPlatform
package import Journal
internal import Synchronization
package import Upstream

/// The far end of the simulated door upstream: what a broker or a database would be. Outlives connections.
package final class SimulatedFarEnd: Sendable {
    /// What arrived, by number.
    package struct Ledger: Sendable {
        /// A bit for each number that arrived once at least.
        private var seen: [UInt64] = []
        package private(set) var readings = 0
        /// Readings that arrived again.
        package private(set) var repeated = 0
        /// Readings of one lane that came after a higher number of the same connection.
        package private(set) var outOfOrder = 0
        package private(set) var alarms: [AlarmTransition] = []
        package private(set) var gaps: [JournalGap] = []
        /// The longest time from a reading's timestamp to its arrival, of those not marked as historical, since reset.
        package private(set) var longestDelay = Duration.zero
        package private(set) var liveReadings = 0
        package private(set) var historicalReadings = 0
        private var last: [Bool: UInt64] = [:]

        mutating func connected() { last = [:] }

        mutating func note(_ number: UInt64, isHistorical: Bool, delay: Duration) {
            let word = Int(number / 64)
            if word >= seen.count { seen.append(contentsOf: repeatElement(0, count: word + 1 - seen.count + 1024)) }
            let bit = UInt64(1) << (number % 64)
            if seen[word] & bit != 0 { repeated += 1 }
            seen[word] |= bit
            readings += 1
            if let before = last[isHistorical], before >= number { outOfOrder += 1 }
            last[isHistorical] = number
            if isHistorical { historicalReadings += 1 } else { liveReadings += 1 }
            if !isHistorical { longestDelay = max(longestDelay, delay) }
        }

        mutating func note(_ alarm: AlarmTransition) { alarms.append(alarm) }
        mutating func note(_ gap: JournalGap) { gaps.append(gap) }

        package func holds(_ number: UInt64) -> Bool {
            let word = Int(number / 64)
            return word < seen.count && seen[word] & 1 << (number % 64) != 0
        }

        /// How many of `numbers` never arrived.
        package func missing(_ numbers: Range<UInt64>) -> Int { numbers.count { !holds($0) } }

        /// Begins to measure delays and lanes anew.
        package mutating func restartMeasuring() {
            (longestDelay, liveReadings, historicalReadings) = (.zero, 0, 0)
        }
    }

    struct State: Sendable {
        var isUp = true
        var refused: Set<UInt64> = []
        var ledger = Ledger()
        var generator: SeededGenerator
    }
    let state: Mutex<State>

    package init(seed: UInt64 = 1) { state = Mutex(State(generator: SeededGenerator(seed: seed))) }

    /// Away, or there again.
    package var isUp: Bool {
        get { state.withLock { $0.isUp } }
        set { state.withLock { $0.isUp = newValue } }
    }
    package var ledger: Ledger { state.withLock { $0.ledger } }
    package func restartMeasuring() { state.withLock { $0.ledger.restartMeasuring() } }
    /// Messages that begin with one of these numbers are refused for good.
    package func refuse(_ numbers: Set<UInt64>) { state.withLock { $0.refused = numbers } }
}

/// One sink's connection to the far end. Waits for nothing: whoever drives the sink moves the clock.
///
/// What is sent arrives with the next turn. When the far end goes away, some of it has arrived and was confirmed, some has
/// arrived and nobody said so, and the rest is lost.
package struct SimulatedReceiver: Receiver, ~Copyable {
    private enum Item {
        case reading(UInt64, Timestamp)
        case alarm(AlarmTransition)
        case gap(JournalGap)
    }
    private struct Message {
        var event: ReceiverEvent
        var items: [Item]
        var isHistorical: Bool
    }

    private let farEnd: SimulatedFarEnd
    private let clock: any GatewayClock
    private let window: Int
    private let readingsPerMessage: Int
    private var isConnected = false
    private var nextID: DeliveryID = 1
    private var onTheWay: [Message] = []
    private var events: [ReceiverEvent] = []

    package init(
        _ farEnd: SimulatedFarEnd, clock: any GatewayClock, window: Int = 20, readingsPerMessage: Int = 100
    ) {
        self.farEnd = farEnd
        self.clock = clock
        self.window = window
        self.readingsPerMessage = readingsPerMessage
    }

    package var canSend: Bool { isConnected && onTheWay.count < window }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let isUp = farEnd.isUp
        if isUp && !isConnected {
            farEnd.state.withLock { $0.ledger.connected() }
            events.append(.ready)
        } else if isConnected {
            let (arrived, heard) = farEnd.state.withLock { state in
                guard !isUp else { return (onTheWay.count, onTheWay.count) }
                let arrived = Int.random(in: 0...onTheWay.count, using: &state.generator)
                return (arrived, Int.random(in: 0...arrived, using: &state.generator))
            }
            for message in onTheWay.prefix(arrived) { arrive(message) }
            events += onTheWay.prefix(heard).map(\.event)
            if !isUp { events.append(.lost("the far end is away")) }
            onTheWay.removeAll(keepingCapacity: true)
        }
        isConnected = isUp
        return true
    }

    package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }

    package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        let id = nextID
        nextID += 1
        let first = chunk.records[place.record].number(ofReading: place.reading).value
        if farEnd.state.withLock({ $0.refused.contains(first) }) {
            place.nextRecord()
            onTheWay.append(Message(event: .refused(id, "refused", records: 1), items: [], isHistorical: false))
            return .sent(id, readings: 0, bytes: 0)
        }
        var items: [Item] = []
        var count = 0
        while place.record < chunk.records.count, count < readingsPerMessage {
            let record = chunk.records[place.record]
            switch record.content {
            case .alarm(let transition): items.append(.alarm(transition))
            case .gap(let gap): items.append(.gap(gap))
            case .readings(let batch, _):
                while place.reading < batch.readings.count, count < readingsPerMessage {
                    let number = record.number(ofReading: place.reading).value
                    items.append(.reading(number, batch.readings[place.reading].timestamp))
                    place.reading += 1
                    count += 1
                }
                if place.reading < batch.readings.count { continue }
            }
            place.nextRecord()
        }
        onTheWay.append(Message(event: .delivered(id), items: items, isHistorical: chunk.isHistorical))
        return .sent(id, readings: count, bytes: count)
    }

    package mutating func discard() {}
    package mutating func close(bell: WakeUp, within limit: Duration) { isConnected = false }

    private func arrive(_ message: Message) {
        let now = clock.wall()
        farEnd.state.withLock { state in
            for item in message.items {
                switch item {
                case .alarm(let transition): state.ledger.note(transition)
                case .gap(let gap): state.ledger.note(gap)
                case .reading(let number, let time):
                    state.ledger.note(
                        number, isHistorical: message.isHistorical, delay: now.duration(since: time))
                }
            }
        }
    }
}
