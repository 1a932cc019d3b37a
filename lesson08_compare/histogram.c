/* histogram: log-linear buckets.
 *
 * Problem: a p99.9 needs every latency of millions, but keeping and sorting them costs
 * memory and cache misses in the middle of the measurement; a histogram with equal
 * buckets is either coarse at 10 us or endless at 10 s. Idea: what matters is relative
 * error, so let the width of a bucket grow with the value. The top bit picks the power
 * of two, the seven bits below it the bucket: two shifts, no search.
 *
 * Invariant: the buckets tile [0, HISTOGRAM_LIMIT] in order, so a running sum over them
 * is the cumulative distribution. */
#include "lesson08_compare/histogram.h"

#include <math.h>

#include "common/check.h"

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(ns);
    unsigned shift = top_bit - HISTOGRAM_BITS;
    unsigned step = (unsigned)(ns >> shift) - HISTOGRAM_STEPS;
    return (shift + 1) * HISTOGRAM_STEPS + step;
}

/* The largest value that falls into the bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    if (ns > histogram->max)
        histogram->max = ns;
    histogram->buckets[bucket_of(ns < HISTOGRAM_LIMIT ? ns : HISTOGRAM_LIMIT)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

uint64_t histogram_percentile(const struct histogram *histogram, double fraction)
{
    CHECK(fraction >= 0 && fraction <= 1, "a percentile of %f is none", fraction);
    uint64_t seen = 0;
    uint64_t wanted = (uint64_t)ceil(fraction * (double)histogram->count);
    if (wanted >= histogram->count)
        return histogram->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted && seen > 0) {
            uint64_t top = top_of(i);
            return top < histogram->max ? top : histogram->max;
        }
    }
    return histogram->max;
}
