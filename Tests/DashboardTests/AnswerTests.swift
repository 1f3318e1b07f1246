// What the API says: values, series, alarms, devices, and why not.

import Dashboard
import Foundation
import GatewayModel
import Testing

@Suite struct AnswerTests {
    private let now = 1_800_000_000

    private func get(_ plant: Plant, _ target: String) async throws -> (status: Int, json: [String: Any]) {
        nonisolated(unsafe) var result: (status: Int, json: [String: Any]) = (0, [:])
        try await withDashboard(plant) { port in
            let answer = try await RawConnection(port: port).exchange(target)
            unsafe result = (answer.status, try parsed(answer.body))
        }
        return unsafe result
    }

    @Test func `A tag is told with its value, quality and age`() async throws {
        let plant = Plant()
        plant.read(0, .real(41.25), at: now - 3)
        let rows = try await rows(get(plant, "/api/v1/tags?match=**/oil_temp"))
        let row = try #require(rows.first)
        #expect(rows.count == 1)
        #expect(row["path"] as? String == "hall/line-1/press/oil_temp")
        #expect(row["device"] as? String == "hall/line-1/press")
        #expect(row["unit"] as? String == "°C")
        #expect(row["range"] as? [Double] == [20, 70])
        #expect(row["value"] as? Double == 41.25)
        #expect(row["quality"] as? String == "Good")
        #expect(row["timestamp"] as? Int == (now - 3) * 1000)
        #expect(row["age_s"] as? Double == 3)
    }

    @Test func `A bad tag has no value, a reason, and what it was last`() async throws {
        let plant = Plant()
        plant.read(3, .real(180), at: now - 60)
        plant.read(3, .none, at: now - 2, quality: .badTimeout)
        let row = try #require(try await rows(get(plant, "/api/v1/tags?match=hall/line-2/oven/zone_1")).first)
        #expect(row["value"] is NSNull)
        #expect(row["quality"] as? String == "BadTimeout")
        #expect(row["last_value"] as? Double == 180)
        #expect(row["last_timestamp"] as? Int == (now - 60) * 1000)
    }

    @Test func `Every kind of value is what JSON calls it, and names from outside stay data`() async throws {
        let plant = Plant()
        for (tag, value) in [
            (1, Value.integer(9_007_199_254_740_993)), (2, .boolean(true)), (4, .text("a\"\\\u{1}\u{7F}é")),
        ] {
            plant.read(tag, value, at: now)
        }
        plant.read(5, .real(.infinity), at: now)
        let rows = try await rows(get(plant, "/api/v1/tags"))
        #expect(rows.count == 6)
        #expect(rows[1]["value"] as? Int == 9_007_199_254_740_993)
        #expect(rows[1]["unit"] as? String == "", "nobody says the unit of a pure number")
        #expect(rows[2]["value"] as? Bool == true)
        #expect(rows[4]["value"] as? String == "a\"\\\u{1}\u{7F}é")
        #expect(rows[5]["value"] is NSNull, "JSON has no infinity")
        #expect(rows[5]["path"] as? String == "\(Plant.awkward)/odd")
        #expect(rows[0]["quality"] as? String == "BadWaitingForInitialData")
    }

    @Test(arguments: [
        ("hall/**", 5), ("hall/*/press/*", 3), ("*/press/*", 0), ("**/press/*", 3), ("**", 6), ("*", 0), ("", 0),
        ("hall/line-1/press/oil_temp", 1), ("**/z*_1", 1), ("hall/line-1/**/oil_temp", 1),
        ("hall/line-1/press/**/oil_temp", 1), ("hall/**/temp", 0), ("**oil**", 1),
        ("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", 0),
    ])
    func `Patterns find tags by level, in time that can't explode`(pattern: String, count: Int) async throws {
        let answer = try await get(Plant(), "/api/v1/tags?match=\(pattern)")
        #expect(answer.json["total"] as? Int == count)
        #expect(rows(answer).count == count)
    }

    @Test func `A limit shortens the list and still says how many there are`() async throws {
        let answer = try await get(Plant(), "/api/v1/tags?limit=2")
        #expect(rows(answer).count == 2)
        #expect(answer.json["total"] as? Int == 6)
    }

