// What every part of the gateway says about itself, for the page, the API and the metrics.

package import GatewayModel

/// The state and the counters of all parts at one moment. Made by the wiring whenever somebody looks in; counters
/// count from the start of the process.
package struct GatewaySnapshot: Equatable, Sendable {
    package var devices: [DeviceState] = []
    package var channels: [ChannelState] = []
    package var sources: [SourceState] = []
    package var sinks: [SinkState] = []
    package var journal = JournalState()
    package var pipeline = PipelineState()
    package var process = ProcessState()
    package var configuration = ConfigurationState()
    package var health = HealthState()
    package var writes = WritesState()
    package var rules = 0
    package var activeAlarms: [AlarmPriority: Int] = [:]
    package init() {}
}

/// One device, as its driver sees it.
package struct DeviceState: Equatable, Sendable {
    package var path: String
    /// The channel or MQTT source through which it is reached.
    package var channel: String
    /// How it is reached, for people.
    package var link: String
    /// Nil when all is well; otherwise the reason in a few words: `no answer`, `connection refused`, `exception 2`.
    package var trouble: String?
    /// Who the device says it is, by the names of its profile's `identify:`.
    package var identity: [String: String] = [:]
    /// When it last gave a usable reading.
    package var lastGood: Timestamp?
    /// Requests that were answered well.
    package var answered = 0
    package var timeouts = 0
    package var exceptions = 0
    package var malformed = 0
    package var connectionFailures = 0
    /// Of all four kinds above; nil when it isn't counted.
    package var errorsLastHour: Int?
    package var lastRoundTripSeconds: Double?

    package init(path: String, channel: String, link: String) {
        self.path = path
        self.channel = channel
        self.link = link
    }

    package var errors: Int { timeouts + exceptions + malformed + connectionFailures }
}

/// One shared medium with its scheduler.
package struct ChannelState: Equatable, Sendable {
    package var name: String
    package var isConnected = false
    package var scans = 0
    package var overruns = 0
    package var requests = 0
    package var roundTripSeconds = 0.0
    /// Time in which an exchange took the medium.
    package var busySeconds = 0.0
    /// Answers to requests that had been given up, and second copies: stepped over.
    package var lateAnswers = 0
    /// Bytes of others on the line, and noise: stepped over.
    package var foreignBytes = 0
    /// Values that devices refuse and that are left out.
    package var refused = 0
    /// Requests of one cycle of every scan class.
    package var requestsPerCycle = 0
    package init(name: String) { self.name = name }
}

/// One MQTT connection from which readings come.
package struct SourceState: Equatable, Sendable {
    package var name: String
    package var isConnected = false
    package var messages = 0
    /// Messages that gave no reading, by cause: `too long`, `not JSON`, …
    package var errors: [String: Int] = [:]
    package init(name: String) { self.name = name }
}

/// One destination upstream.
package struct SinkState: Equatable, Sendable {
    package var name: String
    package var url: String
    package var isConnected = false
    /// Messages sent, resent ones included, and messages acknowledged.
    package var sent = 0
    package var acknowledged = 0
    package var inFlight = 0
    /// Records in the journal that the sink hasn't acknowledged yet.
    package var backlog = 0
    package var oldestUnacknowledged: Timestamp?
    /// Readings a second that the receiver confirms.
    package var rate = 0.0
    /// When the backlog will be gone at the present rates; nil: never.
    package var secondsToDrain: Double? = 0
    /// Of the backlog, what drains beside current data.
    package var older = 0
    /// Records that the receiver refused for good.
    package var setAside = 0
    /// Records that the journal gave up before the sink had them.
    package var missed = 0
    package var lastError: String?

    package init(name: String, url: String) {
        self.name = name
        self.url = url
    }
}

package struct JournalState: Equatable, Sendable {
    package var records = 0
    package var bytes = 0
    package var segments = 0
    package var commits = 0
    package var lastSyncSeconds = 0.0
    package var longestSyncSeconds = 0.0
    package var syncSeconds = 0.0
    package var next = SequenceNumber(0)
    package var durable = SequenceNumber(0)
    /// True while the disk refuses and readings are kept in memory only.
    package var isMemoryOnly = false
    package var dropped = 0
    package var badSlots = 0
    /// True while reading waits for a sink, because nothing that it needs may be given up.
    package var isWaiting = false
    /// False while the machine's clock can't be believed; and how often it was set since the start.
    package var isClockSet = true
    package var clockSteps = 0
    /// Old segments looked through, and records in them that were found to be damaged.
    package var scrubbedSegments = 0
    package var damagedRecords = 0
    /// Readings of old history that are held as columns, in how many segments, since when; and how many are damaged.
    package var columnReadings = 0
    package var columnSegments = 0
    package var columnsBegin: Timestamp?
    package var damagedColumnReadings = 0
    package init() {}
}

package struct PipelineState: Equatable, Sendable {
    package var batches = 0
    package var readings: [Quality.Severity: Int] = [:]
    /// How often a driver had to wait because the pipeline was full.
    package var timesFull = 0
    package init() {}
}

package struct ProcessState: Equatable, Sendable {
    package var cpuSeconds = 0.0
    package var residentBytes = 0
    package var descriptors = 0
    package init() {}
}

/// What was written to machines, and what was not.
/// The last line of the audit trail.
package struct AuditHead: Equatable, Sendable {
    package var sequence: UInt64
    package var hash: String
    package init(sequence: UInt64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }
}

package struct WritesState: Equatable, Sendable {
    /// True when the site allows writes at all.
    package var isOn = false
    package var accepted = 0
    package var done = 0
    package var failed = 0
    /// By cause, one of a fixed few.
    package var refused: [String: Int] = [:]
    package var auditLines = 0
    package var isAuditWritable = true
    /// Number and hash of the trail's last line; nil while there is none.
    package var auditPin: AuditHead?
    /// Nil without a command topic.
    package var canReceiveCommands: Bool?
    package init() {}
}

package struct ConfigurationState: Equatable, Sendable {
    package var isLastReloadSuccessful = true
    package var lastReload: Timestamp?
    package init() {}
}

package struct HealthState: Equatable, Sendable {
    /// False only when the pipeline or the journal is stuck, so that a restart would help.
    package var isAlive = true
    /// What isn't as it should be, one sentence each. Empty when all is well.
    package var reasons: [String] = []
    package init() {}
}
