/* block_on: a parker with a reference count.
 *
 * Problem: the future's wakers go where they want: into another thread, which may call
 * wake at the very moment at which the future is READY and we return. If the parker
 * stood on our stack, that wake would write into whatever stands there next (W5). Idea:
 * parker and count live on the heap, each waker owns a share, and so does block_on
 * itself; the last one frees. Invariant: while anybody can call a waker's function, the
 * count is above 0.
 *
 * No wake is lost between a poll that says PENDING and the sleep: the wake leaves its
 * token in the parker, and park takes it instead of sleeping (parker.h, P1). */
#include "lesson02_wakers/block_on.h"

#include <errno.h>
#include <stdlib.h>

#include "lesson02_wakers/task.h"
#include "lesson02_wakers/thread_parker.h"

struct blocked {
    struct thread_parker parker;
    _Atomic unsigned shares; /* block_on's own, and one a waker */
};

static const struct waker_ops blocked_ops;

static struct waker blocked_clone(void *data)
{
    struct blocked *self = data;
    /* relaxed: who clones holds a share, so the block cannot go meanwhile */
    atomic_fetch_add_explicit(&self->shares, 1, memory_order_relaxed);
    return (struct waker){ &blocked_ops, self };
}

static void blocked_drop(void *data)
{
    struct blocked *self = data;
    /* acq_rel: release our last use of the block; acquire those of all others, which
     * the same operation released, before it is freed */
    if (atomic_fetch_sub_explicit(&self->shares, 1, memory_order_acq_rel) == 1)
        free(self);
}

static void blocked_wake_by_ref(void *data)
{
    struct blocked *self = data;
    parker_unpark(&self->parker.parker);
}

static void blocked_wake(void *data)
{
    blocked_wake_by_ref(data);
    blocked_drop(data);
}

static const struct waker_ops blocked_ops = {
    .clone = blocked_clone,
    .wake = blocked_wake,
    .wake_by_ref = blocked_wake_by_ref,
    .drop = blocked_drop,
};

int block_on(struct future *future)
{
    CHECK(!task_current(),
          "block_on inside task '%s' would stop its executor: await "
          "the future instead",
          task_future(task_current())->ops->name);
    struct blocked *self = malloc(sizeof *self);
    if (!self)
        return -ENOMEM;
    thread_parker_init(&self->parker);
    atomic_init(&self->shares, 1);
    struct waker waker = { &blocked_ops, self };
    for (;;) {
        struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
        if (future_poll(future, &context) == POLL_READY)
            break;
        if (context.budget >= 0) /* else it ran out, and nobody promised a wake (F2) */
            parker_park(&self->parker.parker, PARK_FOREVER);
    }
    waker_drop(&waker);
    return 0;
}
