// Rows in plain C: the format of Documentation/Formats/journal.md as a C programmer would write it for speed.
#define _GNU_SOURCE
#include "cjournalfloor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FIELD_TAG = 8, FIELD_TIME = 16, FIELD_STATE = 32, FIELD_BATCH = 64, FIELD_DEVICE = 128 };
enum { PRODUCT = 10, DECIMALS = 20, FLOAT = 20, INTEGER = 21, ONCE = 22, NEAR = 23, NEAR_IN = 32, CODED = 7 };
enum { REAL = 3, MISFITS = 8 };

struct tag_state {
    int64_t number;
    uint64_t bits;
    uint32_t state, follower, device;
    uint8_t mapping, steady, misfits;
};

struct tag_clock {
    int64_t time, step;
};

struct jf_encoder {
    uint32_t tags, last;
    struct tag_clock *clocks;
    struct tag_state states[];
};

static const double power[10] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
static const double part[10] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9};
static const double rounder = 6755399441055744.0, limit = 2251799813685248.0;
/// By the highest bit: mode, and bytes above it.
static uint16_t widths[64];

__attribute__((constructor)) static void make_widths(void) {
    static const int bits[6] = {7, 15, 23, 31, 47, 64}, bytes[6] = {1, 2, 3, 4, 6, 8};
    for (int bit = 0; bit < 64; bit++) {
        int mode = 0;
        while (bit >= bits[mode]) mode++;
        widths[bit] = (uint16_t)(mode + 1 + bytes[mode] * 256);
    }
}

static inline uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}
static inline double value_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

static uint8_t *put_count(uint8_t *output, uint64_t count) {
    for (; count >= 128; count >>= 7) *output++ = (uint8_t)count | 128;
    *output++ = (uint8_t)count;
    return output;
}
static uint8_t *put_difference(uint8_t *output, int64_t difference) {
    return put_count(output, (uint64_t)difference << 1 ^ (uint64_t)(difference >> 63));
}

static inline double decimal(int64_t number, uint8_t mapping) {
    return mapping < PRODUCT ? (double)number / power[mapping] : (double)number * part[mapping - PRODUCT];
}

static inline __attribute__((always_inline)) int fit(uint64_t bits, uint8_t mapping, int64_t *number) {
    double value = value_of(bits);
    if (mapping < DECIMALS) {
        double factor = power[mapping < PRODUCT ? mapping : mapping - PRODUCT];
        double scaled = value * factor, sum = scaled + rounder, rounded = sum - rounder;
        double back = mapping < PRODUCT ? rounded / factor : rounded * part[mapping - PRODUCT];
        *number = (int64_t)(bits_of(sum) - bits_of(rounder));
        return bits_of(back) == bits && fabs(scaled) < limit;
    }
    if (mapping == FLOAT) {
        float single = (float)value;
        uint32_t pattern;
        memcpy(&pattern, &single, 4);
        *number = pattern;
        return bits_of(single) == bits;
    }
    *number = (int64_t)bits;
    return 1;
}

static inline __attribute__((always_inline)) uint8_t *put_number(uint8_t *output, struct tag_state *known, int64_t number, uint64_t bits, uint8_t *mode) {
    int64_t difference = (int64_t)((uint64_t)number - (uint64_t)known->number);
    if (known->mapping == FLOAT) difference = (int32_t)difference;
    int bit = 63 - __builtin_clzll((uint64_t)(difference ^ difference >> 63) | 1);
    memcpy(output, &difference, 8);
    known->number = number;
    known->bits = bits;
    *mode |= (uint8_t)widths[bit];
    return output + (widths[bit] >> 8);
}

static uint8_t *adopt(uint8_t *output, struct tag_state *known, uint8_t mapping, uint8_t code, int64_t number) {
    known->mapping = mapping;
    known->number = number;
    *output++ = code;
    if (mapping != FLOAT) return put_difference(output, number);
    memcpy(output, &number, 4);
    return output + 4;
}

static uint8_t *adopt_decimal(uint8_t *output, struct tag_state *known, uint64_t bits, int least, int most) {
    for (int exponent = least; exponent <= most && exponent < 10; exponent++)
        for (int product = 1; product >= 0; product--) {
            int64_t number;
            uint8_t mapping = (uint8_t)(exponent + (product ? PRODUCT : 0));
            if (fit(bits, mapping, &number)) return adopt(output, known, mapping, mapping, number);
        }
    return NULL;
}

