// Signed commands: the bytes, the signature, and everything that only looks like one.

import GatewayModel
import ModbusDriver
import Testing

@testable import Writes

/// A sender of commands.
struct Sender {
    var name = "scada"
    var key = "0123456789abcdef0123456789abcdef"
    var gateway = "acme/lyon"

    func payload(
        id: String = "c-1", tag: String = "a", value: String = "21.5", nonce: String = "n-0123456789",
        expires: Int64, reason: String = "", extra: String = ""
    ) -> [UInt8] {
        let bytes = CommandMessage.signedBytes(
            gateway: gateway, sender: name, id: id, tag: tag, value: value, nonce: nonce, expires: "\(expires)",
            reason: reason)
        let mac = CommandMessage.mac(of: bytes, key: Secret(key))
        return Array(
            """
            {"id":"\(id)","gateway":"\(gateway)","sender":"\(name)","tag":"\(tag)","value":\(value),\
            "nonce":"\(nonce)","expires":\(expires),"reason":"\(reason)","mac":"\(mac)"\(extra)}
            """.utf8)
    }
}

@Suite("Signed commands") struct CommandTests {
    private let check = CommandCheck(
        gateway: "acme/lyon",
        plan: CommandPlan(topic: "t", senders: [.init(name: "scada", key: Secret(Sender().key))]))

    private func code(_ payload: [UInt8], isRetained: Bool = false) -> String? {
        if case .anonymous(let refusal, _) = check.judge(payload, isRetained: isRetained) { refusal.code } else { nil }
    }

