// Every bound of the gateway in one place, each with its reason and what happens when it is reached.

package enum Limits {
    /// Registers in one read request. Modbus Application Protocol V1.1b3, 6.3. A longer plan is split.
    package static let registersPerRequest = 125
    /// Bits in one read request. V1.1b3, 6.1. A longer plan is split.
    package static let bitsPerRequest = 2000
    /// Writes and reads by hand that wait at one channel. Further ones are refused: a line takes a few a second.
    package static let jobsPerChannel = 16
    /// Batches waiting for the pipeline. About a second of 1,000 small devices; past it the drivers wait, their scans
    /// overrun and are counted.
    package static let batchesBeforePipeline = 1024
    /// Bytes of one incoming MQTT payload. Larger ones are counted and dropped: no sensor message is that long, and
    /// brokers differ above 256 KiB.
    package static let incomingPayloadBytes = 256 * 1024
    /// Bytes of one outgoing MQTT payload: some brokers cut at 1 MiB without saying so. Larger batches are split.
    package static let outgoingPayloadBytes = 256 * 1024
    /// Text of one value. Longer text is cut at a character boundary.
    package static let textBytes = 1024
    /// Tags of one configuration. Past it `check` refuses: a box of 512 MB holds no more history worth the name.
    package static let tags = 100_000
    /// Descriptors of the process. libmodbus puts its socket into an fd_set of 1,024 bits and corrupts memory beyond
    /// (fixed only in 3.1.12), so the process never gets one that high: opening fails with a clear error instead.
    package static let descriptors = 1000
    /// Bytes of one request to write, over HTTP and MQTT; it takes about 300. Longer ones are refused.
    package static let writeRequestBytes = 4096
    /// Open HTTP connections; further ones wait in the kernel's queue.
    package static let httpConnections = 128
    /// One log line per source and this long for errors that can repeat with every message.
    package static let logInterval = Duration.seconds(60)
}
