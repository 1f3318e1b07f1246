// A program that links this has a malloc that counts.
#ifndef LINESIDE_CALLOCATIONS_H
#define LINESIDE_CALLOCATIONS_H

#include <stdint.h>

/// Calls of malloc, calloc, realloc and memalign that the calling thread has made.
int64_t callocations(void);

#endif
