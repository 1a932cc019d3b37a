/* work_parked: what a task occupies that only waits.
 *
 * The leaf is the smallest thing that can be woken: it has a waker, and nobody will ever
 * use it. Nothing is torn down: a million cancels would take time, and show nothing. */
#include <stdatomic.h>

#include "lesson02_wakers/oneshot.h"
#include "lesson08_compare/memory_use.h"
#include "lesson08_compare/work_runtime.h"

static struct {
    _Atomic uint64_t left;        /* tasks that were not polled yet */
    struct oneshot_sender parked; /* owns: for the last one */
} the_lot;

struct wait_for_ever {
    struct future future;
    struct waker waker; /* owns */
};

static enum poll_state wait_for_ever_poll(struct future *future,
                                          struct context *context)
{
    struct wait_for_ever *self = container_of(future, struct wait_for_ever, future);
    waker_store(&self->waker, context);
    /* relaxed: the oneshot publishes what there is to publish */
    if (atomic_fetch_sub_explicit(&the_lot.left, 1, memory_order_relaxed) == 1)
        work_must(oneshot_send(&the_lot.parked, NULL), "the last to park");
    return POLL_PENDING;
}

static void wait_for_ever_cancel(struct future *future)
{
    (void)future; /* the process ends first */
}

static struct wait_for_ever wait_for_ever(void)
{
    static const struct future_ops ops = { .name = "wait_for_ever",
                                           .size = FUTURE_SIZE(struct wait_for_ever),
                                           .poll = wait_for_ever_poll,
                                           .cancel = wait_for_ever_cancel };
    return (struct wait_for_ever){ .future = { &ops } };
}

struct parking {
    ASYNC_FRAME;
    struct work *work; /* borrows */
    uint64_t before, with, i;
    struct oneshot_receiver parked; /* owns */
    struct oneshot_receive receive;
};

static enum poll_state parking_poll(struct future *future, struct context *context)
{
    struct parking *self = ASYNC_SELF(parking, future);
    ASYNC_BEGIN(self, context);
    work_must(memory_private_dirty(0, &self->before), "smaps_rollup");
    work_begin(self->work);
    for (self->i = 0; self->i < self->work->n; self->i++)
        work_must(SPAWN_HERE(NULL, wait_for_ever()), "spawn");
    AWAIT(self->receive, oneshot_receive(&self->parked));
    work_must(self->receive.result, "parked");
    work_end(self->work, self->work->n, self->work->n);
    work_must(memory_private_dirty(0, &self->with), "smaps_rollup");
    work_note(self->work, "bytes",
              self->with > self->before ? self->with - self->before : 0);
    ASYNC_END;
}

int work_parked(struct work *work)
{
    static const struct future_ops parking_ops = ASYNC_OPS(parking);
    static struct runtime *runtime; /* leaked on purpose, with its tasks */
    struct parking root = { .future = { &parking_ops }, .work = work };
    struct task_handle handle = { 0 };
    the_lot.left = work->n;
    work_must(oneshot_create(&the_lot.parked, &root.parked, NULL), "oneshot");
    int err = work_open_runtime(work, &runtime);
    if (err < 0)
        return err;
    work->leaves_tasks = true;
    return runtime_run(runtime, &root.future, &handle);
}