static int near_to(uint64_t bits, uint8_t mapping, int64_t *number, int8_t *error) {
    double scaled = value_of(bits) * power[mapping < PRODUCT ? mapping : mapping - PRODUCT];
    if (!(fabs(scaled) < limit)) return 0;
    *number = (int64_t)(bits_of(scaled + rounder) - bits_of(rounder));
    int64_t off = (int64_t)(bits - bits_of(decimal(*number, mapping)));
    *error = (int8_t)off;
    return off == (int8_t)off;
}

static uint8_t *put_coded(uint8_t *output, struct tag_state *known, uint64_t bits, int is_real) {
    int64_t number;
    int8_t error;
    if (!is_real) return adopt(output, known, INTEGER, INTEGER, (int64_t)bits);
    int exponent = known->mapping < DECIMALS ? known->mapping % 10 : -1;
    uint8_t *end;
    if (exponent >= 0 && (end = adopt_decimal(output, known, bits, 0, exponent))) return end;
    if (exponent >= 0 && near_to(bits, known->mapping, &number, &error)) {
        *output++ = NEAR;
        output = put_difference(output, number - known->number);
        *output++ = (uint8_t)error;
        known->number = number;
        return output;
    }
    if ((end = adopt_decimal(output, known, bits, exponent + 1, exponent + 1 > 4 ? exponent + 1 : 4))) return end;
    if (fit(bits, FLOAT, &number)) return adopt(output, known, FLOAT, FLOAT, number);
    if ((end = adopt_decimal(output, known, bits, 0, 9))) return end;
    for (uint8_t product = PRODUCT; product < DECIMALS; product++)
        if (near_to(bits, product, &number, &error)) {
            output = adopt(output, known, product, NEAR_IN + product, number);
            *output++ = (uint8_t)error;
            return output;
        }
    if (++known->misfits >= MISFITS) return adopt(output, known, INTEGER, INTEGER, (int64_t)bits);
    *output++ = ONCE;
    memcpy(output, &bits, 8);
    return output + 8;
}

static __attribute__((noinline)) uint8_t *slow(uint8_t *output, struct tag_state *known, uint64_t bits, uint32_t state,
                                               uint8_t *control) {
    if (state != known->state) {
        *control |= FIELD_STATE;
        int same = (uint16_t)state == (uint16_t)known->state;
        *output++ = (uint8_t)(state >> 16 | (same ? 8 : 0));
        if (!same) {
            memcpy(output, &state, 2);
            output += 2;
        }
        known->state = state;
    }
    if (bits == known->bits) return output;
    int64_t number;
    if (fit(bits, known->mapping, &number)) return put_number(output, known, number, bits, control);
    output = put_coded(output, known, bits, state >> 16 == REAL);
    known->bits = bits;
    *control |= CODED;
    return output;
}

size_t jf_encode(struct jf_encoder *encoder, const struct jf_reading *rows, size_t count, uint32_t device, int64_t time,
                 uint8_t *start) {
    struct tag_state *states = encoder->states, *before = &states[encoder->last < encoder->tags ? encoder->last : encoder->tags];
    uint32_t last = encoder->last;
    uint8_t *output = start, *run_end = NULL;
    for (size_t row = 0; row < count; row++) {
        const struct jf_reading *reading = &rows[row];
        uint32_t tag = reading->tag, state = reading->quality | (uint32_t)reading->kind << 16;
        uint64_t bits = reading->bits;
        struct tag_state *known = &states[tag < encoder->tags ? tag : encoder->tags];
        uint8_t *head = output++, control = 0;
        if (__builtin_expect(row == 0 || tag != last + 1 + before->follower || reading->time != time || tag >= encoder->tags, 0)) {
            if (tag - last - 1 != before->follower) {
                before->follower = tag - last - 1;
                control |= FIELD_TAG;
                output = put_difference(output, (int32_t)(tag - last));
            }
            if (tag >= encoder->tags) memset(known, 0, sizeof *known);
            int64_t expected = time;
            if (row == 0 && tag < encoder->tags) {
                struct tag_clock *clock = &encoder->clocks[tag];
                if (known->steady) expected = clock->time + clock->step;
                int64_t step = reading->time - clock->time, error = step - clock->step, distance = reading->time - time;
                clock->time = reading->time;
                clock->step = step;
                known->steady = (error ^ error >> 63) < (distance ^ distance >> 63);
            }
            if (reading->time != expected) {
                control |= FIELD_TIME;
                output = put_difference(output, (int64_t)((uint64_t)reading->time - (uint64_t)expected));
            }
            if (row == 0) {
                control |= FIELD_BATCH;
                if (known->device != device) {
                    known->device = device;
                    control |= FIELD_DEVICE;
                    output = put_count(output, device);
                }
            }
        }
        if (state != known->state)
            output = slow(output, known, bits, state, &control);
        else if (bits != known->bits) {
            int64_t number;
            if (fit(bits, known->mapping, &number))
                output = put_number(output, known, number, bits, &control);
            else
                output = slow(output, known, bits, state, &control);
        }
        if (control) {
            *head = control;
        } else if (run_end == head && head[-1] != 0xBF) {
            head[-1] = (uint8_t)((head[-1] + 1) | 0x80);
            output = head;
        } else {
            *head = 0;
            run_end = output;
        }
        before = known;
        last = tag;
        time = reading->time;
    }
    encoder->last = last;
    return (size_t)(output - start);
}

