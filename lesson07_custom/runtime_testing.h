/* runtime_testing: what the test_runtime*.c files share: cells, and tasks that record. */
#ifndef LESSON07_RUNTIME_TESTING_H
#define LESSON07_RUNTIME_TESTING_H

#include "common/testing/testing.h"

#include <pthread.h>

#include "lesson03_iouring/probe.h"
#include "lesson07_custom/runtime.h"

/* The state of a test is its driver. */
#define ON_BOTH_DRIVERS(test)                                                          \
    { #test "_epoll", test, NULL, NULL, (void *)(uintptr_t) "epoll" },                 \
    {                                                                                  \
#test "_uring", test, NULL, NULL, (void *)(uintptr_t) "uring"                  \
    }

#define NEEDS_DRIVER(state)                                                            \
    do {                                                                               \
        struct ring_probe probe_;                                                      \
        if (strcmp(*(state), "uring") == 0 && ring_probe(&probe_) < 0)                 \
            skip_because("%s", probe_.sentence);                                       \
    } while (0)

/* The i-th of the three cells of a driver. */
static inline struct runtime_config cell_config(const char *driver, int i)
{
    return (struct runtime_config){
        .scheduler = (enum runtime_scheduler)i,
        .driver = strcmp(driver, "uring") == 0 ? RUNTIME_URING : RUNTIME_EPOLL,
        .driver_required = true,
        .workers = i == RUNTIME_CURRENT ? 1 : 2,
        .ring_entries = 8, /* small, so that the full ring is met, too */
    };
}

static inline struct runtime *open_runtime(const struct runtime_config *config)
{
    struct runtime *runtime = NULL;
    int err = runtime_create(&runtime, config);
    if (err < 0)
        fail_msg("runtime_create: %s", errname(err));
    return runtime;
}

/* Runs a root to its end; its output is asked for through *handle. */
#define RUN(runtime, handle, ...)                                                      \
    runtime_run((runtime), &((__typeof__(__VA_ARGS__)[1]){ __VA_ARGS__ })->future,     \
                (handle))

typedef _Atomic int counter;

static inline void count_up(counter *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_release);
}

static inline int count_of(counter *count)
{
    return atomic_load_explicit(count, memory_order_acquire);
}

/* Sleeps; then says how it went. */
struct napper {
    ASYNC_FRAME;
    uint64_t delay;
    counter *woken;     /* borrows; may be NULL */
    counter *cancelled; /* borrows; may be NULL */
    uint64_t woke_at;   /* output */
    unsigned lane;      /* output */
    struct sleep sleep;
};

static enum poll_state napper_poll(struct future *future, struct context *context)
{
    struct napper *self = ASYNC_SELF(napper, future);
    ASYNC_BEGIN(self, context);
    self->lane = runtime_lane_here();
    AWAIT(self->sleep, sleep_ns(self->delay));
    self->woke_at = timers_current_time();
    if (self->sleep.result == 0 && self->woken)
        count_up(self->woken);
    if (self->sleep.result < 0 && self->cancelled)
        count_up(self->cancelled);
    ASYNC_END;
}

static const struct future_ops napper_ops = ASYNC_OPS(napper);

static inline struct napper napper(uint64_t delay, counter *woken, counter *cancelled)
{
    return (struct napper){ .future = { &napper_ops },
                            .delay = delay,
                            .woken = woken,
                            .cancelled = cancelled };
}

#endif
