/* stats: sort, pick, compare.
 *
 * The median and not the mean, because disturbances go one way only: nothing makes a run
 * faster than the machine is, but a neighbour can make one arbitrarily slow. Quantiles
 * between two values are interpolated linearly (Hyndman and Fan 1996, type 7). */
#include "lesson08_compare/stats.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define QUARTILES_FROM 5

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int below = (int)at;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

struct spread stats_spread(const double *values, int n)
{
    double sorted[STATS_MAX];
    struct spread spread = { .count = n };
    CHECK(n >= 0 && n <= STATS_MAX, "%d values are too many", n);
    if (n == 0)
        return spread;
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    spread.median = quantile(sorted, n, 0.5);
    spread.low = n < QUARTILES_FROM ? sorted[0] : quantile(sorted, n, 0.25);
    spread.high = n < QUARTILES_FROM ? sorted[n - 1] : quantile(sorted, n, 0.75);
    return spread;
}

bool stats_overlap(struct spread a, struct spread b)
{
    return a.low <= b.high && b.low <= a.high;
}

bool stats_differs_from_one(struct spread ratio)
{
    return ratio.count > 0 && (ratio.low > 1 || ratio.high < 1);
}
