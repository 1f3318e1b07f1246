// Batches that have been through the pipeline, ready to be filled again: no allocation per scan in steady state.

package import GatewayModel
internal import Synchronization

/// Empty batches with their storage. Drivers take them, the pipeline gives them back.
package final class BatchPool: Sendable {
    private let batches = Mutex<[ReadingBatch]>([])
    private let capacity: Int
    /// A batch that once was huge must not stay so for ever.
    private let readingsKept: Int

    /// - Parameters:
    ///   - capacity: batches kept; more are freed.
    ///   - readingsKept: a batch with more storage than this is freed.
    package init(capacity: Int = 64, readingsKept: Int = 4096) {
        self.capacity = capacity
        self.readingsKept = readingsKept
        batches.withLock { $0.reserveCapacity(capacity) }
    }

    package func take(device: DeviceID) -> ReadingBatch {
        guard var batch = batches.withLock({ $0.popLast() }) else { return ReadingBatch(device: device) }
        batch.device = device
        return batch
    }

    package func give(_ batch: consuming ReadingBatch) {
        guard batch.readings.capacity <= readingsKept else { return }
        batch.readings.removeAll(keepingCapacity: true)
        batch.text.removeAll(keepingCapacity: true)
        let emptied = batch
        batches.withLock { if $0.count < capacity { $0.append(emptied) } }
    }
}
