/* fuzz: what every fuzz target includes.
 *
 * A target is one file, fuzz_NAME.c in a lesson, with one function, which is called with
 * one input after the other. Any bytes are an input. What must hold is said with CHECK;
 * the sanitizers watch the rest. Who calls it: libFuzzer, which learns from the branches
 * that an input takes, or the driver in fuzz_main.c, which any compiler can build.
 *
 * Choices (where to cut, how large a limit) are taken from a checksum of the input and
 * not from bytes of it, so that the files of a corpus are what they look like.
 *
 * Threads: one. */
#ifndef COMMON_FUZZING_FUZZ_H
#define COMMON_FUZZING_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* 0: the input may stay in the corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes in a heap block of exactly their size, so that ASan and valgrind see a look
 * beyond them. The caller frees it. */
static inline char *fuzz_copy(const void *bytes, size_t size)
{
    char *copy = malloc(size);
    CHECK(copy || size == 0, "no memory for an input of %zu bytes", size);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* The same with a 0 behind them; an input's own 0 ends it early. */
static inline char *fuzz_text(const void *bytes, size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text, "no memory for an input of %zu bytes", size);
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

/* A number below `bound` that only the input decides; another `salt`, another number. */
static inline size_t fuzz_choose(const void *data, size_t size, size_t bound,
                                 unsigned salt)
{
    const unsigned char *bytes = data;
    uint64_t hash = UINT64_C(14695981039346656037) + salt;
    for (size_t i = 0; i < size; i++) /* FNV-1a */
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return bound > 0 ? (size_t)((hash ^ hash >> 32) % bound) : 0;
}

#endif
