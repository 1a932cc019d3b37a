/* work_timers: a million deadlines, those that come and those that never do. */
#include <stdlib.h>

#include "lesson08_compare/work_runtime.h"
#include "lesson08_compare/work_shapes.h"

/* ---- timers */

struct sleeper {
    ASYNC_FRAME;
    uint64_t delay;
    uint64_t slept; /* output: 1 */
    struct sleep sleep;
};

static enum poll_state sleeper_poll(struct future *future, struct context *context)
{
    struct sleeper *self = ASYNC_SELF(sleeper, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->sleep, sleep_ns(self->delay));
    self->slept = self->sleep.result == 0;
    ASYNC_END;
}

static int spawn_sleeper(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops sleeper_ops = ASYNC_OPS(sleeper);
    (void)shared;
    return SPAWN_HERE(handle, (struct sleeper){ .future = { &sleeper_ops },
                                                .delay = work_timer_ns(i) });
}

static uint64_t sleeper_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, sleeper)->slept;
}

int work_timers(struct work *work)
{
    static const struct crew_kind kind = { spawn_sleeper, sleeper_output };
    return work_run_crews(work, &kind, NULL, work->n, 1, work->n);
}

/* ---- timer-churn */

#define CHURNERS 100

struct churner {
    ASYNC_FRAME;
    uint64_t left;
    uint64_t in_time; /* output */
    struct yield yield;
    struct timeout limit;
};

static enum poll_state churner_poll(struct future *future, struct context *context)
{
    struct churner *self = ASYNC_SELF(churner, future);
    ASYNC_BEGIN(self, context);
    for (; self->left > 0; self->left--) {
        self->yield = yield_now();
        AWAIT(self->limit, timeout(&self->yield.future, 10 * NS_PER_S));
        self->in_time += !self->limit.expired && self->yield.result == 0;
    }
    ASYNC_END;
}

static int spawn_churner(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops churner_ops = ASYNC_OPS(churner);
    const struct work *work = shared;
    (void)i;
    return SPAWN_HERE(handle, (struct churner){ .future = { &churner_ops },
                                                .left = work->n / CHURNERS });
}

static uint64_t churner_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, churner)->in_time;
}

int work_timer_churn(struct work *work)
{
    static const struct crew_kind kind = { spawn_churner, churner_output };
    return work_run_crews(work, &kind, work, CHURNERS, 1, work->n);
}
