/* sync_testing: what the tests of channels, locks and their like share: wakers that
 * count, polls by hand, and a stage on which the same tasks run over lesson 2's executor
 * and over lesson 6's pool. Header only, for test programs. */
#ifndef LESSON07_SYNC_TESTING_H
#define LESSON07_SYNC_TESTING_H

#include "common/testing/testing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "lesson01_futures/async.h"
#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/yield.h"
#include "lesson06_worksteal/pool.h"

/* ---- a waker that counts; from any thread */

struct wake_count {
    _Atomic unsigned long wakes;
    _Atomic long references; /* wakers that exist */
};

static inline struct waker wake_count_clone(void *data);

static inline void wake_count_by_ref(void *data)
{
    atomic_fetch_add_explicit(&((struct wake_count *)data)->wakes, 1,
                              memory_order_relaxed);
}

static inline void wake_count_drop(void *data)
{
    atomic_fetch_sub_explicit(&((struct wake_count *)data)->references, 1,
                              memory_order_relaxed);
}

static inline void wake_count_wake(void *data)
{
    wake_count_by_ref(data);
    wake_count_drop(data);
}

static const struct waker_ops wake_count_ops = {
    .clone = wake_count_clone,
    .wake = wake_count_wake,
    .wake_by_ref = wake_count_by_ref,
    .drop = wake_count_drop,
};

static inline struct waker wake_count_clone(void *data)
{
    atomic_fetch_add_explicit(&((struct wake_count *)data)->references, 1,
                              memory_order_relaxed);
    return (struct waker){ &wake_count_ops, data };
}

/* Some observers, each with a waker of its own. */
#define OBSERVERS 4
struct observers {
    struct wake_count counts[OBSERVERS];
    struct waker wakers[OBSERVERS];
};

static inline void observers_init(struct observers *self)
{
    *self = (struct observers){ 0 };
    for (unsigned i = 0; i < OBSERVERS; i++)
        self->wakers[i] = (struct waker){ &wake_count_ops, &self->counts[i] };
}

static inline unsigned long observer_wakes(struct observers *self, unsigned which)
{
    return atomic_load_explicit(&self->counts[which].wakes, memory_order_relaxed);
}

static inline struct context observer_context(struct observers *self, unsigned which)
{
    return (struct context){ &self->wakers[which], CONTEXT_BUDGET };
}

/* Polls once as observer `which`. */
static inline enum poll_state observer_poll(struct observers *self, unsigned which,
                                            struct future *future)
{
    struct context context = observer_context(self, which);
    return future_poll(future, &context);
}

/* Every waker that was cloned was given up again. */
static inline void observers_check(struct observers *self)
{
    for (unsigned i = 0; i < OBSERVERS; i++)
        assert_int_equal(
            atomic_load_explicit(&self->counts[i].references, memory_order_relaxed), 0);
}

/* For subjects of the future contract whose world begins with its observers. */
static inline struct context observers_context(void *world, unsigned which)
{
    return observer_context(world, which);
}

static inline unsigned long observers_wakes(void *world, unsigned which)
{
    return observer_wakes(world, which);
}

/* ---- a stage */

enum stage_kind { STAGE_EXECUTOR, STAGE_POOL };

struct stage {
    enum stage_kind kind;
    struct scheduler *scheduler; /* borrows: what to spawn on */
    struct executor executor;
    struct pool *pool;
    int fds;
};

static inline void stage_open(struct stage *stage, enum stage_kind kind)
{
    *stage = (struct stage){ .kind = kind, .fds = open_fds() };
    if (kind == STAGE_EXECUTOR) {
        assert_int_equal(executor_init(&stage->executor, NULL), 0);
        stage->scheduler = &stage->executor.scheduler;
    } else {
        struct pool_config config = { .workers = 3 };
        assert_int_equal(pool_create(&stage->pool, &config), 0);
        stage->scheduler = &stage->pool->scheduler;
    }
}

/* Runs until no task is live. */
static inline void stage_run(struct stage *stage)
{
    if (stage->kind == STAGE_EXECUTOR)
        assert_int_equal(executor_run(&stage->executor), 0);
    else
        WAIT_UNTIL(pool_live(stage->pool) == 0);
}

static inline void stage_close(struct stage *stage)
{
    if (stage->kind == STAGE_EXECUTOR) {
        assert_int_equal(executor_finish(&stage->executor), 0);
    } else {
        assert_int_equal(pool_stop(stage->pool, TEST_PATIENCE_S * (int64_t)NS_PER_S),
                         0);
        pool_destroy(stage->pool);
    }
    assert_int_equal(open_fds(), stage->fds);
}

/* A test that runs on both: body(&stage) in a test of each name. */
#define ON_EACH_STAGE(name)                                                            \
    static void name##_on_the_executor(void **state)                                   \
    {                                                                                  \
        struct stage stage;                                                            \
        (void)state;                                                                   \
        stage_open(&stage, STAGE_EXECUTOR);                                            \
        name(&stage);                                                                  \
        stage_close(&stage);                                                           \
    }                                                                                  \
    static void name##_on_the_pool(void **state)                                       \
    {                                                                                  \
        struct stage stage;                                                            \
        (void)state;                                                                   \
        stage_open(&stage, STAGE_POOL);                                                \
        name(&stage);                                                                  \
        stage_close(&stage);                                                           \
    }

#define ON_EACH_STAGE_TESTS(name)                                                      \
    cmocka_unit_test(name##_on_the_executor), cmocka_unit_test(name##_on_the_pool)

/* Starts a thread, or fails the test. */
static inline pthread_t start_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

#endif
