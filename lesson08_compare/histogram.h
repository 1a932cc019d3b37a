/* histogram: latencies, in nanoseconds, in 39 KiB, however many there are.
 *
 * Below 128 ns each value has its own bucket; above, each power of two is cut into 128
 * equal buckets, so that a bucket is never wider than 1/128 (0.8 %) of the values in
 * it. A percentile therefore is at most 0.8 % too high and never too low. Values beyond
 * HISTOGRAM_LIMIT (73 minutes) count as the limit; the maximum is kept exactly.
 *
 * Source: Gil Tene's HdrHistogram, whose layout this is.
 * Threads: one at a time; give each its own and merge them. */
#ifndef LESSON08_HISTOGRAM_H
#define LESSON08_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 7
#define HISTOGRAM_STEPS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_TOP_BIT 42
#define HISTOGRAM_LIMIT ((UINT64_C(1) << HISTOGRAM_TOP_BIT) - 1)
#define HISTOGRAM_BUCKETS ((HISTOGRAM_TOP_BIT - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count;
    uint64_t max; /* exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* A zeroed struct is an empty histogram. */
void histogram_add(struct histogram *histogram, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that `fraction` of all values do not exceed (0.99: p99); 0 when empty.
 * fraction is within [0, 1]; 1 is the exact maximum. */
uint64_t histogram_percentile(const struct histogram *histogram, double fraction);

#endif
