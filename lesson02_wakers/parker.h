/* parker: how a thread sleeps when it has nothing to do, and how it is woken.
 *
 * One token. unpark puts the token there; park takes it, and sleeps while there is none.
 *   P1  unpark before park is not lost: the next park returns at once.
 *   P2  two unparks before a park are one token.
 *   P3  park may return early, for no reason; callers loop.
 *   P4  unpark runs no task and may be called from any thread, and from a signal handler
 *       where the implementation says so.
 *   P5  park(0) never sleeps, but does the parker's other work (reaps completions, fires
 *       timers). An executor calls it at least every PARK_INTERVAL polls, so that I/O and
 *       timers do not starve beside busy tasks (RULES S8, S9).
 * parker_contract.h checks them for any implementation.
 *
 * Implemented by the thread parker (lesson 2), the ring (lesson 3), the reactor
 * (lesson 5) and a ring a core (lesson 7). */
#ifndef LESSON02_PARKER_H
#define LESSON02_PARKER_H

#include <stdint.h>

/* Polls between two park(0) of a busy executor. A prime, so that it does not fall into
 * step with a program's own rhythm. */
#define PARK_INTERVAL 61

#define PARK_FOREVER INT64_C(-1)

struct parker;

struct parker_ops {
    const char *name; /* static */
    /* timeout_ns: 0 never sleeps, PARK_FOREVER has no limit. 0 or negative errno; an
     * error means that the parker cannot sleep or do its work any more. */
    int (*park)(struct parker *parker, int64_t timeout_ns);
    void (*unpark)(struct parker *parker);
};

struct parker {
    const struct parker_ops *ops; /* borrows; static */
};

static inline int parker_park(struct parker *parker, int64_t timeout_ns)
{
    return parker->ops->park(parker, timeout_ns);
}

static inline void parker_unpark(struct parker *parker)
{
    parker->ops->unpark(parker);
}

#endif
