// Small files that change whole or not at all, and the number of a Sparkplug session that lies in one.

import GatewayPlatform
import Simulation
import TestSupport
import Testing

@testable import Gateway

@Suite("A small file")
struct FileReplacementTests {
    private let old = Array("the old content, which is the longer one\n".utf8)
    private let new = Array("the new content\n".utf8)

    @Test(
        "is the old one or the new one after a power cut at any moment, and the new one once that was said",
        arguments: CrashMode.allCases)
    func powerCut(mode: CrashMode) throws {
        let first = SimulatedDisk()
        try first.store(old, as: "number")
        let disk = first.crash(.onlySynced, seed: 1)
        try #require(disk.content(of: "number") == old)
        try disk.store(new, as: "number")
        for cut in 0...disk.changes {
            for seed in 0..<20 as Range<UInt64> {
                let after = disk.crash(mode, seed: seed, after: cut)
                let found = after.content(of: "number")
                #expect(found == new || cut < disk.changes && found == old, "cut \(cut), seed \(seed)")
                // Whatever was left beside it is in nobody's way.
                try after.store(old, as: "number")
                #expect(after.content(of: "number") == old)
            }
        }
    }

    @Test("keeps its content when a call of the disk fails, or has the new one")
    func failures() throws {
        let calls = SimulatedDisk()
        try calls.store(old, as: "number")
        let before = calls.calls()
        try calls.store(new, as: "number")
        for call in 0..<calls.calls() - before {
            let disk = SimulatedDisk()
            try disk.store(old, as: "number")
            disk.fail(.init(call: call))
            #expect(throws: DiskError.self, "call \(call)") { try disk.store(new, as: "number") }
            let found = disk.content(of: "number")
            #expect(found == old || found == new, "call \(call)")
            disk.fail(nil)
            try disk.store(new, as: "number")
            #expect(disk.content(of: "number") == new)
        }
    }

    @Test("keeps the number of a Sparkplug session over a restart, each sink its own")
    func sessionNumber() throws {
        let folder = try TemporaryFolder()
        let (plant, cloud) = (
            SessionNumber(folder: folder.path, sink: "plant"), SessionNumber(folder: folder.path, sink: "cloud")
        )
        #expect(plant.last == nil)
        for number in [255, 0, 7] as [UInt8] {
            plant.keep(number)
            cloud.keep(number &+ 1)
            #expect(SessionNumber(folder: folder.path, sink: "plant").last == number)
            #expect(SessionNumber(folder: folder.path, sink: "cloud").last == number &+ 1)
        }
        let disk = try POSIXDisk(path: folder.path)
        #expect(try disk.list() == ["sparkplug-cloud", "sparkplug-plant"], "nothing is left beside them")
        for name in try disk.list() { try disk.remove(name) }
    }
}
