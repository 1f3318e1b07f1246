// Which topics a filter stands for (MQTT 3.1.1, 4.7).

import MQTTDriver
import Testing

@Suite("A topic filter")
struct TopicPatternTests {
    @Test(
        "stands for what the standard says",
        arguments: [
            ("a/b", "a/b", true), ("a/b", "a/b/c", false), ("a/b", "a", false), ("+/b", "a/b", true), ("+", "a", true),
            ("+", "a/b", false), ("a/+", "a/", true), ("a/+", "a", false), ("+/+", "/x", true), ("a/#", "a", true),
            ("a/#", "a/b/c", true), ("a/#", "ab", false), ("#", "a/b", true), ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false), ("$SYS/#", "$SYS/x", true), ("a/+/c", "a/b/c", true), ("a/+/c", "a/b/d", false),
            ("", "", true), ("a", "", false),
        ])
    func matches(filter: String, topic: String, isMatch: Bool) {
        let bytes = Array("x\(topic)y".utf8)
        #expect(TopicPattern(filter).matches(bytes[1..<bytes.count - 1]) == isMatch)
    }
}
