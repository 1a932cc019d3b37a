/* work_runtime: a runtime for the length of one workload.
 *
 * io_uring is required where the mode says so: a fall-back to epoll would be a wrong row
 * in a table. */
#include "lesson08_compare/work_runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lesson03_iouring/probe.h"

const char *const work_modes[] = {
    "current/epoll", "steal/epoll", "core/epoll", "current/uring",
    "steal/uring",   "core/uring",  NULL
};

struct runtime_config work_config(const struct work *work)
{
    static const enum runtime_scheduler schedulers[] = { RUNTIME_CURRENT, RUNTIME_STEAL,
                                                         RUNTIME_CORE };
    return (struct runtime_config){
        .scheduler = schedulers[work->mode_index % 3],
        .driver = work->mode_index / 3 ? RUNTIME_URING : RUNTIME_EPOLL,
        .driver_required = true,
        .workers = (int)work->workers,
        .name = "work",
    };
}

const char *work_config_problem(const struct work *work)
{
    struct runtime_config config = work_config(work);
    return runtime_config_problem(&config);
}

int work_open_runtime(struct work *work, struct runtime **runtime)
{
    struct runtime_config config = work_config(work);
    struct ring_probe probe;
    /* One after the other: TSan does not see that liburing hands address ranges on. */
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&making);
    int err = runtime_create(runtime, &config);
    pthread_mutex_unlock(&making);
    if (err < 0 && config.driver == RUNTIME_URING && ring_probe(&probe) < 0)
        snprintf(work->reason, sizeof work->reason, "%s", probe.sentence);
    return err;
}

int work_run(struct work *work, struct future *root)
{
    struct runtime *runtime;
    struct task_handle handle = { 0 };
    int err = work_open_runtime(work, &runtime);
    if (err < 0)
        return err;
    err = runtime_run(runtime, root, &handle);
    if (err == 0 && task_status(&handle) != JOIN_OK)
        err = -EPROTO;
    task_detach(&handle);
    runtime_destroy(runtime);
    return err;
}

void work_must_be_ok(const struct task_join *join)
{
    work_must(join->status == JOIN_OK ? 0 : -EPROTO, "a task that did not return");
}

/* ---- crew */

static enum poll_state crew_poll(struct future *future, struct context *context)
{
    struct crew *self = ASYNC_SELF(crew, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->size; self->i++)
        work_must(self->kind->spawn(self->shared, self->i, &self->handles[self->i]),
                  "spawn");
    for (self->i = 0; self->i < self->size; self->i++) {
        AWAIT(self->join, task_join(&self->handles[self->i]));
        work_must_be_ok(&self->join);
        self->sum += self->kind->output(&self->handles[self->i]);
        task_detach(&self->handles[self->i]);
    }
    ASYNC_END;
}

static const struct future_ops crew_ops = ASYNC_OPS(crew);

struct crew crew(const struct crew_kind *kind, void *shared, uint64_t size,
                 struct task_handle *handles)
{
    return (struct crew){ .future = { &crew_ops },
                          .kind = kind,
                          .shared = shared,
                          .handles = handles,
                          .size = size };
}

struct crews {
    ASYNC_FRAME;
    struct work *work; /* borrows */
    struct crew pattern;
    uint64_t rounds, ops, sum;
    struct crew crew;
};

static enum poll_state crews_poll(struct future *future, struct context *context)
{
    struct crews *self = ASYNC_SELF(crews, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    for (; self->rounds > 0; self->rounds--) {
        AWAIT(self->crew, self->pattern);
        self->sum += self->crew.sum;
    }
    work_end(self->work, self->ops, self->sum);
    ASYNC_END;
}

int work_run_crews(struct work *work, const struct crew_kind *kind, void *shared,
                   uint64_t size, uint64_t rounds, uint64_t ops)
{
    static const struct future_ops crews_ops = ASYNC_OPS(crews);
    struct task_handle *handles = work_alloc(size, sizeof *handles);
    int err =
        WORK_RUN(work, (struct crews){ .future = { &crews_ops },
                                       .work = work,
                                       .pattern = crew(kind, shared, size, handles),
                                       .rounds = rounds,
                                       .ops = ops });
    free(handles);
    return err;
}
