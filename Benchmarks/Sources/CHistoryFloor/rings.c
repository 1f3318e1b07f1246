// One ring of 16-byte slots for each tag: the least that can be done to remember readings.
#include "chistoryfloor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    int64_t time;
    uint64_t bits;
} slot;

typedef struct {
    int tags, slots;
    uint32_t *counts;
    slot *memory;
} rings;

int64_t chistoryfloor_thread_cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void chistoryfloor_show_lines(void) { setvbuf(stdout, 0, _IOLBF, 0); }

void *chistoryfloor_make(int tags, int slots) {
    rings *made = malloc(sizeof *made);
    made->tags = tags;
    made->slots = slots;
    made->counts = calloc(tags, sizeof *made->counts);
    made->memory = malloc((size_t)tags * slots * sizeof(slot));
    memset(made->memory, 0, (size_t)tags * slots * sizeof(slot));
    return made;
}

void chistoryfloor_free(void *pointer) {
    rings *all = pointer;
    free(all->counts);
    free(all->memory);
    free(all);
}

void chistoryfloor_append(void *pointer, const chistoryfloor_reading *readings, int64_t count) {
    rings *all = pointer;
    uint32_t mask = all->slots - 1;
    for (int64_t i = 0; i < count; i++) {
        uint32_t tag = readings[i].tag;
        slot *place = &all->memory[(size_t)tag * all->slots + (all->counts[tag]++ & mask)];
        place->time = readings[i].time;
        place->bits = readings[i].bits;
    }
}

double chistoryfloor_sum(const void *pointer, int tag, int count) {
    const rings *all = pointer;
    double sum = 0;
    for (int i = 0; i < count; i++) {
        double value;
        memcpy(&value, &all->memory[(size_t)tag * all->slots + (i & (all->slots - 1))].bits, 8);
        sum += value;
    }
    return sum;
}
