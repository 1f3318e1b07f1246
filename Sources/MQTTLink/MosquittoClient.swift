// libmosquitto's client in Swift: one object for one connection, thrown away after it.

internal import CBrokerTLS
internal import CMosquitto
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc

/// One `struct mosquitto` that lives from `connect_async` to the first error.
///
/// Noncopyable: one owner, one thread, and the owner's end is the client's. It never reconnects, because one broken
/// packet leaves a client of libmosquitto 2.0.11 in a state that it does not come out of (measured;
/// Documentation/Decisions/0003).
@safe
struct MosquittoClient: ~Copyable {
    private let client: OpaquePointer
    /// Lives as long as the client: stored properties go after `deinit`.
    private let tls: TLSContext?
    private let version: MQTTVersion
    let inbox: CallbackInbox
    /// It writes only in `exchange`.
    private let holdsBack: Bool
    /// The last reading ended before the socket was empty. What a TLS library has read ahead shows in no poll.
    private(set) var hasMore = false

    /// `mosquitto_lib_init` once per process. libmosquitto writes with write(2), so a closed connection raises SIGPIPE.
    private static let library: Void = {
        ProcessLimits.ignoreBrokenPipes()
        mosquitto_lib_init()
    }()

    /// - Parameter window: messages that may be on the wire without an acknowledgement.
    static func make(
        plan: BrokerPlan, server: BrokerPlan.Server, version: MQTTVersion, will: WillPlan?, window: Int
    ) throws(LinkFailure) -> MosquittoClient {
        _ = library
        var tls: TLSContext?
        if let wanted = plan.tls { tls = try TLSContext(wanted, host: server.host) }
        guard let client = unsafe mosquitto_new(plan.clientID, !plan.isSessionKept, nil) else {
            throw failure(errno == EINVAL ? MOSQ_ERR_INVAL : MOSQ_ERR_NOMEM)
        }
        let made = unsafe MosquittoClient(client, tls: tls, version: version, holdsBack: plan.isSessionKept)
        unsafe setCallbacks(client)
        let number = version == .v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
        unsafe mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, Int32(number))
        unsafe mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1)
        // Told that there are threads, it writes only when it is asked to: acknowledgements wait in its queue (measured with
        // 2.0.11; Documentation/Decisions/0050).
        if plan.isSessionKept { unsafe mosquitto_threaded_set(client, true) }
        unsafe mosquitto_max_inflight_messages_set(client, UInt32(clamping: window))
        try made.useTLS()
        if let username = plan.username {
            try check(unsafe mosquitto_username_pw_set(client, username, plan.password?.revealed))
        }
        if let will {
            try check(
                unsafe mosquitto_will_set(
                    client, will.topic, Int32(clamping: will.payload.count), will.payload, will.qos, will.isRetained))
        }
        return made
    }

    private init(_ client: OpaquePointer, tls: TLSContext?, version: MQTTVersion, holdsBack: Bool) {
        unsafe self.client = client
        self.tls = tls
        self.version = version
        self.holdsBack = holdsBack
        inbox = CallbackInbox(version: version)
        // Unretained: `deinit` destroys the client, and the inbox lives longer than that.
        unsafe mosquitto_user_data_set(client, Unmanaged.passUnretained(inbox).toOpaque())
    }

    /// All of TLS is in our context; libmosquitto adds nothing to it.
    private func useTLS() throws(LinkFailure) {
        guard let tls else { return }
        let client = unsafe client
        let status = unsafe tls.install { context in
            unsafe mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0)
            return unsafe mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, context)
        }
        try Self.check(status)
    }

    deinit {
        // The one order that is safe, never from a callback: disconnect, loop ended (it is ours), destroy.
        inbox.isClosed = true
        // What is held back must not slip out with the goodbye.
        let isSilent = holdsBack && wantsToWrite
        let last = holdsBack && !isSilent ? dup(socket) : -1
        unsafe mosquitto_disconnect(client)
        if holdsBack && !isSilent { unsafe mosquitto_loop_write(client, 1) }
        unsafe mosquitto_destroy(client)
        if last >= 0 { Self.drain(last) }
    }

    /// Waits until the broker has closed as well. What lies unread in a socket that is closed becomes a reset, and that
    /// takes the last acknowledgements with it before the broker has read them.
    private static func drain(_ socket: Int32) {
        shutdown(socket, Int32(SHUT_WR))
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<100 {
            var event = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&event, 1, 200) > 0, unsafe recv(socket, &bytes, bytes.count, Int32(MSG_DONTWAIT)) > 0
            else { break }
        }
        close(socket)
    }

    /// Begins to connect; the loop finishes it. `address` is numeric, so nothing blocks.
    func connect(address: String, port: UInt16, keepAlive: Duration) throws(LinkFailure) {
        // libmosquitto refuses keep-alives below 5 s; MQTT has 16 bits for it.
        let seconds = Int32(min(max(5, keepAlive.components.seconds), 65535))
        try Self.check(unsafe mosquitto_connect_async(client, address, Int32(port), seconds))
    }

    /// Reads and writes what is there without waiting, and keeps the connection alive.
    func loop() throws(LinkFailure) {
        try judge(unsafe guarded { client, timeout, packets in unsafe mosquitto_loop(OpaquePointer(client), timeout, packets) })
    }

    /// What a call of the loop and its callbacks say of the connection.
    private func judge(_ status: Int32) throws(LinkFailure) {
        if inbox.isPacketTooLong { throw .packetTooLong }
        if inbox.isVersionRefused { throw .versionRefused }
        if let rejection = inbox.rejection { throw .rejected(rejection) }
        if let farewell = inbox.farewell { throw .closed(farewell) }
        if status != MOSQ_ERR_SUCCESS.rawValue, let tls {
            if let failure = tls.failure { throw .tls(failure) }
            if !inbox.isAnswered { throw .closed(Self.cutOff) }
        }
        try Self.check(status)
        if inbox.isFlooded { throw .flooded }
        if inbox.isDisconnected || socket < 0 { throw .closed("the broker closed the connection") }
    }

    /// Writes what there is, reads until the socket is empty or the inbox has had enough, and keeps the connection alive.
    /// A select for each packet, as in `mosquitto_loop`, costs a quarter of the time (measured).
    mutating func exchange(_ flow: LinkFlow, isReadable: Bool) throws(LinkFailure) {
        // Before the reading: the acknowledgements of what is read now are not for now.
        if flow == .both || flow == .writing, wantsToWrite {
            // Thousands of acknowledgements of four bytes: the library writes each by itself, the kernel sends them together.
            cork(true)
            defer { cork(false) }
            try judge(unsafe mosquitto_loop_write(client, 1))
        }
        if isReadable, flow == .both || flow == .reading {
            hasMore = true
            while hasMore && inbox.hasRoom {
                errno = 0
                let status = unsafe guarded { client, _, packets in unsafe mosquitto_loop_read(OpaquePointer(client), packets) }
                if errno == EAGAIN { hasMore = false }
                try judge(status)
            }
        }
        try judge(unsafe mosquitto_loop_misc(client))
    }

    private func cork(_ isOn: Bool) {
        var flag: Int32 = isOn ? 1 : 0
        unsafe _ = setsockopt(socket, Int32(IPPROTO_TCP), TCP_CORK, &flag, 4)
    }

    /// One of the library's loops, with which no broker can end the process or fill its memory.
    private func guarded(
        _ loop: @convention(c) (_ client: UnsafeMutableRawPointer?, _ timeout: Int32, _ packets: Int32) -> Int32
    ) -> Int32 {
        let limit = inbox.isListening ? Self.packetBytes.listening : Self.packetBytes.otherwise
        let status = unsafe broker_guard_loop(
            loop, UnsafeMutableRawPointer(client), 0, 1, limit, Int32(MOSQ_ERR_PROTOCOL.rawValue))
        if broker_guard_is_too_long() { inbox.packetIsTooLong() }
        return status
    }

    /// libmosquitto makes room for a packet of any length, 256 MB at most, and 3.1.1 has no word to ask for shorter ones.
    /// Who listens is told of messages that are too large and stays connected with them, up to here; who does not listen
    /// gets nothing longer than a farewell. What is longer ends the connection.
    private static var packetBytes: (listening: Int, otherwise: Int) { (6 << 20, 1 << 20) }

    /// Looks at a connection that is being made. libmosquitto takes a refused one, or one that is closed in the middle of
    /// the handshake, for one that takes its time (SSL_ERROR_SYSCALL in 2.0.11), and would spin until the limit.
    func checkOpening() throws(LinkFailure) {
        guard let tls else { return }
        var (peer, room) = (sockaddr_storage(), socklen_t(MemoryLayout<sockaddr_storage>.size))
        let hasPeer = unsafe withUnsafeMutableBytes(of: &peer) { raw in
            unsafe getpeername(socket, raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), &room) == 0
        }
        if hasPeer { inbox.isReached = true }
        var (code, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        _ = unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length)
        var byte: UInt8 = 0
        let isAtEnd = unsafe recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
        guard code != 0 || isAtEnd else { return }
        guard inbox.isReached else {
            throw .connection(code == 0 ? "connection refused" : unsafe String(cString: strerror(code)))
        }
        // What the broker said before it went may still be there to be read: an alert says why.
        _ = unsafe guarded { client, timeout, packets in unsafe mosquitto_loop(OpaquePointer(client), timeout, packets) }
        if let failure = tls.failure { throw .tls(failure) }
        throw .closed(Self.cutOff)
    }

    /// TLS 1.3 judges our certificate after its handshake, and the reset that follows may overtake the alert.
    private static let cutOff =
        "the broker closed the connection in the middle of the handshake: it may speak no TLS there, or want another "
        + "certificate of ours"

    var socket: Int32 { unsafe mosquitto_socket(client) }
    var wantsToWrite: Bool { unsafe mosquitto_want_write(client) }

    func publish(
        topic: String, payload: [UInt8], qos: Int32, isRetained: Bool, properties: MessageProperties?
    ) -> Published {
        // A zero byte would cut the topic on its way into C, and the message would go elsewhere.
        guard !topic.utf8.contains(0) else { return .poison("the topic holds a zero byte") }
        var messageID: Int32 = 0
        var list: OpaquePointer?
        if version == .v5, let properties { unsafe Self.add(properties, to: &list) }
        let status = unsafe mosquitto_publish_v5(
            client, &messageID, topic, Int32(clamping: payload.count), payload, qos, isRetained, list)
        if unsafe list != nil { unsafe mosquitto_property_free_all(&list) }
        switch mosq_err_t(status) {
        case MOSQ_ERR_SUCCESS: return .sent(messageID)
        case MOSQ_ERR_PAYLOAD_SIZE, MOSQ_ERR_INVAL, MOSQ_ERR_MALFORMED_UTF8, MOSQ_ERR_OVERSIZE_PACKET:
            return .poison(Self.text(status))
        default: return .failed(Self.failure(mosq_err_t(status)))
        }
    }

    /// What can't be said (a text of more than 65,535 bytes) is left out: the payload says it too.
    private static func add(_ properties: MessageProperties, to list: inout OpaquePointer?) {
        if let expiry = properties.expirySeconds {
            _ = unsafe mosquitto_property_add_int32(&list, Int32(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.rawValue), expiry)
        }
        if let type = properties.contentType {
            _ = unsafe mosquitto_property_add_string(&list, Int32(MQTT_PROP_CONTENT_TYPE.rawValue), type)
        }
        for (name, value) in properties.user {
            _ = unsafe mosquitto_property_add_string_pair(
                &list, Int32(MQTT_PROP_USER_PROPERTY.rawValue), name, value)
        }
    }

    enum Published {
        case sent(Int32)
        case poison(String)
        case failed(LinkFailure)
    }

    func subscribe(topic: String, qos: Int32) throws(LinkFailure) -> Int32 {
        var messageID: Int32 = 0
        try Self.check(unsafe mosquitto_subscribe(client, &messageID, topic, qos))
        inbox.isListening = true
        return messageID
    }

    func unsubscribe(topic: String) throws(LinkFailure) {
        try Self.check(unsafe mosquitto_unsubscribe(client, nil, topic))
    }

    private static func setCallbacks(_ client: OpaquePointer) {
        unsafe mosquitto_connect_v5_callback_set(client) { _, context, code, flags, properties in
            let inbox = unsafe CallbackInbox.of(context)
            var grant = unsafe inbox.grant(properties)
            grant.hasSession = flags & 1 != 0
            inbox.connectionAnswered(code, grant: grant)
        }
        unsafe mosquitto_disconnect_v5_callback_set(client) { _, context, code, _ in
            unsafe CallbackInbox.of(context).disconnected(code)
        }
        unsafe mosquitto_publish_v5_callback_set(client) { _, context, messageID, reason, _ in
            unsafe CallbackInbox.of(context).published(messageID, reason: reason)
        }
        unsafe mosquitto_subscribe_callback_set(client) { _, context, messageID, count, granted in
            let codes = unsafe UnsafeBufferPointer(start: granted, count: Int(max(0, count)))
            unsafe CallbackInbox.of(context).subscribed(messageID, granted: codes)
        }
        unsafe mosquitto_message_callback_set(client) { _, context, message in
            guard let message = unsafe message?.pointee, let topic = unsafe message.topic else { return }
            let payload = unsafe UnsafeRawBufferPointer(
                start: message.payload, count: message.payload == nil ? 0 : Int(max(0, message.payloadlen)))
            unsafe CallbackInbox.of(context).received(
                topic: topic, payload: payload, qos: message.qos, isRetained: message.retain,
                id: UInt16(truncatingIfNeeded: message.mid))
        }
    }

    private static func check(_ status: Int32) throws(LinkFailure) {
        if mosq_err_t(status) != MOSQ_ERR_SUCCESS { throw failure(mosq_err_t(status)) }
    }

    private static func failure(_ status: mosq_err_t) -> LinkFailure {
        if status == MOSQ_ERR_CONN_LOST { return .closed(text(Int32(status.rawValue))) }
        if status == MOSQ_ERR_ERRNO { return .connection(unsafe String(cString: strerror(errno))) }
        return .connection(text(Int32(status.rawValue)))
    }

    private static func text(_ status: Int32) -> String { unsafe String(cString: mosquitto_strerror(status)) }
}
