/* work_jitter: how long after its wake is a task polled, and where?
 *
 * A leaf of its own polls a sleep with a waker of its own, which stands between timer and
 * task: it notes when and on which thread the timer's wake came, and passes it on. The
 * poll that follows knows the rest.
 *
 * That waker is the leaf itself, unowned. This is safe because nothing but the timer ever
 * has it, and the task is polled because of its wake only: after it passed the wake on, it
 * touches the leaf no more.
 *
 * Which of the other threads were asleep at the wake, the runtime tells nobody; so what
 * was polled elsewhere is "moved". */
#include <pthread.h>
#include <stdlib.h>

#include "lesson08_compare/histogram.h"
#include "lesson08_compare/work_runtime.h"

#define SLEEPERS 64
#define NOT_WOKEN UINT64_MAX

/* ---- the leaf */

struct watched_sleep {
    struct future future;
    struct sleep sleep;
    struct waker task; /* owns, until the wake */
    uint64_t woken_at;
    pthread_t woken_on;
    bool moved;      /* output: polled on another thread than woken */
    uint64_t lag_ns; /* output: from the wake to the poll; or NOT_WOKEN */
};

static struct waker noting_clone(void *data);

static void noting_wake_by_ref(void *data)
{
    struct watched_sleep *self = data;
    self->woken_on = pthread_self();
    self->woken_at = clock_now();
    struct waker task = waker_take(&self->task);
    waker_wake(&task); /* the last that we do with *self was above */
}

static void noting_drop(void *data)
{
    (void)data;
}

static const struct waker_ops noting_ops = { noting_clone, noting_wake_by_ref,
                                             noting_wake_by_ref, noting_drop };

static struct waker noting_clone(void *data)
{
    return (struct waker){ &noting_ops, data };
}

static enum poll_state watched_sleep_poll(struct future *future,
                                          struct context *context)
{
    struct watched_sleep *self = container_of(future, struct watched_sleep, future);
    struct waker noting = { &noting_ops, self };
    struct context inner = { .waker = &noting, .budget = context->budget };
    uint64_t now = clock_now();
    if (!self->woken_at)
        waker_store(&self->task, context);
    enum poll_state state = future_poll(&self->sleep.future, &inner);
    context->budget = inner.budget;
    if (state == POLL_PENDING)
        return POLL_PENDING;
    waker_drop(&self->task);
    self->lag_ns = self->woken_at ? now - self->woken_at : NOT_WOKEN;
    self->moved = self->woken_at && !pthread_equal(self->woken_on, pthread_self());
    return POLL_READY;
}

static void watched_sleep_cancel(struct future *future)
{
    future_cancel(&container_of(future, struct watched_sleep, future)->sleep.future);
}

static struct watched_sleep watched_sleep(uint64_t delay)
{
    static const struct future_ops ops = { .name = "watched_sleep",
                                           .size = FUTURE_SIZE(struct watched_sleep),
                                           .poll = watched_sleep_poll,
                                           .cancel = watched_sleep_cancel };
    return (struct watched_sleep){ .future = { &ops }, .sleep = sleep_ns(delay) };
}

/* ---- the tasks */

struct lag {
    uint64_t ns;
    bool moved;
};

struct dozer {
    ASYNC_FRAME;
    struct lag *lags; /* borrows: room for `count` */
    uint64_t count, i;
    struct watched_sleep sleep;
};

static enum poll_state dozer_poll(struct future *future, struct context *context)
{
    struct dozer *self = ASYNC_SELF(dozer, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->count; self->i++) {
        AWAIT(self->sleep, watched_sleep(NS_PER_MS));
        self->lags[self->i] = (struct lag){ self->sleep.lag_ns, self->sleep.moved };
    }
    ASYNC_END;
}

struct dozers {
    struct work *work; /* borrows */
    struct lag *lags;  /* owns */
};

static int spawn_dozer(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops dozer_ops = ASYNC_OPS(dozer);
    const struct dozers *dozers = shared;
    return SPAWN_HERE(handle,
                      (struct dozer){ .future = { &dozer_ops },
                                      .lags = dozers->lags + i * dozers->work->n,
                                      .count = dozers->work->n });
}

static uint64_t dozer_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, dozer)->i;
}

/* ---- the result */

static struct histogram all, here, moved;

static void note_lags(struct work *work, const struct lag *lags, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (lags[i].ns == NOT_WOKEN)
            continue;
        histogram_add(&all, lags[i].ns);
        histogram_add(lags[i].moved ? &moved : &here, lags[i].ns);
    }
    work_note_latencies(work, &all);
    work_note(work, "where_woken_count", here.count);
    work_note(work, "where_woken_p50_ns", histogram_percentile(&here, 0.5));
    work_note(work, "where_woken_p99_ns", histogram_percentile(&here, 0.99));
    work_note(work, "moved_count", moved.count);
    work_note(work, "moved_p50_ns", histogram_percentile(&moved, 0.5));
    work_note(work, "moved_p99_ns", histogram_percentile(&moved, 0.99));
}

int work_jitter(struct work *work)
{
    static const struct crew_kind kind = { spawn_dozer, dozer_output };
    uint64_t count = SLEEPERS * work->n;
    struct dozers dozers = { work, work_alloc(count, sizeof *dozers.lags) };
    int err = work_run_crews(work, &kind, &dozers, SLEEPERS, 1, count);
    if (err == 0)
        note_lags(work, dozers.lags, count);
    free(dozers.lags);
    return err;
}
