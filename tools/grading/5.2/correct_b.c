/* timeout, made in another way: two futures in an array, and a loop that goes on as
 * long as something moves. Each round polls whoever is not done; who is left over when
 * the other is done is cancelled, and polled in the next round. */
#include "lesson05_reactor/timeout.h"

enum { CHILD, SLEEP, BOTH };

static struct future *part(const struct timeout *self, unsigned which)
{
    return which == CHILD ? self->child
                          : (struct future *)(uintptr_t)&self->sleep.future;
}

static bool in_flight(const struct timeout *self, unsigned which)
{
    return !future_is_done(part(self, which));
}

static enum poll_state timeout_poll(struct future *future, struct context *context)
{
    struct timeout *self = container_of(future, struct timeout, future);
    bool moved = true;
    while (moved) {
        moved = false;
        for (unsigned i = 0; i < BOTH; i++)
            if (in_flight(self, i) && future_poll(part(self, i), context) == POLL_READY)
                moved = true;
        if (!in_flight(self, SLEEP) && in_flight(self, CHILD) && moved)
            self->expired = self->sleep.result == 0 && !self->cancelled;
        for (unsigned i = 0; i < BOTH && moved; i++)
            if (in_flight(self, i))
                future_cancel(part(self, i));
    }
    return in_flight(self, CHILD) || in_flight(self, SLEEP) ? POLL_PENDING : POLL_READY;
}

static void timeout_cancel(struct future *future)
{
    struct timeout *self = container_of(future, struct timeout, future);
    self->cancelled = true;
    for (unsigned i = 0; i < BOTH; i++)
        future_cancel(part(self, i));
}

static struct future *timeout_child(const struct future *future, unsigned i)
{
    const struct timeout *self = container_of_const(future, struct timeout, future);
    struct future *found[BOTH + 1] = { NULL };
    unsigned count = 0;
    for (unsigned k = 0; k < BOTH; k++)
        if (in_flight(self, k))
            found[count++] = part(self, k);
    return i < count ? found[i] : NULL;
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
