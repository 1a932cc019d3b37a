/* work_demos: what happens to tasks that end badly, one observed fact a line. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lesson08_compare/work_runtime.h"

static const char *status_text(enum join_status status)
{
    static const char *const texts[] = {
        [JOIN_WAITING] = "still waiting",
        [JOIN_OK] = "returned",
        [JOIN_CANCELLED] = "cancelled",
        [JOIN_PANICKED] = "panicked",
    };
    return texts[status];
}

/* ---- a task that sleeps, and says how that ended */

struct patient {
    ASYNC_FRAME;
    uint64_t delay;
    _Atomic bool *returned; /* borrows; may be NULL */
    int result;             /* output: the sleep's */
    struct sleep sleep;
};

static enum poll_state patient_poll(struct future *future, struct context *context)
{
    struct patient *self = ASYNC_SELF(patient, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->sleep, sleep_ns(self->delay));
    self->result = self->sleep.result;
    if (self->returned)
        atomic_store_explicit(self->returned, true, memory_order_relaxed);
    ASYNC_END;
}

static struct patient patient(uint64_t delay, _Atomic bool *returned)
{
    static const struct future_ops patient_ops = ASYNC_OPS(patient);
    return (struct patient){ .future = { &patient_ops },
                             .delay = delay,
                             .returned = returned };
}

/* ---- panic */

struct victim {
    ASYNC_FRAME;
    struct yield yield;
};

static enum poll_state victim_poll(struct future *future, struct context *context)
{
    struct victim *self = ASYNC_SELF(victim, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->yield, yield_now());
    task_panic("the answer is not %d", 42);
    ASYNC_END;
}

struct panic_demo {
    ASYNC_FRAME;
    struct task_handle bad, good, late;
    struct task_join join;
};

static enum poll_state panic_demo_poll(struct future *future, struct context *context)
{
    static const struct future_ops victim_ops = ASYNC_OPS(victim);
    struct panic_demo *self = ASYNC_SELF(panic_demo, future);
    ASYNC_BEGIN(self, context);
    work_must(SPAWN_HERE(&self->good, patient(20 * NS_PER_MS, NULL)), "spawn");
    work_must(SPAWN_HERE(&self->bad, (struct victim){ .future = { &victim_ops } }),
              "spawn");
    AWAIT(self->join, task_join(&self->bad));
    printf("who joins the task sees: %s: \"%s\"\n", status_text(self->join.status),
           self->join.panic ? self->join.panic : "");
    AWAIT(self->join, task_join(&self->good));
    printf("a task that was asleep at the time: %s\n", status_text(self->join.status));
    work_must(SPAWN_HERE(&self->late, patient(NS_PER_MS, NULL)), "spawn");
    AWAIT(self->join, task_join(&self->late));
    printf("a task spawned after it on the same runtime: %s\n",
           status_text(self->join.status));
    task_detach(&self->bad);
    task_detach(&self->good);
    task_detach(&self->late);
    ASYNC_END;
}

int work_demo_panic(struct work *work)
{
    static const struct future_ops panic_demo_ops = ASYNC_OPS(panic_demo);
    int err = WORK_RUN(work, (struct panic_demo){ .future = { &panic_demo_ops } });
    if (err == 0)
        printf("the runtime then stopped in order\n");
    return err;
}

/* ---- cancel */

struct cancel_demo {
    ASYNC_FRAME;
    uint64_t began;
    struct task_handle handle;
    struct task_join join;
    struct sleep sleep;
};

static enum poll_state cancel_demo_poll(struct future *future, struct context *context)
{
    struct cancel_demo *self = ASYNC_SELF(cancel_demo, future);
    ASYNC_BEGIN(self, context);
    work_must(SPAWN_HERE(&self->handle, patient(10 * NS_PER_S, NULL)), "spawn");
    AWAIT(self->sleep, sleep_ms(10)); /* by then it waits */
    self->began = clock_now();
    task_cancel(&self->handle);
    printf("after task_cancel the task is %s\n",
           task_is_done(&self->handle) ? "done" : "not done yet");
    AWAIT(self->join, task_join(&self->handle));
    printf("who joins it sees: %s, %" PRIu64 " us after the cancel\n",
           status_text(self->join.status), (clock_now() - self->began) / NS_PER_US);
    printf("its sleep of 10 s ended with %s, and it ran to its own end\n",
           errname(TASK_OUTPUT(&self->handle, patient)->result));
    task_detach(&self->handle);
    ASYNC_END;
}

int work_demo_cancel(struct work *work)
{
    static const struct future_ops cancel_demo_ops = ASYNC_OPS(cancel_demo);
    return WORK_RUN(work, (struct cancel_demo){ .future = { &cancel_demo_ops } });
}

/* ---- drop */

struct drop_demo {
    ASYNC_FRAME;
    struct task_handle handle;
    struct sleep sleep;
};

static _Atomic bool went_on;

static enum poll_state drop_demo_poll(struct future *future, struct context *context)
{
    struct drop_demo *self = ASYNC_SELF(drop_demo, future);
    ASYNC_BEGIN(self, context);
    work_must(SPAWN_HERE(&self->handle, patient(5 * NS_PER_MS, &went_on)), "spawn");
    task_detach(&self->handle);
    printf("the handle of a task that sleeps 5 ms was given up\n");
    AWAIT(self->sleep, sleep_ms(100));
    printf("100 ms later the task has %s\n",
           atomic_load_explicit(&went_on, memory_order_relaxed) ? "returned: it went on"
                                                                : "not returned");
    ASYNC_END;
}

int work_demo_drop(struct work *work)
{
    static const struct future_ops drop_demo_ops = ASYNC_OPS(drop_demo);
    return WORK_RUN(work, (struct drop_demo){ .future = { &drop_demo_ops } });
}
