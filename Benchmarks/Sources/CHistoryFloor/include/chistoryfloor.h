// The limit in C that the history is compared with: rings of fixed slots. Own code, nothing copied.
#ifndef LINESIDE_CHISTORYFLOOR_H
#define LINESIDE_CHISTORYFLOOR_H

#include <stdint.h>

/// A reading as the gateway holds it, 24 bytes.
typedef struct {
    int64_t time;
    uint64_t bits;
    int32_t tag;
    uint16_t quality;
    uint8_t kind;
    uint8_t unused;
} chistoryfloor_reading;

/// CPU time of the calling thread in nanoseconds.
int64_t chistoryfloor_thread_cpu(void);

/// Standard output goes out line by line, into a pipe too.
void chistoryfloor_show_lines(void);

/// Rings of `slots` (a power of two) slots of 16 bytes, one for each of `tags` tags.
void *chistoryfloor_make(int tags, int slots);
void chistoryfloor_free(void *rings);
/// Puts each reading into its tag's ring. Nothing else: no quality, no last value, no bound over all.
void chistoryfloor_append(void *rings, const chistoryfloor_reading *readings, int64_t count);
/// The sum of the newest `count` values of a tag.
double chistoryfloor_sum(const void *rings, int tag, int count);

#endif
