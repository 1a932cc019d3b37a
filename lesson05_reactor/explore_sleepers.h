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

#include <pthread.h>
#include <string.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/wait_queue.h"
#include "lesson02_wakers/waker_probe.h"

struct sleeper {
    struct waker_probe probe;
    struct future *future; /* borrows; NULL: has none, or it is READY */
    struct waiter
        *waiter; /* borrows; NULL: none. Of the future: overwritten when that is
                              READY, for then the frame is its owner's again */
    long heard;  /* wakes that came before the last poll */
};

static inline bool sleeper_poll_again(struct sleeper *self)
{
    if (probe_poll(&self->probe, self->future) != POLL_READY)
        return false;
    self->future = NULL;
    if (self->waiter)
        memset(self->waiter, 0, sizeof *self->waiter);
    return true;
}

/* The first poll; true: READY. It reads no count of wakes, which would order this thread
 * after who woke, and hide that nothing else does. */
static inline bool sleeper_poll(struct sleeper *self, struct future *future)
{
    self->future = future;
    return sleeper_poll_again(self);
}

/* And once more, woken or not: who wakes it may be at work this moment (F3). */
static inline void sleeper_poll_twice(struct sleeper *self, struct future *future)
{
    if (sleeper_poll(self, future))
        return;
    /* relaxed: as for the first poll */
    self->heard = atomic_load_explicit(&self->probe.wakes, memory_order_relaxed);
    sleeper_poll_again(self);
}

/* The body on a thread of its own, beside the first poll. */
static inline void sleeper_poll_against(struct sleeper *self, struct future *future,
                                        void *(*body)(void *))
{
    pthread_t other;
    pthread_create(&other, NULL, body, NULL);
    sleeper_poll(self, future);
    pthread_join(other, NULL);
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
        EXPLORE_RULE("waker kept", probe_read(&sleepers[i].probe.live) == 0,
                     "%ld wakers of sleeper %d are left over",
                     probe_read(&sleepers[i].probe.live), i);
    }
}

#endif