struct jf_encoder *jf_encoder_make(uint32_t tags) {
    struct jf_encoder *encoder = calloc(1, sizeof *encoder + (tags + 1) * sizeof(struct tag_state));
    encoder->tags = tags;
    encoder->last = UINT32_MAX;
    encoder->clocks = calloc(tags + 1, sizeof *encoder->clocks);
    return encoder;
}
void jf_encoder_free(struct jf_encoder *encoder) {
    free(encoder->clocks);
    free(encoder);
}
void jf_encoder_reset(struct jf_encoder *encoder) {
    memset(encoder->states, 0, (encoder->tags + 1) * sizeof(struct tag_state));
    memset(encoder->clocks, 0, (encoder->tags + 1) * sizeof(struct tag_clock));
    encoder->last = UINT32_MAX;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t jf_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    uint64_t sum = ~crc;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; count; at++, count--) sum = __builtin_ia32_crc32qi((uint32_t)sum, *at);
    return ~(uint32_t)sum;
}
#elif defined(__aarch64__)
#include <arm_acle.h>
__attribute__((target("crc"))) uint32_t jf_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const uint8_t *at = bytes;
    uint32_t sum = ~crc;
    for (; count >= 8; at += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        sum = __crc32cd(sum, word);
    }
    for (; count; at++, count--) sum = __crc32cb(sum, *at);
    return ~sum;
}
#endif

enum { KEY_READINGS = 65536, KEY_BYTES = 262144 };

uint64_t jf_append(struct jf_encoder *encoder, const struct jf_reading *readings, size_t available, size_t rows,
                   size_t answers, size_t frame, int descriptor, uint64_t wrap, size_t commit, uint32_t *crcs) {
    uint8_t *buffer = malloc(frame + rows * 40 + 64);
    size_t used = 0, in_key = 0, key_bytes = 0, at = 0;
    uint64_t offset = 0, total = 0, sequence = 1;
    for (size_t answer = 1; answer <= answers; answer++) {
        if (used == 0) {
            memset(buffer, 0, 40);
            memcpy(buffer + 16, &sequence, 8);
            memcpy(buffer + 24, &readings[at].time, 8);
            used = 40;
            if (in_key >= KEY_READINGS || key_bytes >= KEY_BYTES) {
                jf_encoder_reset(encoder);
                in_key = key_bytes = 0;
            }
        }
        int64_t time = used == 40 ? readings[at].time : readings[at - 1 < available ? at - 1 : available - 1].time;
        used += jf_encode(encoder, readings + at, rows, 0, time, buffer + used);
        in_key += rows;
        sequence += rows;
        at = at + 2 * rows <= available ? at + rows : 0;
        int commits = commit && answer % commit == 0;
        if (used < frame && !commits && answer < answers) continue;
        size_t whole = (used + 7) & ~(size_t)7;
        memset(buffer + used, 0, whole - used);
        uint32_t crc = jf_crc32c(jf_crc32c(1, buffer, 8), buffer + 12, used - 12);
        memcpy(buffer + 8, &crc, 4);
        *crcs ^= crc;
        if (descriptor >= 0 && pwrite(descriptor, buffer, whole, (off_t)offset) != (ssize_t)whole) abort();
        if (commits && fdatasync(descriptor)) abort();
        offset += whole;
        if (commits) offset = (offset + 511) & ~(uint64_t)511;
        if (offset + frame + rows * 40 > wrap) offset = 0;
        total += whole;
        key_bytes += used;
        used = 0;
    }
    free(buffer);
    return total;
}

uint64_t jf_thread_cpu(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
