// What Swift cannot say of Linux: CPU instructions and variadic or macro-only calls.
#ifndef LINESIDE_CPLATFORM_H
#define LINESIDE_CPLATFORM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 B.4) of `length` bytes, continued from `crc` (0 to begin).
/// Uses SSE4.2 or the ARMv8 CRC instructions where the processor has them, a table otherwise.
uint32_t lineside_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The same without special instructions; for tests that compare the two.
uint32_t lineside_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

/// Names the calling thread, as `top -H` shows it: at most 15 bytes.
void lineside_name_thread(const char *name);

/// A counter to wake a waiting poll() with: eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK). Negative on failure.
int lineside_event_open(void);

/// Waits until `descriptor` is readable or `nanoseconds` have passed, with the kernel's own precision (ppoll).
/// Returns what ppoll returns.
int lineside_wait_readable(int descriptor, int64_t nanoseconds);

/// Holds malloc to `count` arenas. glibc makes one per thread up to eight per core, and each keeps what was freed in it:
/// with a thread per channel that is most of the process.
void lineside_limit_arenas(int count);

/// Gives freed memory back to the system, as far as malloc can.
void lineside_return_freed_memory(void);

/// Takes the pages of program code and constants out of the process; those that are used come back from the page cache.
void lineside_return_program_pages(void);

/// Starts `arguments[0]` (a path) as a child that gets SIGTERM when the calling thread ends, in a process group of its
/// own, with its output in `output`. For the demo only: the daemon starts no programs. Returns the pid, or -1.
int lineside_spawn(const char *const *arguments, int output);

#endif
