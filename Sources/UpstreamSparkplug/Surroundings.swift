// What an edge node must know of its gateway besides the log: what is there now, and what may be written.

package import GatewayModel

/// What a tag says at present.
package struct PresentReading: Equatable, Sendable {
    package var value: Value
    package var quality: Quality
    package var timestamp: Timestamp

    package init(value: Value, quality: Quality, timestamp: Timestamp) {
        self.value = value
        self.quality = quality
        self.timestamp = timestamp
    }
}

/// A host wants a value in a machine.
package struct SparkplugCommand: Equatable, Sendable {
    /// The whole name of the tag.
    package var tag: String
    package var value: Value
}

/// Given by the wiring. Closures are called on the sink's thread and don't block, but for `keepBirth`.
package struct SparkplugSurroundings: Sendable {
    /// The devices and tags of the present configuration.
    package var tags: @Sendable () -> TagTable
    package var present: @Sendable (TagID) -> PresentReading?
    /// Every alarm whose state is known.
    package var alarms: @Sendable () -> [AlarmTransition]
    /// Whether somebody may write the tag of this whole name.
    package var isWritable: @Sendable (String) -> Bool
    /// Hands a command on to whoever judges it; nil: nobody does, and commands are refused.
    package var write: (@Sendable (SparkplugCommand) -> Void)?
    /// The number of the last session of an earlier run; nil when there was none.
    package var lastBirth: @Sendable () -> UInt8?
    /// Keeps the number of a session over a restart, as well as the disk can.
    package var keepBirth: @Sendable (UInt8) -> Void

    package init(
        tags: @escaping @Sendable () -> TagTable,
        present: @escaping @Sendable (TagID) -> PresentReading? = { _ in nil },
        alarms: @escaping @Sendable () -> [AlarmTransition] = { [] },
        isWritable: @escaping @Sendable (String) -> Bool = { _ in false },
        write: (@Sendable (SparkplugCommand) -> Void)? = nil, lastBirth: @escaping @Sendable () -> UInt8? = { nil },
        keepBirth: @escaping @Sendable (UInt8) -> Void = { _ in }
    ) {
        self.tags = tags
        self.present = present
        self.alarms = alarms
        self.isWritable = isWritable
        self.write = write
        self.lastBirth = lastBirth
        self.keepBirth = keepBirth
    }
}
