/* pace: how many polls a busy thread makes before it looks at I/O and timers.
 *
 * A look costs a system call, so with short polls there is one every PARK_INTERVAL of
 * them. But polls have no fixed length: 61 polls of a millisecond are 61 ms in which no
 * read is noticed, and a read beside such a task would take that long. So each look
 * measures how long the polls since the last one took, and the next stretch is cut to
 * what fits into PACE_NS: one poll, if they are that long (RULES S9). It grows again, by
 * doubling, when they become short.
 *
 * Source: Tokio tunes its workers' interval by the mean poll time, too.
 * Threads: the one whose polls are counted. Unit: nanoseconds. */
#ifndef LESSON02_PACE_H
#define LESSON02_PACE_H

#include <stdbool.h>

#include "common/clock.h"
#include "lesson02_wakers/parker.h"

#define PACE_NS (200 * NS_PER_US)

struct pace {
    unsigned left;     /* polls until the next look */
    unsigned interval; /* 1 .. PARK_INTERVAL */
    uint64_t looked;   /* when; 0: it slept since, which is no measure */
};

static inline void pace_init(struct pace *pace)
{
    *pace = (struct pace){ PARK_INTERVAL, PARK_INTERVAL, 0 };
}

/* Once a poll. True: it is time, and pace_look follows. */
static inline bool pace_count(struct pace *pace)
{
    return --pace->left == 0;
}

static inline void pace_look(struct pace *pace, uint64_t now)
{
    uint64_t took = pace->looked ? now - pace->looked : PACE_NS;
    if (took > PACE_NS)
        pace->interval = (unsigned)(pace->interval * PACE_NS / took);
    else if (took < PACE_NS / 2)
        pace->interval *= 2;
    if (pace->interval == 0)
        pace->interval = 1;
    if (pace->interval > PARK_INTERVAL)
        pace->interval = PARK_INTERVAL;
    pace->left = pace->interval;
    pace->looked = now;
}

/* The thread slept: what comes now has another length. */
static inline void pace_slept(struct pace *pace)
{
    pace->looked = 0;
}

#endif
