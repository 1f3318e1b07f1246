// Questions to a running gateway, and what its answers mean.

@testable import Export
import GatewayModel
import History
import Testing

@Suite("Query of a gateway") struct RemoteQueryTests {
    private func question(_ figure: StoreQuestion.Figure, _ filter: QualityFilter = .usable) -> StoreQuestion {
        StoreQuestion(
            from: Timestamp(nanoseconds: 1_000_000_000), to: Timestamp(nanoseconds: 61_000_000_000), step: .seconds(10),
            figure: figure, filter: filter, hold: figure == .integral ? .seconds(5) : nil)
    }

    @Test("Questions are spelled as the API wants them, whatever stands in a name")
    func questions() {
        #expect(
            RemoteQuery.tags(matching: "hall/**/°C&x") == "/api/v1/tags?match=hall%2F%2A%2A%2F%C2%B0C%26x&limit=1000")
        let raw = "/api/v1/series?tag=a%2Fb&from=1000&to=61000&quality=usable&px=4096"
        #expect(RemoteQuery.series("a/b", question(.raw)) == raw)
        #expect(RemoteQuery.series("a/b", question(.mean)) == raw + "&step=10000ms&aggregates=mean,count")
        #expect(RemoteQuery.series("a/b", question(.count)) == raw + "&step=10000ms&aggregates=count")
        #expect(
            RemoteQuery.series("a/b", question(.integral)) == raw
                + "&step=10000ms&aggregates=integral,count&hold=5000ms")
    }

    private func json(_ text: String) throws -> JSONText { try #require(JSONText(parsing: Array(text.utf8))) }

    @Test("Answers become rows; what is no answer says what is missing")
    func answers() throws {
        let tags = try RemoteQuery.tags(in: json(#"{"tags":[{"path":"a/b","unit":"°C"},{"path":"a/c"}],"total":2}"#))
        #expect(tags == [TagAnswer(tag: "a/b", unit: "°C"), TagAnswer(tag: "a/c", unit: "")])
        let mean = try RemoteQuery.answer(
            tags[0], question(.mean), in: json(#"{"t":[1000,2000],"mean":[1.5,null],"count":[3,0],"q":[0,2]}"#))
        #expect(mean.rows.map(\.value) == [.real(1.5), .none] && mean.rows.map(\.count) == [3, 0])
        #expect(mean.rows.map(\.quality.severity) == [.good, .bad] && mean.rows[1].time.nanoseconds == 2_000_000_000)
        let raw = try RemoteQuery.answer(
            tags[0], question(.raw), in: json(#"{"raw":true,"t":[1000,2000,3000],"last":["on",null,true],"q":[0,2,1]}"#)
        )
        #expect(raw.rows.map(\.value) == [.text("on"), .boolean(true)])
        let count = try RemoteQuery.answer(tags[0], question(.count), in: json(#"{"t":[1],"count":[7],"q":[0]}"#))
        #expect(count.rows.map(\.value) == [.integer(7)] && count.rows.map(\.count) == [7])
        for bad in ["{}", #"{"t":[1],"mean":[],"q":[0]}"#] {
            #expect(throws: RemoteAnswerError.self) { try RemoteQuery.answer(tags[0], question(.mean), in: json(bad)) }
        }
        let many = try json(#"{"raw":false,"t":[],"last":[],"q":[]}"#)
        let error = #expect(throws: RemoteAnswerError.self) {
            try RemoteQuery.answer(tags[0], question(.raw), in: many)
        }
        #expect(error?.description.contains("more than 4096") == true)
        #expect(throws: RemoteAnswerError.self) { try RemoteQuery.tags(in: json("[]")) }
    }
}
