/* timeout: at most this long.
 *
 *     self->op = io_recv(...);
 *     AWAIT(self->limit, timeout(&self->op.future, 500 * NS_PER_MS));
 *     if (self->limit.expired) ...      // and look at self->op.result all the same
 *
 * When the time is over the child is cancelled and awaited (F4): READY means that both
 * the child and the clock are done. A child that finished in the same moment keeps its
 * real result, so always look at it, also when `expired` (a descriptor may be in it).
 *
 * Ownership: borrows the child, which lives in the caller's frame. Threads: as for any
 * future. Unit: nanoseconds. */
#ifndef LESSON05_TIMEOUT_H
#define LESSON05_TIMEOUT_H

#include "lesson05_reactor/timers.h"

struct timeout {
    struct future future;
    struct future *child; /* borrows */
    struct sleep sleep;
    bool cancelled;
    bool expired; /* output: the time was over before the child was done */
};

struct timeout timeout(struct future *child, uint64_t limit_ns);

#endif
