// The MQTT door: listens to the command topic of one broker and answers on the topic beside it.

internal import GatewayModel
package import GatewayPlatform
package import Logging
package import MQTTLink
package import ModbusDriver
internal import Synchronization

/// One connection of its own, on the thread `commands`, which belongs to nobody else: a broker that floods this topic
/// holds up neither readings nor what goes upstream.
package final class CommandListener: Sendable {
    package struct Plan: Equatable, Sendable {
        package var broker: BrokerPlan
        package var commands: CommandPlan
        /// The site's name, which every command must bear.
        package var gateway: String
        package init(broker: BrokerPlan, commands: CommandPlan, gateway: String) {
            self.broker = broker
            self.commands = commands
            self.gateway = gateway
        }
        /// Where answers go.
        package var replyTopic: String { commands.topic + "/reply" }
    }

    package let plan: Plan
    private let service: WriteService
    private let clock: any GatewayClock
    private let logger: Logger
    private let bell = WakeUp()
    private let isStopping = Atomic(false)
    private let progress: Atomic<Int64>
    private let trouble = Mutex<String?>("not connected yet")
    private let replies = Mutex<[[UInt8]]>([])
    private let thread = Mutex<DedicatedThread?>(nil)
    /// Answers that wait for the broker; past it they are dropped: the audit trail has them.
    private static let repliesLimit = 256
    /// A subscription that was refused is asked for again after this.
    private static let refusalPause = Duration.seconds(60)

    package init(plan: Plan, service: WriteService, clock: any GatewayClock = SystemClock(), logger: Logger) {
        self.plan = plan
        self.service = service
        self.clock = clock
        self.logger = logger
        progress = Atomic(clock.monotonic().nanoseconds)
    }

    package var lastProgress: MonotonicTime { MonotonicTime(nanoseconds: progress.load(ordering: .relaxed)) }
    /// Nil while commands can arrive.
    package var currentTrouble: String? { trouble.withLock { $0 } }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: the command listener was started twice")
            thread = DedicatedThread(name: "commands") { self.run() }
        }
    }

    package func stop() {
        isStopping.store(true, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        let check = CommandCheck(gateway: plan.gateway, plan: plan.commands)
        var link = BrokerLink(plan: plan.broker, clock: clock)
        var events = LinkEvents()
        var throttle = LogThrottle()
        var askAgain: MonotonicTime?
        while !isStopping.load(ordering: .acquiring) {
            progress.store(clock.monotonic().nanoseconds, ordering: .relaxed)
            _ = link.turn(bell: bell, timeout: .seconds(1))
            link.takeEvents(into: &events)
            for event in events.list {
                switch event {
                case .connected:
                    askAgain = nil
                    if link.subscribe(topic: plan.commands.topic, qos: 1) == nil { note("not subscribed") }
                case .subscribed(_, let isGranted):
                    if isGranted {
                        note(nil)
                        logger.info("commands can arrive", metadata: ["topic": "\(plan.commands.topic)"])
                    } else {
                        note("the broker refuses the subscription to '\(plan.commands.topic)'")
                        askAgain = clock.monotonic().advanced(by: Self.refusalPause)
                    }
                case .disconnected(let failure):
                    note(failure.description)
                    if throttle.record(at: clock.monotonic()) != nil {
                        logger.warning("no commands can arrive: \(failure)")
                    }
                case .message(let message): receive(message, events, check)
                case .tooLarge:
                    refuse(.malformed("a command of more than 256 KiB"), "")
                case .acknowledged, .refused: break
                }
            }
            if let moment = askAgain, clock.monotonic() >= moment {
                askAgain = nil
                _ = link.subscribe(topic: plan.commands.topic, qos: 1)
            }
            publishReplies(&link)
        }
        // What was asked for before the stop is still answered, as far as it is known.
        publishReplies(&link)
        link.close()
        note("stopped")
    }

    private func note(_ reason: String?) { trouble.withLock { $0 = reason } }

    private func receive(_ message: IncomingMessage, _ events: LinkEvents, _ check: CommandCheck) {
        guard events.bytes[message.topic].elementsEqual(plan.commands.topic.utf8) else { return }
        switch check.judge(Array(events.bytes[message.payload]), isRetained: message.isRetained) {
        case .anonymous(let refusal, let claimed): refuse(refusal, claimed)
        case .request(let request):
            service.request(request) { [weak self] answer in self?.reply(answer.json(sender: request.who)) }
        }
    }

    private func refuse(_ refusal: WriteRefusal, _ claimed: String) {
        // Only senders that exist are told apart: names that somebody invents must not fill the memory.
        let isKnown = refusal == .forged || refusal == .wrongGateway
        let source = Lockout.Source(door: .mqtt, name: isKnown ? claimed : "")
        service.refuse(refusal, of: source, from: String(claimed.prefix(64)))
    }

    private func reply(_ answer: [UInt8]) {
        replies.withLock { if $0.count < Self.repliesLimit { $0.append(answer) } }
        bell.ring()
    }

    private func publishReplies(_ link: inout BrokerLink) {
        guard link.isConnected else { return }
        let waiting = replies.withLock { replies in
            defer { replies = [] }
            return replies
        }
        // Once at most: an answer that is lost is in the audit trail, and one that came twice would only confuse.
        for answer in waiting { _ = link.publish(topic: plan.replyTopic, payload: answer) }
    }
}
