// One scan class of one unit: its requests, the state of its tags, and the batches that an answer becomes.

internal import Acquisition
internal import GatewayModel

/// What the channel's thread keeps of one scan class of one unit. Not shared.
struct UnitScan: Sendable {
    let device: DeviceID
    let plan: ReadPlan
    private let tags: [TagID]
    private var normalisers: [Normaliser]
    var grid: ScanGrid

    init(unit: ModbusUnitPlan, scan: ModbusScanPlan, startingAt now: Int64) {
        device = unit.device
        plan = ReadPlan(tags: scan.tags, limits: unit.limits)
        tags = scan.tags.map(\.tag)
        normalisers = scan.tags.map { Normaliser($0.normalisation) }
        grid = ScanGrid(period: scan.period, startingAt: now)
    }

    /// The readings of one answer. `answer` has passed `TCPFrame.examine`, so it is as long as the request demands.
    mutating func batch(of request: ReadRequest, answer: [UInt8], at timestamp: Timestamp) -> ReadingBatch {
        var batch = ReadingBatch(device: device)
        batch.readings.reserveCapacity(request.fields.count)
        let data = answer.span.extracting(TCPFrame.dataOffset..<answer.count)
        let isBits = request.table.isBits
        for index in request.fields {
            let field = plan.fields[index]
            if field.type == .string {
                normalisers[field.position].text(field.text(in: data)[...], tag: field.tag, at: timestamp, into: &batch)
            } else if let reading = normalisers[field.position].reading(
                field.number(in: data, bits: isBits), tag: field.tag, at: timestamp)
            {
                batch.readings.append(reading)
            }
        }
        return batch
    }

    /// The readings of a request that failed.
    mutating func batch(of request: ReadRequest, failedWith quality: Quality, at timestamp: Timestamp) -> ReadingBatch {
        var batch = ReadingBatch(device: device)
        for index in request.fields {
            let field = plan.fields[index]
            if let reading = normalisers[field.position].unreadable(quality, tag: field.tag, at: timestamp) {
                batch.readings.append(reading)
            }
        }
        return batch
    }
}
