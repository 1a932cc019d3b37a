/* countdown: the simplest leaf there is. Not ready until some time has passed.
 *
 * It breaks rule F2 on purpose: it returns POLL_PENDING without arranging for anybody
 * to be woken, since in lesson 1 there is nobody who could. Whoever polls it must keep
 * asking (spin.h). Lesson 2 shows what happens when an executor trusts it.
 *
 * Ownership: none. Threads: as for any future. Unit: milliseconds. */
#ifndef LESSON01_COUNTDOWN_H
#define LESSON01_COUNTDOWN_H

#include "lesson01_futures/future.h"

struct countdown {
    struct future future;
    uint64_t delay_ns;
    uint64_t deadline; /* set by the first poll */
    uint64_t polls;    /* output: how often it was asked */
    int result;        /* output: 0, or -ECANCELED */
    bool started;
    bool cancelled;
};

/* Ready this long after its first poll, not after its construction: futures are lazy. */
struct countdown countdown_ms(unsigned milliseconds);

#endif
