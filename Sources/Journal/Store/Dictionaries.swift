// The tables that chunks were found to need, so that one table is one instance.

internal import GatewayModel
internal import Synchronization

/// The table in force and a few others, by generation.
final class Dictionaries: Sendable {
    private struct Known {
        var current: JournalDictionary
        /// The newest last.
        var others: [JournalDictionary] = []

        func find(_ generation: UInt64) -> JournalDictionary? {
            current.generation == generation ? current : others.last { $0.generation == generation }
        }
    }

    /// A sink that is far behind may need the tables of this many reloads at once.
    private static let capacity = 8
    private let known: Mutex<Known>

    init(_ current: JournalDictionary) { known = Mutex(Known(current: current)) }

    subscript(generation: UInt64) -> JournalDictionary? { known.withLock { $0.find(generation) } }

    /// Puts a table in force.
    /// - Returns: the instance of it that is known already, or this one.
    func adopt(_ dictionary: JournalDictionary) -> JournalDictionary {
        let instance = instance(of: dictionary)
        known.withLock { known in
            guard known.current !== instance else { return }
            known.others.removeAll { $0 === instance }
            known.others.append(known.current)
            known.current = instance
        }
        return instance
    }

    private func instance(of dictionary: JournalDictionary) -> JournalDictionary {
        known.withLock { known in
            if let present = known.find(dictionary.generation) { return present }
            if known.others.count >= Self.capacity { known.others.removeFirst() }
            known.others.append(dictionary)
            return dictionary
        }
    }

    /// Learns from a frame that any reader passes. Nil when it is no dictionary.
    @discardableResult
    func learn(_ frame: ScannedFrame) -> JournalDictionary? {
        guard frame.header.type == FrameType.dictionary,
            let dictionary = JournalDictionary(payload: Array(frame.bytes[frame.payload]))
        else { return nil }
        return instance(of: dictionary)
    }
}
