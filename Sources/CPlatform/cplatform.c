#define _GNU_SOURCE
#include "cplatform.h"

#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static uint32_t table[8][256];

static void make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xFF];
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

uint32_t lineside_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
    pthread_once(&once, make_table);
    const uint8_t *p = bytes;
    crc = ~crc;
    while (length >= 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        crc = table[7][low & 0xFF] ^ table[6][low >> 8 & 0xFF] ^ table[5][low >> 16 & 0xFF] ^ table[4][low >> 24]
            ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
        p += 8;
        length -= 8;
    }
    while (length--) crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_native(uint32_t crc, const uint8_t *p, size_t length) {
    uint64_t wide = ~crc;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
        p += 8;
        length -= 8;
    }
    uint32_t narrow = (uint32_t)wide;
    while (length--) narrow = __builtin_ia32_crc32qi(narrow, *p++);
    return ~narrow;
}
static int has_native(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
__attribute__((target("+crc"))) static uint32_t crc32c_native(uint32_t crc, const uint8_t *p, size_t length) {
    crc = ~crc;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = __builtin_arm_crc32cd(crc, word);
        p += 8;
        length -= 8;
    }
    while (length--) crc = __builtin_arm_crc32cb(crc, *p++);
    return ~crc;
}
static int has_native(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#else
static uint32_t crc32c_native(uint32_t crc, const uint8_t *p, size_t length) {
    return lineside_crc32c_portable(crc, p, length);
}
static int has_native(void) { return 0; }
#endif

uint32_t lineside_crc32c(uint32_t crc, const void *bytes, size_t length) {
    static int native = -1;
    if (native < 0) native = has_native();
    return native ? crc32c_native(crc, bytes, length) : lineside_crc32c_portable(crc, bytes, length);
}

void lineside_name_thread(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    pthread_setname_np(pthread_self(), cut);
}

int lineside_event_open(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int lineside_wait_readable(int descriptor, int64_t nanoseconds) {
    struct pollfd event = {.fd = descriptor, .events = POLLIN};
    struct timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    return ppoll(&event, 1, &time, NULL);
}

void lineside_limit_arenas(int count) { mallopt(M_ARENA_MAX, count); }

void lineside_return_freed_memory(void) { malloc_trim(0); }

static int release_object(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // Never written, not even by the loader's relocations (those are in segments that are writable to begin with): the
        // file says the same again.
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) || segment->p_filesz != segment->p_memsz) continue;
        const uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        const uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (end > start) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void lineside_return_program_pages(void) { dl_iterate_phdr(release_object, NULL); }

int lineside_spawn(const char *const *arguments, int output) {
    pid_t child = fork();
    if (child != 0) return child;
    // Between fork and exec only calls that are safe in a copy of a process with many threads.
    setpgid(0, 0);
    // A thread of a pool has signals blocked, and the process ignores SIGPIPE: a child would inherit both.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(output, 1);
    dup2(output, 2);
    execv(arguments[0], (char *const *)arguments);
    _exit(127);
}
