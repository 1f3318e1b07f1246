// What a broken site file is told, word for word and place for place.

import Testing

@testable import GatewayConfiguration

@Suite("Problems of a site")
struct SiteProblemTests {
    @Test("the sample that the rows break is valid")
    func sampleIsValid() throws {
        #expect(try SiteFolder(Sample.files()).problems() == [])
        #expect(try SiteFolder(["site.yaml": Sample.source]).problems() == [])
    }

    @Test(
        "a mistake is named with its place and with what would be right",
        arguments: [
            Row(
                "unknown key", Sample.site("unit: 1", "unit: 1\n    timeuot: 1s"),
                "site.yaml:10:5: error: unknown key 'timeuot' in a device; did you mean 'timeout'?"),
            Row(
                "unknown key with nothing near", Sample.site("host: 10.0.0.1", "host: 10.0.0.1, speed: 3"),
                "site.yaml:4:33: error: unknown key 'speed' in a TCP endpoint; it takes host, port and mode"),
            Row(
                "missing key", Sample.site("    channel: net\n", ""),
                "site.yaml:4:3: warning: no device uses the channel 'net'",
                "site.yaml:6:3: error: a device needs 'channel': a text"),
            Row(
                "wrong duration", Sample.site("unit: 1", "unit: 1\n    timeout: fast"),
                "site.yaml:10:14: error: expected auto or a duration from 10ms to 30s, found 'fast'"),
            Row(
                "unit id out of range", Sample.site("unit: 1", "unit: 256"),
                "site.yaml:9:11: error: expected a whole number from 0 to 255, found '256'"),
            Row(
                "list for a value", Sample.site("unit: 1", "unit: [1, 2]"),
                "site.yaml:9:11: error: expected a whole number from 0 to 255, found a list"),
            Row(
                "nothing for a mapping", Sample.site("net: { tcp: { host: 10.0.0.1 } }", "net:"),
                "site.yaml:4:3: error: expected a channel, a mapping of keys; found nothing"),
            Row(
                "unknown channel", Sample.site("channel: net", "channel: nett"),
                "site.yaml:4:3: warning: no device uses the channel 'net'",
                "site.yaml:8:14: error: there is no channel 'nett'; did you mean 'net'?"),
            Row(
                "unknown profile", Sample.site("meter@1", "metre@1"),
                "site.yaml:7:14: error: there is no profile metre@1; did you mean 'meter'?"),
            Row(
                "other major version", Sample.site("meter@1", "meter@2"),
                "site.yaml:7:14: error: there is no profile meter@2; there is meter@1"),
            Row(
                "profile without version", Sample.site("meter@1", "meter"),
                "site.yaml:7:14: error: expected a profile with its major version, such as schneider-pm5xxx@1, "
                    + "found 'meter'"
            ),
            Row(
                "one unit twice",
                Sample.site("unit: 1", "unit: 1\n  a/b/c/other: { profile: meter@1, channel: net, unit: 1 }"),
                "site.yaml:10:56: error: unit 1 on 'net' is already a/b/c/meter (line 6)"),
            Row(
                "one endpoint twice",
                Sample.site("devices:", "  twin: { tcp: { host: 10.0.0.1, port: 502 } }\ndevices:"),
                "site.yaml:5:3: error: 10.0.0.1:502 is already the endpoint of 'net' (line 4); "
                    + "requests to one endpoint share a channel",
                "site.yaml:5:3: warning: no device uses the channel 'twin'"),
            Row(
                "device path", Sample.site("a/b/c/meter", "a/b c/+/meter"),
                "site.yaml:4:3: warning: no device uses the channel 'net'",
                "site.yaml:6:3: error: expected a path such as area/line/cell/device, with levels of letters, digits, "
                    + "'.', '_' and '-', found 'a/b c/+/meter'"),
            Row(
                "site id", Sample.site("id: acme/lyon", "id: lyon"),
                "site.yaml:2:5: error: expected enterprise/site, such as acme/lyon, found 'lyon'"),
            Row(
                "parameter that the profile doesn't have", Sample.site("unit: 1", "unit: 1\n    set: { nominal_power: 75kW }"),
                "site.yaml:10:12: error: the profile meter@1 has no parameter 'nominal_power'"),
            Row(
                "rules in the site", Sample.site("devices:", "rules: {}\ndevices:"),
                "site.yaml:5:1: error: rules are files of their own: rules.yaml, or rules/*.yaml, "
                    + "beside the site file"),
            Row(
                "wrong kind", Sample.site("kind: Site", "kind: Sight"),
                "site.yaml:1:7: error: expected Site, found 'Sight'"),
            Row(
                "override of a tag that isn't there",
                Sample.site("unit: 1", "unit: 1\n    override: { tags.curent.deadband: 1 }"),
                "site.yaml:10:17: error: 'tags.curent.deadband': meter@1 has no 'curent'; did you mean 'current'?"),
            Row(
                "override with a wrong value",
                Sample.site("unit: 1", "unit: 1\n    override: { tags.current.deadband: wide }"),
                "site.yaml:10:40: error: expected a number, or a quantity in a unit like A, found 'wide'"),
            Row(
                "override with an unknown key",
                Sample.site("unit: 1", "unit: 1\n    override: { tags.current.dedband: 1 }"),
                "site.yaml:10:17: error: unknown key 'dedband' in a tag; did you mean 'deadband'?"),
            Row(
                "override of the identity", Sample.site("unit: 1", "unit: 1\n    override: { id: x }"),
                "site.yaml:10:17: error: 'id' can't be overridden; a site may override "
                    + "tags, groups, limits, byte_order, invalid, simulate and derived"),
            Row(
                "store",
                Sample.site("devices:", "store: { disk: 1MiB, segment: 1MiB, commit: 1, directory: here }\ndevices:"),
                "site.yaml:5:31: error: segments of 1MiB in 1MiB of disk: the ring needs at least four",
                "site.yaml:5:45: error: expected a duration from 50ms to 10s, found '1'",
                "site.yaml:5:59: error: expected an absolute path, found 'here'"),
            Row(
                "columns that leave the ring nothing",
                Sample.site("devices:", "store: { disk: 64MiB, columns: 60MiB, segment: 4MiB }\ndevices:"),
                "site.yaml:5:32: error: segments of 4MiB in 4MiB of disk: the ring needs at least four"),
            Row(
                "columns in less than two segments",
                Sample.site("devices:", "store: { disk: 64MiB, columns: 4MiB, segment: 4MiB }\ndevices:"),
                "site.yaml:5:32: error: columns in 4MiB: they need two segments of 4MiB, or 0B for none"),
            Row(
                "a commit window that would wear out the flash",
                Sample.site("devices:", "store: { commit: 49ms }\ndevices:"),
                "site.yaml:5:18: error: expected a duration from 50ms to 10s, found '49ms'"),
            Row(
                "a commit window that would lose too much",
                Sample.site("devices:", "store: { commit: 10001ms }\ndevices:"),
                "site.yaml:5:18: error: expected a duration from 50ms to 10s, found '10001ms'"),
            Row(
                "a sink with a promise that nobody knows",
                Sample.site("devices:", "sinks: { a: { when_full: drop, mqtt: { url: \"mqtt://h\" } } }\ndevices:"),
                "site.yaml:5:26: error: expected drop-oldest, protect or block, found 'drop'"),
            Row(
                "an age that empties the store",
                Sample.site("devices:", "store: { keep: 10m }\ndevices:"),
                "site.yaml:5:16: error: expected a duration from 1h to 3660d, found '10m'"),
            Row(
                "HTTP open to the network", Sample.site("devices:", "http: { listen: 0.0.0.0:80 }\ndevices:"),
                "site.yaml:5:17: error: 0.0.0.0 is open to the network; without logins and TLS, which "
                    + "come with a later "
                    + "version, only a loopback address such as 127.0.0.1 is allowed"),
            Row(
                "several at once, in the order of the file",
                Sample.site("host: 10.0.0.1", "hots: 10.0.0.1").merging([
                    "rules.yaml": "kind: Rules\nfor: x/*\nrules: {}"
                ]) { $1 },
                "rules.yaml:2:6: error: 'x/*' names nothing: no device of the site matches",
                "site.yaml:4:10: error: a TCP endpoint needs 'host': a host name or address",
                "site.yaml:4:17: error: unknown key 'hots' in a TCP endpoint; did you mean 'host'?"),
        ])
    func mistake(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test(
        "what is listened to and sent to is checked as strictly",
        arguments: [
            Row(
                "wildcard", Sample.source("t/1", "t/a+"),
                "site.yaml:7:16: error: '+' stands alone for one level: 'a+'"),
            Row(
                "rest", Sample.source("t/1", "\"t/#/x\""),
                "site.yaml:7:16: error: '#' stands alone, as the last level of a topic"),
            Row(
                "share", Sample.source("t/1", "$share/g"), "site.yaml:7:16: error: expected $share/group/topic"),
            Row(
                "capture", Sample.source("a/s1", "\"a/{cell}\""),
                "site.yaml:8:17: error: the topic captures no 'cell'; write '+cell' for its level"),
            Row(
                "payload", Sample.source("device:", "payload: xml\n        device:"),
                "site.yaml:8:18: error: expected json, number, text, csv, binary, sparkplug, telegraf, edgex or thingsboard, "
                    + "found 'xml'"),
            Row(
                "key of another payload", Sample.source("device:", "separator: ;\n        device:"),
                "site.yaml:8:20: error: 'separator' is for the payload csv"),
            Row(
                "session", Sample.source("broker:", "session: kept\n    protocol: \"5\"\n    broker:"),
                "site.yaml:5:14: error: a session is kept with 'protocol: 3.1.1' only: libmosquitto 2.0 can't ask for "
                    + "one in MQTT 5"),
            Row(
                "JSON path", Sample.source("$.rms", "rms"),
                "site.yaml:10:22: error: expected a path into the payload such as $.motor.temp or $.values[0], "
                    + "found 'rms'"
            ),
            Row(
                "no unit", Sample.source(", unit: mm/s", ""),
                "site.yaml:10:11: error: a tag needs 'unit': a unit such as kW or °C, \"1\" for a pure number"),
            Row(
                "unit of a flag", Sample.source("unit: mm/s", "unit: mm/s, type: boolean"),
                "site.yaml:10:35: error: 'unit' is for numbers; this tag is a flag"),
            Row(
                "one topic twice",
                Sample.source(
                    "      - topic",
                    "      - { topic: t/1, device: a/s2, tags: { x: { at: $.x, type: text } } }\n      - topic"),
                "site.yaml:8:16: error: the topic 't/1' is already subscribed to at line 7"),
            Row(
                "one tag twice for a device of two topics",
                Sample.source(
                    "      - topic",
                    "      - { topic: t/0, device: a/s1, tags: { rms: { at: $.x, unit: m } } }\n      - topic"),
                "site.yaml:11:11: error: a/s1 already has a tag 'rms'"),
            Row(
                "TLS of a broker without it", Sample.source("mqtt://127.0.0.1", "mqtt://broker\n    tls: { ca: /x }"),
                "site.yaml:6:10: error: 'tls' without TLS: the address begins with mqtt://, not mqtts://",
                "site.yaml:6:16: error: there is no file /x"),
            Row(
                "a certificate without its key",
                Sample.source("mqtt://127.0.0.1", "mqtts://broker\n    tls: { certificate: /etc/passwd }"),
                "site.yaml:6:5: error: 'certificate' and 'key' go together: our certificate, and the key of it"),
            Row(
                "an authority that is none",
                Sample.source("mqtt://127.0.0.1", "mqtts://broker\n    tls: { ca: /etc/passwd }"),
                "site.yaml:6:5: error: /etc/passwd holds no certificates: no certificate or crl found"),
            Row(
                "a key that others can read",
                Sample.source(
                    "mqtt://127.0.0.1", "mqtts://broker\n    tls: { certificate: /etc/passwd, key: /etc/passwd }"),
                "site.yaml:6:43: error: /etc/passwd can be read or written by others; chmod 600 /etc/passwd"),
            Row(
                "a broker that can be anybody",
                Sample.source("mqtt://127.0.0.1", "mqtts://broker\n    tls: { insecure: true }"),
                "site.yaml:6:22: error: a broker whose certificate isn't checked can be anybody; give its authority as "
                    + "'ca', and the name in its certificate as 'server_name'"),
            Row(
                "brokers of two ways", Sample.source("mqtt://127.0.0.1", "[mqtts://a, mqtt://b]"),
                "site.yaml:5:25: error: some brokers with TLS (mqtts://) and some without: give all of them one way"),
            Row(
                "version of MQTT", Sample.source("mqtt://127.0.0.1", "mqtt://b\n    protocol: 4"),
                "site.yaml:6:15: error: expected 3.1.1 or 5, found '4'"),
            Row(
                "expiry of an old version", Self.sink("expiry: 1h"),
                "site.yaml:3:46: error: 'expiry' is new with MQTT 5: it needs 'protocol: 5'"),
            Row(
                "login in the address", Sample.source("mqtt://127.0.0.1", "mqtt://me:pw@broker"),
                "site.yaml:5:13: error: a login in the address: give 'username' and 'password' as keys"),
            Row(
                "port", Sample.source("mqtt://127.0.0.1", "mqtt://broker:70000"),
                "site.yaml:5:13: error: expected a broker such as mqtt://127.0.0.1:1883 or mqtts://broker:8883, "
                    + "found 'mqtt://broker:70000'"),
            Row(
                "sparkplug", Sample.source("mqtt:\n", "sinks: { h: { sparkplug: { url: x } } }\nmqtt:\n"),
                "site.yaml:3:33: error: expected a broker such as mqtt://127.0.0.1:1883 or mqtts://broker:8883, found 'x'"),
            Row(
                "topic template",
                Sample.source("mqtt:\n", "sinks: { p: { mqtt: { url: mqtt://b, topic: \"x/{devise}\" } } }\nmqtt:\n"),
                "site.yaml:3:45: error: unknown placeholder '{devise}'; did you mean 'device'?"),
            Row(
                "shape", Self.sink("format: telegraph"),
                "site.yaml:3:46: error: expected lineside, telegraf, thingsboard, edgex, azure, opcua-pubsub, "
                    + "homeassistant or simple, found 'telegraph'"),
            Row(
                "device in a topic that is the receiver's own", Self.sink("format: thingsboard, topic: \"t/{device}\""),
                "site.yaml:3:66: error: unknown placeholder '{device}'; there are {enterprise} and {site}"),
            Row(
                "retained at a ThingsBoard", Self.sink("format: thingsboard, retain: true"),
                "site.yaml:3:67: error: a ThingsBoard keeps no messages: leave 'retain' out"),
            Row(
                "last values by another name", Self.sink("last_values: true"),
                "site.yaml:3:51: error: the broker keeps last values with 'retain: true', and those of each tag when "
                    + "'topic' has a {tag}; leave 'last_values' out"),
            Row(
                "discovery of nobody", Self.sink("discovery: ha"),
                "site.yaml:3:49: error: 'discovery' belongs to 'format: homeassistant'"),
            Row(
                "alarm topic of a device",
                Sample.source(
                    "mqtt:\n", "sinks: { p: { mqtt: { url: mqtt://b, alarm_topic: \"x/{device}\" } } }\nmqtt:\n"),
                "site.yaml:3:51: error: alarms of all devices share one topic: no {device} in it"),
            Row(
                "replay without live_first",
                Sample.source("mqtt:\n", "sinks: { p: { replay: 500/s, mqtt: { url: mqtt://b } } }\nmqtt:\n"),
                "site.yaml:3:23: error: 'replay' limits a backlog beside current data: it needs 'live_first: true'"),
            Row(
                "replay without a rate",
                Sample.source(
                    "mqtt:\n", "sinks: { p: { live_first: true, replay: 500, mqtt: { url: mqtt://b } } }\nmqtt:\n"),
                "site.yaml:3:41: error: expected readings a second from 100/s to 10000000/s, found '500'"),
            Row(
                "a former name that is in use",
                Sample.source(
                    "mqtt:\n",
                    "sinks: { p: { formerly: q, mqtt: { url: mqtt://b } }, q: { mqtt: { url: mqtt://b } } }\nmqtt:\n"),
                "site.yaml:3:25: error: there still is a sink 'q', and a cursor serves one sink"),
            Row(
                "refresh without deadband",
                Sample.source("mqtt:\n", "sinks: { p: { refresh: 1m, mqtt: { url: mqtt://b } } }\nmqtt:\n"),
                "site.yaml:3:24: error: 'refresh' says how long a deadband may hold a value back: it needs 'deadband'"),
            Row(
                "deadband with a unit",
                Sample.source("mqtt:\n", "sinks: { p: { deadband: 1 A, mqtt: { url: mqtt://b } } }\nmqtt:\n"),
                "site.yaml:3:25: error: expected a width such as 0.5, or a part of the tag's range such as 1 %, "
                    + "found '1 A'"),
            Row(
                "one client id twice",
                Sample.source("mqtt:\n", "sinks: { floor: { mqtt: { url: mqtt://127.0.0.1 } } }\nmqtt:\n"),
                "site.yaml:3:10: error: sinks.floor and mqtt.floor have the same client id 'lineside-acme-lyon-floor' "
                    + "at one broker, which lets in only one of them; set 'client_id'"),
        ])
    func messaging(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test("an MQTT device can't take the path of a Modbus device")
    func collision() throws {
        let mqtt = Sample.source.split(separator: "\n").dropFirst(2).joined(separator: "\n")
        let site = Sample.site + "\n" + mqtt.replacing("a/s1", with: "a/b/c/meter")
        #expect(
            try SiteFolder(Sample.files(["site.yaml": site])).problems()
                == ["site.yaml:15:17: error: a/b/c/meter is already a device of 'devices' (line 6)"])
    }

    /// A site with one MQTT sink that has these keys beside its address.
    private static func sink(_ keys: String) -> [String: String] {
        Sample.source("mqtt:\n", "sinks: { p: { mqtt: { url: mqtt://b, \(keys) } } }\nmqtt:\n")
    }
}
