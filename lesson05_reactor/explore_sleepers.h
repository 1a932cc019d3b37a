/* explore_sleepers: tasks of an explored scenario, without an executor.
 *
 * Its first poll happens wherever the scenario puts it, on any thread. What an executor
 * does then - poll again who was woken, and nobody else - is done for all of them at the
 * end, on one thread, when the others are over: sleepers_run. Nobody can be woken any
 * more by then, so who waits and was not woken sleeps for ever. That costs far fewer
 * orders than an executor would, and finds each lost wake.
 *
 * For explored programs only. Ownership: caller-owned memory; borrows the futures.
 * Threads: a sleeper: one at a time. */
#ifndef LESSON05_EXPLORE_SLEEPERS_H
#define LESSON05_EXPLORE_SLEEPERS_H

#include "common/explore/explore.h"
#include "lesson02_wakers/waker_probe.h"

struct sleeper {
    struct waker_probe probe;
    struct future *future; /* borrows; NULL: has none, or it is READY */
    long heard;            /* wakes that came before the last poll */
};

static inline bool sleeper_poll_again(struct sleeper *self)
{
    bool ready = probe_poll(&self->probe, self->future) == POLL_READY;
    if (ready)
        self->future = NULL;
    return ready;
}

/* The first poll; true: READY. It reads no count of wakes, which would order this thread
 * after who woke, and hide that nothing else does. */
static inline bool sleeper_poll(struct sleeper *self, struct future *future)
{
    self->future = future;
    return sleeper_poll_again(self);
}

static inline bool sleeper_was_woken(const struct sleeper *self)
{
    return probe_read(&self->probe.wakes) > self->heard;
}

/* Its future is cancelled and polled, by the one who may. */
static inline void sleeper_cancel(struct sleeper *self)
{
    if (!self->future)
        return;
    future_cancel(self->future);
    EXPLORE_RULE("F6", sleeper_poll_again(self), "it was cancelled, and is not READY");
}

/* Polls who was woken, until nobody is. */
static inline void sleepers_run(struct sleeper *sleepers, int count)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < count; i++) {
            if (!sleepers[i].future || !sleeper_was_woken(&sleepers[i]))
                continue;
            sleepers[i].heard = probe_read(&sleepers[i].probe.wakes);
            sleeper_poll_again(&sleepers[i]);
            again = true;
        }
    }
}

/* All that was woken has been polled. Who is not READY was not woken; and each waker that
 * was kept has been used or dropped. */
static inline void sleepers_end(struct sleeper *sleepers, int count, const char *rule)
{
    sleepers_run(sleepers, count);
    for (int i = 0; i < count; i++) {
        EXPLORE_RULE(rule, !sleepers[i].future,
                     "sleeper %d waits, what it waits for has happened, and nobody has "
                     "woken it",
                     i);
        EXPLORE_RULE("W8", probe_read(&sleepers[i].probe.live) == 0,
                     "%ld wakers of sleeper %d are left over",
                     probe_read(&sleepers[i].probe.live), i);
    }
}

#endif
