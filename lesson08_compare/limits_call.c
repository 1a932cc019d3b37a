/* limits_call: the work itself, as a function that calls itself; and the least that a
 * million timers can cost, for somebody who knows them all in advance. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "lesson08_compare/limits.h"
#include "lesson08_compare/work_shapes.h"

/* ---- fib */

static uint64_t fib(uint64_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int limit_call_fib(struct work *work)
{
    work_begin(work);
    work_end(work, work_fib_spawns(work->n), fib(work->n));
    return 0;
}

/* ---- skynet */

static uint64_t skynet(uint64_t first, uint64_t leaves)
{
    uint64_t sum = 0, part = leaves / WORK_SKYNET_CHILDREN;
    if (leaves == 1)
        return first;
    for (uint64_t i = 0; i < WORK_SKYNET_CHILDREN; i++)
        sum += skynet(first + i * part, part);
    return sum;
}

int limit_call_skynet(struct work *work)
{
    work_begin(work);
    work_end(work, work_skynet_nodes(work->n), skynet(0, work->n));
    return 0;
}

/* ---- tree */

static uint64_t tree(uint64_t id, uint64_t children)
{
    uint64_t nodes = 1;
    for (uint64_t k = 0; k < children; k++) {
        uint64_t child = work_tree_child(id, k);
        nodes += tree(child, work_tree_children(child));
    }
    return nodes;
}

int limit_call_tree(struct work *work)
{
    work_begin(work);
    uint64_t nodes = tree(0, work->n);
    work_end(work, nodes, nodes);
    return 0;
}

/* ---- startup */

int limit_call_startup(struct work *work)
{
    work->begun = (struct work_clocks){ .wall_ns = work->since };
    work_end(work, 1, 1);
    return 0;
}

/* ---- timers */

static int by_deadline(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sleep_till(uint64_t deadline)
{
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

int limit_array_timers(struct work *work)
{
    uint64_t *deadlines = work_alloc(work->n, sizeof *deadlines);
    uint64_t due = 0;
    work_begin(work);
    for (uint64_t i = 0; i < work->n; i++)
        deadlines[i] = clock_now() + work_timer_ns(i);
    qsort(deadlines, work->n, sizeof *deadlines, by_deadline);
    while (due < work->n) {
        sleep_till(deadlines[due]);
        uint64_t now = clock_now();
        while (due < work->n && deadlines[due] <= now)
            due++;
    }
    work_end(work, work->n, due);
    free(deadlines);
    return 0;
}