    @Test(arguments: [
        ("/api/v1/tags?limit=0", 400, "limit must be"), ("/api/v1/tags?limit=many", 400, "limit must be"),
        ("/api/v1/tags?macth=x", 400, "unknown parameter macth"), ("/api/v1/tags?match=%zz", 400, "percent"),
        ("/api/v1/tags?match=%ff", 400, "well-formed"), ("/api/v1/series", 400, "tag is missing"),
        ("/api/v1/series?tag=nothing", 404, "there is no tag nothing"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&from=yesterday", 400, "from must be"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&from=now", 400, "before"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&px=5000", 400, "px must be"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&aggregates=mean,median", 400, "not median"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&aggregates=", 400, "aggregates must be"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&quality=best", 400, "quality must be one of good"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&step=0s", 400, "step must be"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&step=100ms", 400, "step is too short"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp&hold=long", 400, "hold must be"),
        ("/api/v1/series?tag=hall/line-2/oven/state&step=1m", 400, "is text"),
    ])
    func `A request that can't be meant is refused with a sentence`(
        target: String, status: Int, words: String
    ) async throws {
        let answer = try await get(Plant(), target)
        #expect(answer.status == status)
        #expect((answer.json["error"] as? String)?.contains(words) == true, "\(answer.json)")
    }

    @Test func `A mistyped tag gets a suggestion`() async throws {
        let answer = try await get(Plant(), "/api/v1/series?tag=hall/line-1/press/oiltemp")
        #expect(answer.status == 404)
        #expect(answer.json["did_you_mean"] as? String == "hall/line-1/press/oil_temp")
    }

    @Test func `A short series is raw, with the gap and with what was in force before`() async throws {
        let plant = Plant()
        plant.read(0, .real(1), at: now - 700)
        plant.read(0, .real(2), at: now - 300)
        plant.read(0, .none, at: now - 200, quality: .badTimeout)
        plant.read(0, .real(99), at: now - 100, quality: .uncertainEngineeringUnitsExceeded)
        let json = try await get(plant, "/api/v1/series?tag=hall%2Fline-1/press/oil_temp&from=-10m&to=now").json
        #expect(json["raw"] as? Bool == true)
        #expect(json["t"] as? [Int] == [now - 300, now - 200, now - 100].map { $0 * 1000 })
        #expect(json["q"] as? [Int] == [0, 2, 1])
        for column in ["min", "max", "last"] { #expect(numbers(json[column]) == [2, nil, 99], "\(column)") }
        let before = json["before"] as? [String: Any]
        #expect(before?["last"] as? Double == 1)
        #expect(before?["t"] as? Int == (now - 700) * 1000)
        #expect(json["unit"] as? String == "°C")
    }

    @Test func `A long series has no more rows than pixels and keeps its peaks`() async throws {
        let plant = Plant()
        for time in 0..<2000 { plant.read(0, .real(time == 777 ? 1000 : Double(time % 10)), at: now - 2000 + time) }
        let target = "/api/v1/series?tag=hall/line-1/press/oil_temp&from=\((now - 2000) * 1000)&to=\(now * 1000)&px=100"
        let json = try await get(plant, target).json
        let (times, highs) = (json["t"] as? [Int] ?? [], json["max"] as? [Double] ?? [])
        #expect(json["raw"] as? Bool == false)
        #expect((50...100).contains(times.count))
        #expect(highs.max() == 1000)
        #expect(times == times.sorted())
        for column in ["min", "max", "last", "q"] { #expect((json[column] as? [Any])?.count == times.count) }
    }

    @Test func `Figures of whole minutes come as columns, with the share of time that is known`() async throws {
        let plant = Plant()
        let start = now / 60 * 60 - 120
        for (second, value) in [(0, 10.0), (30, 20), (60, 40)] { plant.read(0, .real(value), at: start + second) }
        plant.read(0, .none, at: start + 90, quality: .badTimeout)
        plant.read(0, .real(5), at: start + 100, quality: .uncertainLastUsableValue)
        let target = "/api/v1/series?tag=hall/line-1/press/oil_temp&from=\(start)000&to=\(start + 119)999&step=1m"
        let all = "&aggregates=min,max,mean,first,last,count,integral"
        let json = try await get(plant, target + all).json
        #expect(json["t"] as? [Int] == [start * 1000, (start + 60) * 1000])
        let expected: [(String, [Double])] = [
            ("min", [10, 5]), ("max", [20, 40]), ("mean", [15, 22.5]), ("first", [10, 40]), ("last", [20, 5]),
            ("count", [2, 2]), ("integral", [900, 1300]), ("time_mean", [15, 26]), ("q", [0, 2]),
        ]
        for (column, figures) in expected {
            let found = numbers(json[column]).map { $0.map { ($0 * 1000).rounded() / 1000 } }
            if column == "integral" || column == "time_mean" {
                #expect(abs((found[1] ?? 0) - figures[1]) < 0.1, "\(column): the last value holds till the end")
                #expect(found[0] == figures[0])
            } else {
                #expect(found == figures, "\(column)")
            }
        }
        let coverage = numbers(json["coverage"])
        #expect(coverage[0] == 1 && abs((coverage[1] ?? 0) - 50.0 / 60) < 0.001)
        let good = try await get(plant, target + all + "&quality=good").json
        #expect(numbers(good["max"]) == [20, 40] && numbers(good["count"]) == [2, 1])
        let held = try await get(plant, target + "&aggregates=integral&hold=10s").json
        #expect(numbers(held["integral"]) == [300, 450])
        #expect(held["min"] == nil)
    }

    @Test func `The series of a text is its words`() async throws {
        let plant = Plant()
        plant.read(4, .text("IDLE"), at: now - 5)
        let json = try await get(plant, "/api/v1/series?tag=hall/line-2/oven/state").json
        #expect(json["last"] as? [String] == ["IDLE"])
        #expect(numbers(json["min"]) == [nil])
    }

    @Test(arguments: [("-90s", 90), ("-1.5h", 5400), ("-2d", 172_800), ("-500ms", 0)])
    func `Times can be told relative to now`(text: String, seconds: Int) async throws {
        let json = try await get(Plant(), "/api/v1/series?tag=hall/line-1/press/oil_temp&from=\(text)").json
        #expect(json["from"] as? Int == (text == "-500ms" ? now * 1000 - 500 : (now - seconds) * 1000))
        #expect(json["to"] as? Int == now * 1000)
    }

    @Test func `Alarms come with everything that a person needs to act`() async throws {
        let plant = Plant()
        plant.change {
            $0.alarms = [Plant.alarm(.active, "oil \"hot\""), Plant.alarm(.cleared, "oil fine", priority: .low)]
        }
        let alarms = try await get(plant, "/api/v1/alarms").json["alarms"] as? [[String: Any]] ?? []
        #expect(alarms.map { $0["state"] as? String } == ["active", "cleared"])
        #expect(alarms.map { $0["priority"] as? Int } == [2, 4])
        #expect(alarms[0]["message"] as? String == "oil \"hot\"")
        #expect(alarms[0]["action"] as? String == "Check the oil")
        #expect(alarms[0]["since"] as? Int == 1_799_999_900_000)
        #expect((alarms[0]["value"] as? Double, alarms[0]["limit"] as? Double) == (71.8, 70))
    }

    @Test func `Devices and sinks tell how they are`() async throws {
        let plant = Plant()
        plant.change { state in
            var oven = DeviceState(path: "hall/line-2/oven", channel: "net-1", link: "Modbus TCP")
            (oven.trouble, oven.timeouts, oven.exceptions, oven.errorsLastHour) = ("no answer", 38, 2, 12)
            state.snapshot.devices = [oven, DeviceState(path: "hall/line-1/press", channel: "net-1", link: "")]
            var sink = SinkState(name: "plant", url: "mqtts://broker:8883")
            (sink.isConnected, sink.backlog, sink.oldestUnacknowledged) = (true, 7, second(now - 9))
            state.snapshot.sinks = [sink]
        }
        let devices = try await get(plant, "/api/v1/devices").json["devices"] as? [[String: Any]] ?? []
        #expect(devices[0]["trouble"] as? String == "no answer")
        #expect((devices[0]["errors"] as? Int, devices[0]["errors_last_hour"] as? Int) == (40, 12))
        #expect(devices[1]["trouble"] is NSNull && devices[1]["last_good"] is NSNull)
        let sinks = try await get(plant, "/api/v1/sinks").json["sinks"] as? [[String: Any]] ?? []
        #expect(sinks[0]["backlog"] as? Int == 7)
        #expect(sinks[0]["oldest_unacknowledged"] as? Int == (now - 9) * 1000)
    }

    private func numbers(_ column: Any?) -> [Double?] { (column as? [Any] ?? []).map { $0 as? Double } }

    private func rows(_ answer: (status: Int, json: [String: Any])) -> [[String: Any]] {
        answer.json["tags"] as? [[String: Any]] ?? []
    }
}
