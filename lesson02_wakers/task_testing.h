/* task_testing: futures and an executor for tests of tasks. For tests only; nothing of
 * it is in the archive.
 *
 * Tasks record in a struct log, the test asserts afterwards. */
#ifndef LESSON02_TASK_TESTING_H
#define LESSON02_TASK_TESTING_H

#include "common/clock.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson02_wakers/yield.h"

/* ---- an executor that must end with nothing left */

static inline void open_executor(struct executor *executor)
{
    assert_int_equal(executor_init(executor, NULL), 0);
}

static inline void close_executor(struct executor *executor)
{
    assert_int_equal(executor_finish(executor), 0);
}

/* Spawns as code that runs on the executor would: LOCAL is allowed. */
static inline int spawn_on(struct executor *executor, unsigned flags,
                           struct future *future, struct task_handle *handle)
{
    struct task_home *before = task_home_enter(executor->home);
    int err = task_spawn(&executor->scheduler, future, flags, handle);
    task_home_leave(executor->home, before);
    return err;
}

/* Polls what is runnable, and does not sleep for the rest. */
static inline void run_what_can_run(struct executor *executor)
{
    int err = executor_run_for(executor, 0);
    assert_true(err == 0 || err == -ETIMEDOUT || err == -EDEADLK);
}

/* ---- event: a leaf that waits for another thread, or for the test */

struct event {
    struct waker_cell cell;
    _Atomic bool set;
    _Atomic long polls;
    _Atomic long held; /* READY outputs that nobody has given back */
};

static inline void event_set(struct event *event)
{
    /* release: pairs with the acquire in event_wait_poll */
    atomic_store_explicit(&event->set, true, memory_order_release);
    waker_cell_wake(&event->cell);
}

struct event_wait {
    struct future future;
    struct event *event; /* borrows */
    bool cancelled;
    int result; /* output: 0 or -ECANCELED */
};

static inline enum poll_state event_wait_poll(struct future *future,
                                              struct context *context)
{
    struct event_wait *self = container_of(future, struct event_wait, future);
    probe_count(&self->event->polls, 1);
    if (self->cancelled) {
        struct waker left = waker_cell_take(&self->event->cell);
        waker_drop(&left);
        self->result = -ECANCELED;
        return POLL_READY;
    }
    waker_cell_register(&self->event->cell, context);
    /* acquire: pairs with the release in event_set */
    if (!atomic_load_explicit(&self->event->set, memory_order_acquire))
        return POLL_PENDING;
    struct waker left = waker_cell_take(&self->event->cell);
    waker_drop(&left);
    probe_count(&self->event->held, 1);
    return POLL_READY;
}

static inline void event_wait_cancel(struct future *future)
{
    container_of(future, struct event_wait, future)->cancelled = true;
}

static inline void event_wait_discard(struct future *future)
{
    struct event_wait *self = container_of(future, struct event_wait, future);
    if (future_is_done(future) && self->result == 0)
        probe_count(&self->event->held, -1);
}

static inline struct event_wait event_wait(struct event *event)
{
    static const struct future_ops ops = {
        .name = "event",
        .size = FUTURE_SIZE(struct event_wait),
        .poll = event_wait_poll,
        .cancel = event_wait_cancel,
        .discard = event_wait_discard,
    };
    return (struct event_wait){ .future = { &ops }, .event = event };
}

/* ---- forgetful: PENDING, and nobody was told (it breaks F2) */

struct forgetful {
    struct future future;
    bool stubborn; /* ignores a cancel as well */
    bool cancelled;
};

static inline enum poll_state forgetful_poll(struct future *future,
                                             struct context *context)
{
    struct forgetful *self = container_of(future, struct forgetful, future);
    (void)context;
    return self->cancelled && !self->stubborn ? POLL_READY : POLL_PENDING;
}

static inline void forgetful_cancel(struct future *future)
{
    container_of(future, struct forgetful, future)->cancelled = true;
}

static inline struct forgetful forgetful(bool stubborn)
{
    static const struct future_ops ops = { .name = "forgetful",
                                           .size = FUTURE_SIZE(struct forgetful),
                                           .poll = forgetful_poll,
                                           .cancel = forgetful_cancel };
    return (struct forgetful){ .future = { &ops }, .stubborn = stubborn };
}

/* ---- steps: yields n times, then returns 10 n */

struct steps {
    ASYNC_FRAME;
    int n;
    _Atomic long *total; /* borrows; counts each step. May be NULL */
    int i;
    struct yield yield;
    int result;
};

static inline enum poll_state steps_poll(struct future *future, struct context *context)
{
    struct steps *self = ASYNC_SELF(steps, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->n; self->i++) {
        if (self->total)
            probe_count(self->total, 1);
        AWAIT(self->yield, yield_now());
        if (self->yield.result < 0)
            break;
    }
    self->result = self->i * 10;
    ASYNC_END;
}

static inline struct steps steps(int n, _Atomic long *total)
{
    static const struct future_ops ops = ASYNC_OPS(steps);
    return (struct steps){ .future = { &ops }, .n = n, .total = total };
}

/* ---- wait_for: an async function around an event */

struct wait_for {
    ASYNC_FRAME;
    struct event *event;
    struct event_wait wait;
    int result;
};

static inline enum poll_state wait_for_poll(struct future *future,
                                            struct context *context)
{
    struct wait_for *self = ASYNC_SELF(wait_for, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, event_wait(self->event));
    self->result = self->wait.result;
    ASYNC_END;
}

/* An event that was waited for is held until somebody takes it from us, or discards. */
static inline void wait_for_discard(struct future *future)
{
    struct wait_for *self = ASYNC_SELF(wait_for, future);
    if (future_is_done(future) && self->result == 0)
        probe_count(&self->event->held, -1);
}

static inline struct wait_for wait_for(struct event *event)
{
    static const struct future_ops ops = ASYNC_OPS_DISCARD(wait_for, wait_for_discard);
    return (struct wait_for){ .future = { &ops }, .event = event };
}

static inline void *set_event(void *event)
{
    event_set(event);
    return NULL;
}

#endif
