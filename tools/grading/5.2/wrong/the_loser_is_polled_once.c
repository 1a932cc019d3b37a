/* Rule: W7
 * Why: The loser is polled once after it was told to stop; later polls only look whether it
 * is done, so it keeps an old waker, and is never polled to its end. */
/* timeout: a race between a child and a sleep, with the loser cancelled and awaited.
 *
 * Not written with race(): a constructor may not hold a pointer into itself (F1), and the
 * sleep is in here. Invariant: after a poll that returned PENDING each of the two is
 * done, or has been polled since it was last cancelled (F7). */
#include "lesson05_reactor/timeout.h"

static bool poll_one(struct future *future, struct context *context)
{
    return future_is_done(future) || future_poll(future, context) == POLL_READY;
}

static enum poll_state timeout_poll(struct future *future, struct context *context)
{
    struct timeout *self = container_of(future, struct timeout, future);
    bool child_done =
        self->expired ? future_is_done(self->child) : poll_one(self->child, context);
    if (child_done && !future_is_done(&self->sleep.future))
        future_cancel(&self->sleep.future);
    bool slept = poll_one(&self->sleep.future, context);
    if (slept && !child_done && !self->expired) {
        if (!self->cancelled && self->sleep.result == 0)
            self->expired = true;
        future_cancel(self->child);
        child_done = poll_one(self->child, context);
    }
    return child_done && slept ? POLL_READY : POLL_PENDING;
}

static void timeout_cancel(struct future *future)
{
    struct timeout *self = container_of(future, struct timeout, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    future_cancel(self->child);
    future_cancel(&self->sleep.future);
}

static struct future *timeout_child(const struct future *future, unsigned i)
{
    const struct timeout *self = container_of_const(future, struct timeout, future);
    if (!future_is_done(self->child) && i-- == 0)
        return self->child;
    if (!future_is_done(&self->sleep.future) && i == 0)
        return (struct future *)(uintptr_t)&self->sleep.future;
    return NULL;
}

static const struct future_ops timeout_ops = {
    .name = "timeout",
    .size = sizeof(struct timeout),
    .poll = timeout_poll,
    .cancel = timeout_cancel,
    .child = timeout_child,
};

struct timeout timeout(struct future *child, uint64_t limit_ns)
{
    return (struct timeout){ .future = { &timeout_ops },
                             .child = child,
                             .sleep = sleep_ns(limit_ns) };
}
