// A fast Modbus TCP server in a child process: epoll, answers what has come in one send.
#define _GNU_SOURCE
#include "cfloor.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_addresses = 512, noted_addresses = 4, most_arrivals = 65536, most_connections = 2048 };

static struct shared {
    int64_t requests;
    int is_noting;
    int arrivals[noted_addresses];
    int64_t arrival[noted_addresses][most_arrivals];
} *shared;

static pid_t children[64];
static int child_count;

struct connection {
    int descriptor, address, filled;
    uint8_t bytes[4096];
};
static struct connection *connections[most_connections];
static uint8_t registers[65536 * 2 + 250];

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int64_t cfloor_thread_cpu(void) { return now(CLOCK_THREAD_CPUTIME_ID); }

// A child of ours: 0 in the child, which must not outlive us.
pid_t cfloor_child(void) {
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
        return 0;
    }
    if (child > 0 && child_count < 64) children[child_count++] = child;
    return child;
}

void cfloor_stop_children(void) {
    for (int i = 0; i < child_count; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    child_count = 0;
}

static int answer(struct connection *of, const uint8_t *request, uint8_t *out) {
    int function = request[7], address = request[8] << 8 | request[9], count = request[10] << 8 | request[11];
    memcpy(out, request, 8);
    shared->requests++;
    if (address == 0 && shared->is_noting && of->address < noted_addresses) {
        int *n = &shared->arrivals[of->address];
        if (*n < most_arrivals) shared->arrival[of->address][(*n)++] = now(CLOCK_MONOTONIC);
    }
    if ((function != 3 && function != 4) || count < 1 || count > 125) {
        out[4] = 0, out[5] = 3, out[7] |= 0x80, out[8] = function == 3 || function == 4 ? 3 : 1;
        return 9;
    }
    int bytes = 2 * count, following = 3 + bytes;
    out[4] = following >> 8, out[5] = following, out[8] = bytes;
    memcpy(out + 9, registers + 2 * address, bytes);
    return 9 + bytes;
}

// All whole requests that have come, answered together. 0 when the connection is over.
static int serve(struct connection *of) {
    static uint8_t out[4096 / 12 * 260];
    ssize_t got = recv(of->descriptor, of->bytes + of->filled, sizeof of->bytes - of->filled, 0);
    if (got <= 0) return 0;
    of->filled += got;
    int done = 0, length = 0;
    while (of->filled - done >= 12) {
        length += answer(of, of->bytes + done, out + length);
        done += 12;
    }
    memmove(of->bytes, of->bytes + done, of->filled -= done);
    return length == 0 || send(of->descriptor, out, length, MSG_NOSIGNAL) == length;
}

static void run(int *listeners, int count) {
    int poller = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = most_connections + i};
        epoll_ctl(poller, EPOLL_CTL_ADD, listeners[i], &event);
    }
    struct epoll_event events[64];
    for (;;) {
        int ready = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            uint64_t at = events[i].data.u64;
            if (at < most_connections) {
                if (!serve(connections[at])) {
                    close(connections[at]->descriptor);
                    free(connections[at]);
                    connections[at] = NULL;
                }
                continue;
            }
            int descriptor = accept(listeners[at - most_connections], NULL, NULL), one = 1, slot = 0;
            if (descriptor < 0) continue;
            while (slot < most_connections && connections[slot]) slot++;
            struct connection *made = slot < most_connections ? calloc(1, sizeof *made) : NULL;
            if (!made) {
                close(descriptor);
                continue;
            }
            made->descriptor = descriptor, made->address = at - most_connections;
            connections[slot] = made;
            setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            struct epoll_event event = {.events = EPOLLIN, .data.u64 = slot};
            epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
        }
    }
}

int cfloor_server_start(int addresses) {
    if (addresses < 1 || addresses > most_addresses) return -1;
    if (!shared) {
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) return -1;
    }
    shared->requests = 0;
    int ends[2], port = 0;
    if (pipe(ends)) return -1;
    pid_t child = cfloor_child();
    if (child == 0) {
        // The child has as many descriptors as it likes: it holds no libmodbus.
        struct rlimit limit = {4096, 4096};
        setrlimit(RLIMIT_NOFILE, &limit);
        for (int i = 0; i < 65536; i++) registers[2 * i] = i >> 8, registers[2 * i + 1] = i;
        static int listeners[most_addresses];
        for (int i = 0; i < addresses; i++) {
            struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
            // 127.0.1.1 … 127.0.2.244: all of 127/8 is ours.
            name.sin_addr.s_addr = htonl(0x7F000101 + i);
            socklen_t length = sizeof name;
            int one = 1;
            listeners[i] = socket(AF_INET, SOCK_STREAM, 0);
            setsockopt(listeners[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            if (bind(listeners[i], (void *)&name, sizeof name) || listen(listeners[i], 64)) _exit(1);
            if (!port && getsockname(listeners[i], (void *)&name, &length) == 0) port = ntohs(name.sin_port);
        }
        if (write(ends[1], &port, sizeof port) != sizeof port) _exit(1);
        close(ends[0]), close(ends[1]);
        run(listeners, addresses);
        _exit(0);
    }
    close(ends[1]);
    int got = child > 0 ? read(ends[0], &port, sizeof port) : 0;
    close(ends[0]);
    return got == sizeof port ? port : -1;
}

int64_t cfloor_requests(void) { return shared ? __atomic_load_n(&shared->requests, __ATOMIC_RELAXED) : 0; }

void cfloor_note_arrivals(int on) {
    shared->is_noting = 0;
    memset(shared->arrivals, 0, sizeof shared->arrivals);
    shared->is_noting = on;
}
int cfloor_arrivals(int address) { return shared->arrivals[address]; }
int64_t cfloor_arrival(int address, int n) { return shared->arrival[address][n]; }