    @Test("The signature is the one that Python's hmac gives")
    func vector() {
        let bytes = CommandMessage.signedBytes(
            gateway: "acme/lyon", sender: "scada", id: "c-1", tag: "hall/press/drive/set_point", value: "21.50",
            nonce: "n-0123456789", expires: "1795000010000", reason: "näher")
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "16:lineside-write-1,9:acme/lyon,5:scada,3:c-1,26:hall/press/drive/set_point,5:21.50,"
                + "12:n-0123456789,13:1795000010000,6:näher,")
        #expect(
            CommandMessage.mac(of: bytes, key: Secret("0123456789abcdef0123456789abcdef"))
                == "24c3d44c3bc0c763509d080293d63ba7afd7f71626b43d7edfc71a6d6f57552e")
    }

    @Test("RFC 4231's second test case")
    func rfc4231() {
        #expect(
            CommandMessage.mac(of: Array("what do ya want for nothing?".utf8), key: Secret("Jefe"))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test("A command that is signed right is a request of its sender")
    func signed() {
        let payload = Sender().payload(value: "21.50", expires: 1_795_000_010_000, reason: "why")
        guard case .request(let request) = check.judge(payload, isRetained: false) else {
            Issue.record("not taken")
            return
        }
        #expect(request.who == "scada" && request.tag == "a" && request.value == .real(21.5) && request.door == .mqtt)
        #expect(request.once?.expires == Timestamp(nanoseconds: 1_795_000_010_000_000_000))
    }

    @Test("A command with one changed byte is none")
    func changed() {
        let payload = Sender().payload(expires: 1_795_000_010_000, reason: "why")
        for place in payload.indices {
            var changed = payload
            changed[place] ^= 1
            // The digits of the signature count in both cases; `^ 1` never changes only the case.
            #expect(code(changed) != nil, "byte \(place)")
        }
        for count in payload.indices { #expect(code(Array(payload.prefix(count))) == "malformed") }
    }

    @Test("What is signed cannot be read in two ways: fields that move over a border have another signature")
    func borders() {
        func bytes(_ id: String, _ tag: String) -> [UInt8] {
            CommandMessage.signedBytes(
                gateway: "g", sender: "s", id: id, tag: tag, value: "1", nonce: "n", expires: "1", reason: "")
        }
        #expect(bytes("ab", "c") != bytes("a", "bc"))
        #expect(bytes("a,1:b", "c") != bytes("a", "b,1:c"))
    }

    static let rows: [(String, String)] = [
        ("retained", "retained"), ("forged", "forged"), ("stranger", "unknown_sender"),
        ("elsewhere", "wrong_gateway"), ("twice", "malformed"), ("unknown key", "malformed"),
        ("nested", "malformed"), ("text value", "malformed"), ("short nonce", "malformed"), ("long", "malformed"),
        ("not json", "malformed"), ("empty", "malformed"), ("null", "malformed"),
    ]

    @Test("What is no command of a known sender for this gateway is refused", arguments: rows)
    func refused(what: String, expected: String) {
        var sender = Sender()
        let expires: Int64 = 1_795_000_010_000
        switch what {
        case "retained": #expect(code(sender.payload(expires: expires), isRetained: true) == expected)
        case "forged":
            sender.key += "x"
            #expect(code(sender.payload(expires: expires)) == expected)
        case "stranger":
            sender.name = "nobody"
            #expect(code(sender.payload(expires: expires)) == expected)
        case "elsewhere":
            sender.gateway = "acme/paris"
            #expect(code(sender.payload(expires: expires)) == expected)
        case "twice": #expect(code(sender.payload(expires: expires, extra: #","tag":"b""#)) == expected)
        case "unknown key": #expect(code(sender.payload(expires: expires, extra: #","x":1"#)) == expected)
        case "nested": #expect(code(sender.payload(value: "[1]", expires: expires)) == expected)
        case "text value": #expect(code(sender.payload(value: #""1""#, expires: expires)) == expected)
        case "short nonce": #expect(code(sender.payload(nonce: "1234567", expires: expires)) == expected)
        case "long":
            #expect(code(sender.payload(expires: expires, reason: String(repeating: "x", count: 201))) == expected)
            #expect(code([UInt8](repeating: 32, count: 5000)) == expected)
        case "not json": #expect(code(Array("write 21.5".utf8)) == expected)
        case "empty": #expect(code([]) == expected)
        default: #expect(code(sender.payload(value: "null", expires: expires)) == expected)
        }
    }

    @Test("A command counts once, is late from its expiry on, and not too early")
    func replay() {
        func at(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * 1_000_000_000) }
        func once(_ nonce: String, _ seconds: Int64) -> WriteRequest.Once { .init(nonce: nonce, expires: at(seconds)) }
        var replays = ReplayGuard(start: at(0))
        #expect(replays.check(once("early", 30), sender: "a", now: at(5)) == .expired, "an earlier run may know it")
        #expect(replays.check(once("n", 130), sender: "a", now: at(100)) == nil)
        #expect(replays.check(once("n", 130), sender: "a", now: at(101)) == .replayed)
        #expect(replays.check(once("n", 131), sender: "a", now: at(101)) == .replayed)
        #expect(replays.check(once("n", 131), sender: "b", now: at(101)) == nil, "another sender's nonces are its own")
        #expect(replays.check(once("m", 132), sender: "a", now: at(101)) == .tooFarAhead)
        #expect(replays.check(once("m", 101), sender: "a", now: at(101)) == .expired)
        #expect(replays.check(once("n", 130), sender: "a", now: at(130)) == .expired)
        #expect(replays.check(once("o", 140), sender: "a", now: at(135)) == nil)
        #expect(replays.count == 1, "what has expired is forgotten")
        #expect(replays.check(once("n", 131), sender: "b", now: at(110)) == .expired, "even if the clock goes back")
        replays.raise(to: at(200))
        #expect(replays.check(once("p", 200), sender: "a", now: at(180)) == .expired)
        #expect(replays.check(once("p", 201), sender: "a", now: at(180)) == nil)
    }

    @Test("More nonces than can be remembered are refused, not forgotten")
    func many() {
        var replays = ReplayGuard(start: Timestamp(nanoseconds: 0))
        let now = Timestamp(nanoseconds: 100_000_000_000)
        for number in 0..<WriteLimit.nonces {
            let once = WriteRequest.Once(nonce: "n\(number)", expires: now.advanced(by: .seconds(10)))
            #expect(replays.check(once, sender: "a", now: now) == nil)
        }
        let once = WriteRequest.Once(nonce: "more", expires: now.advanced(by: .seconds(10)))
        #expect(replays.check(once, sender: "a", now: now) == .tooMany)
    }
}
