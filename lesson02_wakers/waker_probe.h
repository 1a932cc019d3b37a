/* waker_probe: a waker that counts, and threads for tests to wake from. For tests only;
 * nothing of it is in the archive.
 *
 * Ownership: caller-owned memory, which outlives every waker of it. Threads: any. */
#ifndef LESSON02_WAKER_PROBE_H
#define LESSON02_WAKER_PROBE_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "common/testing/testing.h"
#include "lesson02_wakers/waker.h"

struct waker_probe {
    _Atomic long wakes;
    _Atomic long live;   /* wakers that were cloned and neither woken nor dropped */
    _Atomic long clones; /* ever */
};

static inline void probe_count(_Atomic long *counter, long change)
{
    /* acq_rel: who reads a count sees what was done before it was counted */
    atomic_fetch_add_explicit(counter, change, memory_order_acq_rel);
}

static inline long probe_read(const _Atomic long *counter)
{
    /* acquire: pairs with probe_count */
    return atomic_load_explicit(counter, memory_order_acquire);
}

static inline const struct waker_ops *probe_ops(void);

static inline struct waker probe_waker_clone(void *data)
{
    struct waker_probe *probe = data;
    probe_count(&probe->live, 1);
    probe_count(&probe->clones, 1);
    return (struct waker){ probe_ops(), probe };
}

static inline void probe_waker_wake_by_ref(void *data)
{
    probe_count(&((struct waker_probe *)data)->wakes, 1);
}

static inline void probe_waker_drop(void *data)
{
    probe_count(&((struct waker_probe *)data)->live, -1);
}

static inline void probe_waker_wake(void *data)
{
    probe_waker_wake_by_ref(data);
    probe_waker_drop(data);
}

static inline const struct waker_ops *probe_ops(void)
{
    static const struct waker_ops ops = {
        .clone = probe_waker_clone,
        .wake = probe_waker_wake,
        .wake_by_ref = probe_waker_wake_by_ref,
        .drop = probe_waker_drop,
    };
    return &ops;
}

/* To be borrowed by a context; not counted as live. */
static inline struct waker probe_waker(struct waker_probe *probe)
{
    return (struct waker){ probe_ops(), probe };
}

/* One poll with a fresh budget, waking `probe`. */
static inline enum poll_state probe_poll(struct waker_probe *probe,
                                         struct future *future)
{
    struct waker waker = probe_waker(probe);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    return future_poll(future, &context);
}

static inline pthread_t start_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

/* Runs the body on another thread to its end. */
static inline void on_a_thread(void *(*body)(void *), void *argument)
{
    assert_int_equal(pthread_join(start_thread(body, argument), NULL), 0);
}

#endif
