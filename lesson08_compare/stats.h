/* stats: how far a handful of runs can be trusted.
 *
 * A median with its spread. With five values or more the spread goes from the first to
 * the third quartile; with fewer, quartiles are a fiction and it goes from the smallest
 * to the largest. Two sets whose spreads overlap are not told apart: the lab then says
 * "no difference resolved" and leaves it there.
 *
 * Threads: any. */
#ifndef LESSON08_STATS_H
#define LESSON08_STATS_H

#include <stdbool.h>

#define STATS_MAX 100 /* values in a set */

struct spread {
    int count; /* 0: the other fields say nothing */
    double low, median, high;
};

/* n values, in any order; n <= STATS_MAX. */
struct spread stats_spread(const double *values, int n);

bool stats_overlap(struct spread a, struct spread b);

/* Does the spread of a ratio leave out 1? */
bool stats_differs_from_one(struct spread ratio);

#endif
