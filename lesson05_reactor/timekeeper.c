/* timekeeper: a deadline that moves later is a store, not a timer that moves.
 *
 * Problem: two timers a request go into the wheel and come out unused, each under the
 * wheel's lock if it is shared. Idea: the timer stays in from wait to wait, at the
 * deadline of a wait that is long over. When it rings there, too early for the wait in
 * progress, it goes in again with the real deadline. So a busy connection has its timer
 * moved once a limit's length, not twice a request. Only a deadline that is earlier than
 * the timer takes it out at once.
 *
 * The function under guard cannot own that timer: between two waits, with a timer in the
 * wheel and no await in flight, a panic would leave it there. So it is a sibling of the
 * function, below this future, which is polled whenever the function is.
 *
 * Invariant: after a poll that returned PENDING while a wait with a deadline is in
 * progress, a sleep is in flight that ends no later than the deadline, and it holds this
 * poll's waker. */
#include "lesson05_reactor/timekeeper.h"

static bool sleeping(const struct timekeeper *self)
{
    return !future_is_done(&self->sleep.future);
}

/* Polls the sleep. True: it is over. */
static bool poll_sleep(struct timekeeper *self, struct context *context)
{
    self->polled_with = context->waker ? *context->waker : (struct waker){ 0 };
    return future_poll(&self->sleep.future, context) == POLL_READY;
}

/* When the wait in progress has taken too long. The clock is read here, once a wait, and
 * only if it lasts: a wait that was over at once was never seen. */
static uint64_t deadline_of(struct time_limit *limit)
{
    if (!limit->wait)
        return CLOCK_NEVER;
    if (limit->until == 0)
        limit->until = clock_after(timers_about_now(), limit->length);
    return limit->until;
}

/* Is the sleep in flight as good as a new one? Nearly always. Nothing is locked, and no
 * timer read that somebody else may be firing: if it rings after this look, it wakes. */
static bool still_good(const struct timekeeper *self, uint64_t until,
                       const struct context *context)
{
    return self->rings <= until && context->waker && !sleep_rang(&self->sleep) &&
           waker_same(&self->polled_with, context->waker);
}

/* The child waits. True: for too long; its wait was cancelled, so poll it again (F7). */
static bool look_at_the_clock(struct timekeeper *self, struct context *context)
{
    struct time_limit *limit = self->limit;
    uint64_t until = deadline_of(limit);
    if (sleeping(self)) {
        if (still_good(self, until, context))
            return false;
        if (self->rings > until)
            future_cancel(&self->sleep.future);
        if (!poll_sleep(self, context))
            return false;
        if (self->sleep.result == 0 && self->rings >= until) {
            limit->until = CLOCK_NEVER;
            limit->expired = !self->cancelled;
            future_cancel(limit->wait);
            return true;
        }
    }
    if (until != CLOCK_NEVER) {
        self->rings = until;
        self->sleep = sleep_until(until);
        poll_sleep(self, context); /* pending: even one that is due rings in its turn */
    }
    return false;
}

static enum poll_state timekeeper_poll(struct future *future, struct context *context)
{
    struct timekeeper *self = container_of(future, struct timekeeper, future);
    while (!future_is_done(self->child)) {
        if (future_poll(self->child, context) == POLL_PENDING &&
            !look_at_the_clock(self, context))
            return POLL_PENDING;
    }
    if (!sleeping(self))
        return POLL_READY;
    future_cancel(&self->sleep.future);
    return poll_sleep(self, context) ? POLL_READY : POLL_PENDING;
}

static void timekeeper_cancel(struct future *future)
{
    struct timekeeper *self = container_of(future, struct timekeeper, future);
    self->cancelled = true;
    future_cancel(self->child);
}

static struct future *timekeeper_child(const struct future *future, unsigned i)
{
    const struct timekeeper *self =
        container_of_const(future, struct timekeeper, future);
    if (!future_is_done(self->child) && i-- == 0)
        return self->child;
    if (sleeping(self) && i == 0)
        return (struct future *)(uintptr_t)&self->sleep.future;
    return NULL;
}

static const struct future_ops timekeeper_ops = {
    .name = "timekeeper",
    .size = FUTURE_SIZE(struct timekeeper),
    .poll = timekeeper_poll,
    .cancel = timekeeper_cancel,
    .child = timekeeper_child,
};

struct timekeeper timekeeper(struct future *child, struct time_limit *limit)
{
    return (struct timekeeper){ .future = { &timekeeper_ops },
                                .child = child,
                                .limit = limit,
                                .sleep = { .future = { &future_done_ops } } };
}
