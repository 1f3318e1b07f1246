// Three functions of libraries stand here before the real ones, because a program's symbols come first: outside of a
// guarded loop they do what the real ones do.

#define _GNU_SOURCE
#include "broker_guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local jmp_buf way_back;
static _Thread_local bool is_guarded, is_too_long;
static _Thread_local size_t most_bytes;

int broker_guard_loop(int (*loop)(void *client, int a, int b), void *client, int a, int b, size_t most, int broken) {
    most_bytes = most;
    is_too_long = false;
    if (_setjmp(way_back) != 0) {
        is_guarded = false;
        return broken;
    }
    is_guarded = true;
    int status = loop(client, a, b);
    is_guarded = false;
    return status;
}

bool broker_guard_is_too_long(void) { return is_too_long; }

static bool is_refused(size_t bytes) {
    if (!is_guarded || bytes <= most_bytes) return false;
    is_too_long = true;
    errno = EMSGSIZE;
    return true;
}

// glibc exports its own under this name, too.
extern ssize_t __read(int file, void *buffer, size_t bytes);

ssize_t read(int file, void *buffer, size_t bytes) {
    return is_refused(bytes) ? -1 : __read(file, buffer, bytes);
}

int SSL_read(SSL *ssl, void *buffer, int bytes) {
    static int (*_Atomic real)(SSL *, void *, int);
    if (bytes > 0 && is_refused((size_t)bytes)) return -1;
    if (real == NULL) real = (int (*)(SSL *, void *, int))dlsym(RTLD_NEXT, "SSL_read");
    return real(ssl, buffer, bytes);
}

_Noreturn void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function) {
    if (is_guarded && function != NULL && strcmp(function, "log__printf") == 0) _longjmp(way_back, 1);
    fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file, line, function != NULL ? function : "?", assertion);
    abort();
}
