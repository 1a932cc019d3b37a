/* right_answer: what a contestant's `check` and `ops` have to be. Threads: any. */
#ifndef LESSON08_RIGHT_ANSWER_H
#define LESSON08_RIGHT_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

struct right_answer {
    uint64_t ops, check;
};

/* The mixing function of WORKLOADS.md. */
uint64_t right_answer_mix(uint64_t x);

/* The answer for a workload of WORKLOADS.md; threads, depth and blocks where it has them.
 * False for a workload that is not known. */
bool right_answer(const char *workload, uint64_t n, uint64_t threads, uint64_t depth,
                  uint64_t blocks, struct right_answer *answer);

#endif
