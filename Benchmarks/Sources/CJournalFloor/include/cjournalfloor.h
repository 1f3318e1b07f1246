// The floor of the journal: the same rows in plain C, with a checksum and pwrite, and nothing around them.
#ifndef LINESIDE_CJOURNALFLOOR_H
#define LINESIDE_CJOURNALFLOOR_H

#include <stddef.h>
#include <stdint.h>

/// A reading as the gateway has it in memory.
struct jf_reading {
    int64_t time;
    uint64_t bits;
    uint32_t tag;
    uint16_t quality;
    uint8_t kind, padding;
};

struct jf_encoder;
struct jf_encoder *jf_encoder_make(uint32_t tags);
void jf_encoder_free(struct jf_encoder *encoder);
void jf_encoder_reset(struct jf_encoder *encoder);
/// Rows of one answer behind `output`, which has 40 bytes a row. `time` is the time before. Returns how many bytes.
size_t jf_encode(struct jf_encoder *encoder, const struct jf_reading *rows, size_t count, uint32_t device, int64_t time,
                 uint8_t *output);

/// CRC-32C with the processor's instruction.
uint32_t jf_crc32c(uint32_t crc, const void *bytes, size_t count);

/// Encodes `answers` answers of `rows` readings each, `rows` apart in `readings` and again from the start when they end
/// at `available`, into frames of at least `frame` bytes, and writes them one behind the other to `descriptor` (-1: not
/// at all), from its start again at `wrap`. A commit (fdatasync) every `commit` answers; 0: never.
/// Returns how many bytes the frames had.
uint64_t jf_append(struct jf_encoder *encoder, const struct jf_reading *readings, size_t available, size_t rows,
                   size_t answers, size_t frame, int descriptor, uint64_t wrap, size_t commit, uint32_t *crcs);

/// CPU nanoseconds of the calling thread.
uint64_t jf_thread_cpu(void);

#endif
