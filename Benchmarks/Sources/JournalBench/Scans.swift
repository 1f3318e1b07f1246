// What a plant sends: 1,000 tags of Modbus devices, in answers of any size.

internal import CJournalFloor
internal import GatewayModel
internal import TestSupport

/// Scans of all tags, one second apart, cut into answers of equal size with a time of their own.
///
/// The mix: 45 % registers with a scale of 0.1 that walk slowly, 10 % noisy converters in hundredths, 20 % pairs of
/// registers with a binary32, 10 % flags, 10 % counters, 5 % set points. One reading in 10,000 is bad. A scale is
/// multiplied with, as the driver does: one value in six is then not the nearest number to its decimal form.
struct Scans {
    enum Order {
        /// Answers come in the order of their tags: one channel.
        case steady
        /// Each answer keeps its own moment of the second: many channels side by side, where neighbours change places.
        case channels
        /// In another order in each scan. No plant is like that.
        case any
    }

    let tags: Int
    let perAnswer: Int
    private(set) var batches: [ReadingBatch] = []
    /// All of them one behind the other, for the floor.
    private(set) var readings: [Reading] = []

    init(scans: Int, tags: Int = 1000, perAnswer: Int, order: Order = .steady, seed: UInt64 = 1) {
        self.tags = tags
        self.perAnswer = perAnswer
        var random = Seeded(seed: seed)
        var walks = (0..<tags).map { _ in Int64(200 + random.next() % 5000) }
        var floats = (0..<tags).map { _ in 20 + Double(random.next() % 200_000) / 1000 }
        func unit(_ draw: UInt64) -> Double { Double(draw >> 11) / 9_007_199_254_740_992 }
        let answers = tags / perAnswer
        var places = Array(0..<answers)
        let phases = (0..<answers).map { place in
            order == .channels ? Int64(random.next() % 900_000_000) : Int64(place) * 900_000_000 / Int64(answers)
        }
        for scan in 0..<scans {
            var bits: [(bits: UInt64, kind: ValueKind)] = []
            for tag in 0..<tags {
                let draw = random.next()
                switch tag % 20 {
                case 0..<9:
                    if draw & 7 < 2 { walks[tag] += draw & 8 == 0 ? 1 : -1 }
                    bits.append(((Double(walks[tag]) * 0.1).bitPattern, .real))
                case 9, 10: bits.append(((Double(walks[tag] + Int64(draw % 17) - 8) * 0.01).bitPattern, .real))
                case 11..<15:
                    floats[tag] += (unit(draw) - 0.5) * 0.02
                    let single = Float(floats[tag] + 0.05 * (unit(random.next()) - 0.5))
                    bits.append((Double(single).bitPattern, .real))
                case 15, 16:
                    if draw & 511 == 0 { walks[tag] ^= 1 }
                    bits.append((UInt64(walks[tag] & 1), .boolean))
                case 17, 18:
                    walks[tag] += Int64(draw & 3)
                    bits.append((UInt64(bitPattern: walks[tag]), .integer))
                default: bits.append(((Double(walks[tag]) / 2).bitPattern, .real))
                }
                if (draw >> 40) % 10_000 == 0 { bits[tag] = (0, .none) }
            }
            // Up to 80 µs beside the grid: what the gateway's clock says of answers.
            let grid = 1_790_000_000_000_000_000 + Int64(scan) * 1_000_000_000
            var times = phases.map { grid + $0 + Int64(random.next() % 160_000) - 80_000 }
            switch order {
            case .steady: break
            case .channels: places.sort { times[$0] < times[$1] }
            case .any:
                times.sort()
                places.shuffle(using: &random)
            }
            for (turn, place) in places.enumerated() {
                let time = order == .any ? times[turn] : times[place]
                var batch = ReadingBatch(device: DeviceID(place))
                for tag in place * perAnswer..<(place + 1) * perAnswer {
                    let isBad = bits[tag].kind == .none
                    batch.readings.append(
                        Reading(
                            tag: TagID(tag), timestamp: Timestamp(nanoseconds: time), kind: bits[tag].kind,
                            bits: bits[tag].bits, quality: isBad ? .badTimeout : .good))
                }
                readings += batch.readings
                batches.append(batch)
            }
        }
    }
}

func threadCPU() -> UInt64 { jf_thread_cpu() }

extension Scans {
    /// What the journal's dictionary tells of the tags.
    var table: TagTable {
        let devices = (0..<tags / perAnswer).map {
            DeviceDescriptor(
                id: DeviceID($0), path: "hall/machine-\($0)", channel: "field-\($0 % 16)",
                link: "Modbus TCP 10.0.0.\($0 % 250):502, unit \($0 % 247)")
        }
        return TagTable(
            site: "acme/lyon", devices: devices,
            tags: (0..<tags).map {
                TagDescriptor(
                    id: TagID($0), device: DeviceID($0 / perAnswer), name: "temperature_\($0 % perAnswer)", kind: .real,
                    unit: "°C", range: -40...200, period: .seconds(1), source: "holding register \($0 % perAnswer * 2)",
                    isLive: true)
            })
    }
}
