// TLS for libmosquitto: a context of OpenSSL's that checks the broker's name although the connection goes to an address.
//
// libmosquitto checks the certificate against what it connects to, and tells that to the server too (SNI). We connect to
// addresses that were looked up on another thread, so both are done here: the name to be checked is a parameter of the
// context, and SNI is set when a handshake begins, which is after libmosquitto has set its own.

#include "broker_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct broker_tls {
    SSL_CTX *context;
    char *server_name;
    int is_address;
    char failure[256];
};

static int is_address(const char *name) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/// The first reason stays: what follows is only its consequence.
static void note(struct broker_tls *tls, const char *what, const char *detail) {
    if (tls->failure[0] == 0) snprintf(tls->failure, sizeof tls->failure, "%s%s", what, detail);
}

static void on_handshake(const SSL *ssl, int where, int code) {
    struct broker_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (tls == NULL) return;
    if (where & SSL_CB_HANDSHAKE_START) {
        // RFC 6066, 3: no addresses. The callback's SSL is const, but this is what it is documented to be used for.
        char *name = tls->is_address ? NULL : tls->server_name;
        SSL_set_tlsext_host_name((SSL *)ssl, name);
    } else if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && code >> 8 == SSL3_AL_FATAL) {
        // RFC 8446, 6.2: 42 to 49 but illegal_parameter (47), and certificate_required (116), for which OpenSSL 3.0 has no word.
        int alert = code & 0xFF;
        int is_ours = (alert >= SSL3_AD_BAD_CERTIFICATE && alert <= TLS1_AD_ACCESS_DENIED && alert != 47) || alert == 116;
        const char *why = alert == 116 ? "none was given" : SSL_alert_desc_string_long(code);
        note(tls, is_ours ? "the broker doesn't accept our certificate: " : "the broker ends TLS: ", why);
    }
}

static int on_verification(int is_good, X509_STORE_CTX *store) {
    if (is_good) return is_good;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct broker_tls *tls = ssl ? SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) : NULL;
    if (tls == NULL) return is_good;
    int error = X509_STORE_CTX_get_error(store);
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        note(tls, "the broker's certificate is for another name than ", tls->server_name);
    } else {
        note(tls, "the broker's certificate can't be trusted: ", X509_verify_cert_error_string(error));
    }
    return is_good;
}

/// A key with a passphrase is refused; without this OpenSSL would ask the terminal.
static int no_passphrase(char *buffer, int size, int is_writing, void *user) {
    (void)buffer, (void)size, (void)is_writing, (void)user;
    return 0;
}

static const char *reason(void) {
    unsigned long code = ERR_peek_last_error();
    const char *text = code && ERR_GET_LIB(code) != ERR_LIB_SYS ? ERR_reason_error_string(code) : NULL;
    return text ? text : "no PEM, or it can't be read";
}

static int load(struct broker_tls *tls, const char *ca, const char *certificate, const char *key, char *problem, size_t room) {
    SSL_CTX *context = tls->context;
    X509_VERIFY_PARAM *parameters = SSL_CTX_get0_param(context);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_info_callback(context, on_handshake);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verification);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    // libmosquitto may write a packet from another place in memory when it tries again.
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int named = tls->is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, tls->server_name)
                                : X509_VERIFY_PARAM_set1_host(parameters, tls->server_name, 0);
    if (named != 1) return snprintf(problem, room, "%s is no name that a certificate may have", tls->server_name), 0;
    if (ca ? SSL_CTX_load_verify_locations(context, ca, NULL) != 1 : SSL_CTX_set_default_verify_paths(context) != 1)
        return snprintf(problem, room, "%s holds no certificates: %s", ca ? ca : "the system", reason()), 0;
    if (certificate == NULL) return 1;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return snprintf(problem, room, "%s holds no certificate: %s", certificate, reason()), 0;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        unsigned long code = ERR_peek_last_error();
        if (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH)
            return snprintf(problem, room, "%s is not the key of %s", key, certificate), 0;
        return snprintf(problem, room, "%s holds no private key without a passphrase: %s", key, reason()), 0;
    }
    if (SSL_CTX_check_private_key(context) != 1)
        return snprintf(problem, room, "%s is not the key of %s", key, certificate), 0;
    return 1;
}

struct broker_tls *broker_tls_new(
    const char *server_name, const char *ca, const char *certificate, const char *key, char *problem, size_t room) {
    ERR_clear_error();
    struct broker_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return NULL;
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->server_name = strdup(server_name);
    int is_made = tls->context != NULL && tls->server_name != NULL;
    if (is_made) {
        tls->is_address = is_address(server_name);
        is_made = load(tls, ca, certificate, key, problem, room);
    } else {
        snprintf(problem, room, "no memory for TLS");
    }
    ERR_clear_error();
    if (is_made) return tls;
    broker_tls_free(tls);
    return NULL;
}

void *broker_tls_context(struct broker_tls *tls) { return tls->context; }

const char *broker_tls_failure(const struct broker_tls *tls) { return tls->failure; }

void broker_tls_free(struct broker_tls *tls) {
    if (tls == NULL) return;
    if (tls->context) {
        // A client that lives longer must not call into what is freed here.
        SSL_CTX_set_app_data(tls->context, NULL);
        SSL_CTX_free(tls->context);
    }
    free(tls->server_name);
    free(tls);
}
