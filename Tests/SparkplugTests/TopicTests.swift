// Topics and ids of Sparkplug B, row by row.

import GatewayModel
import Sparkplug
import Testing

@Suite("A Sparkplug topic")
struct TopicTests {
    @Test(
        "is made as the specification has it, and read back",
        arguments: [
            (SparkplugTopic.message(.nodeBirth, group: "g", node: "n", device: nil), "spBv1.0/g/NBIRTH/n"),
            (.message(.nodeDeath, group: "g", node: "n", device: nil), "spBv1.0/g/NDEATH/n"),
            (.message(.nodeData, group: "g", node: "n", device: nil), "spBv1.0/g/NDATA/n"),
            (.message(.nodeCommand, group: "g", node: "n", device: nil), "spBv1.0/g/NCMD/n"),
            (.message(.deviceBirth, group: "g", node: "n", device: "d"), "spBv1.0/g/DBIRTH/n/d"),
            (.message(.deviceDeath, group: "g", node: "n", device: "d"), "spBv1.0/g/DDEATH/n/d"),
            (.message(.deviceData, group: "g", node: "n", device: "d:1"), "spBv1.0/g/DDATA/n/d:1"),
            (.message(.deviceCommand, group: "g", node: "n", device: "+"), "spBv1.0/g/DCMD/n/+"),
            (.state(host: "scada"), "spBv1.0/STATE/scada"),
        ])
    func spelling(topic: SparkplugTopic, text: String) {
        #expect(topic.text == text)
        #expect(SparkplugTopic(text) == topic)
    }

    @Test(
        "of anything else is none",
        arguments: [
            "", "spBv1.0", "spBv1.0/g", "spBv1.0/g/NBIRTH", "spBv1.0/g/NBIRTH/n/d", "spBv1.0/g/DDATA/n",
            "spBv1.0/g/DDATA/n/d/e", "spAv1.0/g/NBIRTH/n", "spBv1.0/g/BIRTH/n", "spBv1.0//NBIRTH/n", "spBv1.0/STATE",
            "spBv1.0/STATE/a/b", "STATE/scada", "spBv1.0/g/NBIRTH/",
        ])
    func nonsense(text: String) { #expect(SparkplugTopic(text) == nil) }

    @Test(
        "takes no level from a name that holds what MQTT gives a meaning to",
        arguments: [
            ("stamping/line-2/press-7", "stamping:line-2:press-7"), ("a+b", "a_b"), ("#1", "_1"), ("a b$", "a_b_"),
            ("Werk Süd", "Werk_Süd"), ("a\u{0}\n", "a__"), ("plain-1.2", "plain-1.2"),
        ])
    func sanitised(name: String, id: String) {
        #expect(SparkplugTopic.id(name) == id)
        #expect(SparkplugTopic.isID(id))
        #expect(SparkplugTopic.isID(name) == (name == id))
    }
}

@Suite("A primary host's STATE")
struct HostStateTests {
    @Test(
        "is read from its JSON",
        arguments: [
            (
                "{\"online\":true,\"timestamp\":1795467761000}",
                HostStatement(isOnline: true, timestamp: 1_795_467_761_000)
            ),
            ("{\"timestamp\":7,\"online\":false}", HostStatement(isOnline: false, timestamp: 7)),
            (
                " { \"online\" : true , \"timestamp\" : 0 , \"bdSeq\": 3, \"by\":\"a\\\"b,}\" }\n",
                HostStatement(isOnline: true, timestamp: 0)
            ),
        ])
    func read(text: String, statement: HostStatement) { #expect(HostStatement(Array(text.utf8)) == statement) }

    @Test(
        "that says too little, or something else, says nothing",
        arguments: [
            "", "ONLINE", "{}", "{\"online\":true}", "{\"timestamp\":1}", "{\"online\":1,\"timestamp\":1}",
            "{\"online\":\"true\",\"timestamp\":1}", "{\"online\":true,\"timestamp\":-1}",
            "{\"online\":true,\"timestamp\":1.5}", "{\"online\":true,\"timestamp\":1", "[true,1]",
            "{\"online\":true,\"timestamp\":1}}", "{\"online\":true \"timestamp\":1}",
            "{\"online\":{},\"timestamp\":1}",
            "{\"a", "{\"a\\", "{\"online\":true,\"timestamp\":99999999999999999999}",
        ])
    func nonsense(text: String) { #expect(HostStatement(Array(text.utf8)) == nil) }

    @Test("longer than such a message is says nothing")
    func long() {
        let text = "{\"online\":true,\"timestamp\":1,\"x\":\"" + String(repeating: "x", count: 2000) + "\"}"
        #expect(HostStatement(Array(text.utf8)) == nil)
    }

    @Test("counts only when it isn't older than what was heard before")
    func order() {
        var watch = HostWatch()
        #expect(!watch.isOnline)
        let told = watch.heard(HostStatement(isOnline: true, timestamp: 100))
        #expect(told && watch.isOnline)
        // The will of the host's former session, late.
        let late = watch.heard(HostStatement(isOnline: false, timestamp: 99))
        #expect(!late && watch.isOnline)
        // The will of this session has the time of its birth.
        let will = watch.heard(HostStatement(isOnline: false, timestamp: 100))
        #expect(will && !watch.isOnline)
        watch.heard(HostStatement(isOnline: true, timestamp: 101))
        #expect(watch.isOnline)
        watch.connectionLost()
        #expect(!watch.isOnline)
        let again = watch.heard(HostStatement(isOnline: true, timestamp: 101))
        #expect(again && watch.isOnline, "what the broker keeps comes again")
    }
}

@Suite("A quality in Sparkplug's words")
struct SparkplugQualityTests {
    @Test(
        "is bad, good or stale",
        arguments: [
            (Quality.good, 192), (.uncertainLastUsableValue, 500), (.badWaitingForInitialData, 500),
            (.uncertainEngineeringUnitsExceeded, 192), (.uncertainDataSubNormal, 192), (.badTimeout, 0),
            (.badSensorFailure, 0), (.badConfigurationError, 0), (Quality(rawValue: 0x420F), 0),
            (Quality(rawValue: 0x408F), 500), (Quality(rawValue: 0x0096), 192),
        ] as [(Quality, UInt32)])
    func code(quality: Quality, code: UInt32) { #expect(SparkplugQuality(quality).rawValue == code) }

    @Test("comes back as a quality of the same severity", arguments: [SparkplugQuality.good, .stale, .bad])
    func back(word: SparkplugQuality) { #expect(SparkplugQuality(word.quality) == word) }

    @Test("of a device that doesn't answer is told from that of a sensor")
    func silence() {
        let silent: [Quality] = [.badTimeout, .badCommunicationError, .badNoCommunication, .badConnectionClosed]
        for (quality, name) in Quality.named { #expect(quality.isSilence == silent.contains(quality), "\(name)") }
    }
}
