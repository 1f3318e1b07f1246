// TLS for libmosquitto: a context of OpenSSL's that checks the broker's name although the connection goes to an address.

#pragma once
#include <stddef.h>

/// One context, for one connection. Owned by who made it; freed after the client that uses it.
struct broker_tls;

/// NULL when a file can't be used, with the reason in `problem`. Paths may be NULL: without `ca` the system's certificates
/// are trusted, without `certificate` we have none.
struct broker_tls *broker_tls_new(
    const char *server_name, const char *ca, const char *certificate, const char *key, char *problem, size_t room);

/// The SSL_CTX, for MOSQ_OPT_SSL_CTX.
void *broker_tls_context(struct broker_tls *tls);

/// Why the handshake failed, in words for people; empty when it did not, or not for a reason of TLS.
const char *broker_tls_failure(const struct broker_tls *tls);

void broker_tls_free(struct broker_tls *tls);
