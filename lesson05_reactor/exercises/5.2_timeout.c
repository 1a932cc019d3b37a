/* Exercise 5.2: At most this long. What to do stands in 5.2_timeout.md. */
/* timeout: a race between a child and a sleep, with the loser cancelled and awaited.
 *
 * Not written with race(): a constructor may not hold a pointer into itself (F1), and the
 * sleep is in here. Invariant: after a poll that returned PENDING each of the two is
 * done, or has been polled since it was last cancelled (F7). */
#include "lesson05_reactor/timeout.h"

#include "common/todo.h"

static enum poll_state timeout_poll(struct future *future, struct context *context)
{
    /* Yours: READY when both are done, the loser too */
    EXERCISE_TODO("5.2", future, context);
}

static void timeout_cancel(struct future *future)
{
    /* Yours: a request, to everything below (F6) */
    EXERCISE_TODO("5.2", future);
}

static struct future *timeout_child(const struct future *future, unsigned i)
{
    /* Yours: the i-th of the two that is in flight, NULL at the end */
    EXERCISE_TODO("5.2", future, i);
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
