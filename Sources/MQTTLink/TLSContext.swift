// OpenSSL's context for one connection, in Swift.

internal import CBrokerTLS

/// Owns a `broker_tls`. It must live longer than the client that uses it. Used on the thread of its link only.
@safe
final class TLSContext {
    private let tls: OpaquePointer

    init(_ plan: TLSPlan, host: String) throws(LinkFailure) {
        var problem = [CChar](repeating: 0, count: 256)
        let room = problem.count
        guard
            let made = unsafe broker_tls_new(
                plan.serverName ?? host, plan.authorities, plan.certificate, plan.key, &problem, room)
        else {
            throw .tls(String(decoding: problem.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        unsafe tls = made
    }

    deinit { unsafe broker_tls_free(tls) }

    /// Lends the SSL_CTX to who gives it to a client.
    func install(_ body: (UnsafeMutableRawPointer?) -> Int32) -> Int32 { unsafe body(broker_tls_context(tls)) }

    /// Why the handshake failed; nil when it did not, or not for a reason of TLS.
    var failure: String? {
        let text = unsafe String(cString: broker_tls_failure(tls))
        return text.isEmpty ? nil : text
    }
}
