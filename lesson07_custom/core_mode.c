/* core_mode: a thread a core, each an island.
 *
 * Each core has an executor, a driver, timers and a slab of its own; tasks never leave it,
 * so nothing on their way is atomic. What comes from elsewhere - a spawn, a wake, a
 * message - goes through the lane's inbox and its parker.
 *
 * A lane's thread runs an anchor: a task that is READY when the runtime stops. While it
 * lives, the executor has something to wait for; when it ends, the thread goes through
 * the phases of the stop (core_stop.c). Invariant: create waits until every thread has a
 * lane with an anchor, and undoes all if one has not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/condition.h"
#include "lesson02_wakers/block_on.h"
#include "lesson07_custom/core_inside.h"

/* ---- the anchor */

struct anchor {
    struct future future;
    struct core *core; /* borrows */
    bool cancelled;    /* create failed */
};

static enum poll_state anchor_poll(struct future *future, struct context *context)
{
    struct anchor *self = container_of(future, struct anchor, future);
    struct core *core = self->core;
    waker_cell_register(&core->anchor_waker, context);
    /* acquire: pairs with the release in core_stop; after the registration (W1) */
    bool stop = atomic_load_explicit(&core->cores->stop, memory_order_acquire);
    return stop || self->cancelled ? POLL_READY : POLL_PENDING;
}

static void anchor_cancel(struct future *future)
{
    container_of(future, struct anchor, future)->cancelled = true;
}

static const struct future_ops anchor_ops = {
    .name = "anchor of a core",
    .size = sizeof(struct anchor),
    .poll = anchor_poll,
    .cancel = anchor_cancel,
};

/* ---- a core's thread */

/* Tells the creator how lane_init went, and waits for its word: go on? */
static bool report(struct core *core, int result)
{
    struct cores *cores = core->cores;
    pthread_mutex_lock(&cores->lock);
    core->result = result;
    cores->ready++;
    cores->failed |= result < 0;
    pthread_cond_broadcast(&cores->changed);
    while (!cores->go && !cores->failed)
        pthread_cond_wait(&cores->changed, &cores->lock);
    bool go = !cores->failed;
    pthread_mutex_unlock(&cores->lock);
    return go;
}

static void run_core(struct core *core, const struct task_handle *anchor)
{
    struct lane *lane = &core->lane;
    const struct runtime_config *config = &core->cores->runtime->config;
    place_enter(&lane->place);
    if (config->on_thread_start)
        config->on_thread_start(core->index, config->hook_argument);
    int err = executor_run_until(&lane->executor, anchor);
    CHECK(err == 0, "core %u cannot go on: %s", core->index, errname(err));
    core_let_finish(core);
    err = lane_cancel(lane);
    core_meet(core, err);
    if (err == 0)
        lane_close(lane);
    if (config->on_thread_stop)
        config->on_thread_stop(core->index, config->hook_argument);
    place_leave(&lane->place);
}

/* The lane, with its anchor spawned. One core after the other: their timers meet at a
 * virtual clock, and TSan does not see that liburing hands address ranges on. */
static int init_core(struct core *core, struct task_handle *handle)
{
    struct lane *lane = &core->lane;
    struct anchor anchor = { .future = { &anchor_ops }, .core = core };
    pthread_mutex_lock(&core->cores->lock);
    int err = lane_init(lane, core->cores->runtime, core->index);
    if (err == 0) {
        struct task_home *before = task_home_enter(lane->executor.home);
        err =
            task_spawn(&lane->executor.scheduler, &anchor.future, SPAWN_LOCAL, handle);
        task_home_leave(lane->executor.home, before);
        if (err < 0) {
            lane_close(lane);
            lane_finish(lane);
        }
    }
    pthread_mutex_unlock(&core->cores->lock);
    return err;
}

/* Another core failed. */
static void undo_core(struct core *core, struct task_handle *handle)
{
    task_detach(handle);
    pthread_mutex_lock(&core->cores->lock);
    lane_close(&core->lane);
    lane_finish(&core->lane);
    pthread_mutex_unlock(&core->cores->lock);
}

static void *core_main(void *argument)
{
    struct core *core = argument;
    struct runtime *runtime = core->cores->runtime;
    struct task_handle anchor = { 0 };
    char name[16];
    snprintf(name, sizeof name, "%.10s-%u", runtime->config.name, core->index);
    pthread_setname_np(pthread_self(), name);
    if (runtime->config.pin && cpus_pin(core->index) < 0)
        fprintf(stderr, "%s: cannot be pinned to a CPU; it runs anywhere\n", name);
    int err = init_core(core, &anchor);
    if (report(core, err))
        run_core(core, &anchor);
    else if (err == 0)
        undo_core(core, &anchor);
    task_detach(&anchor);
    return NULL;
}

/* ---- mode_ops */

static void join_all_threads(struct cores *cores)
{
    for (unsigned i = 0; i < cores->count; i++) {
        if (cores->cores[i].created)
            pthread_join(cores->cores[i].thread, NULL);
        cores->cores[i].created = false;
    }
}

static void free_cores(struct cores *cores)
{
    for (unsigned i = 0; i < cores->count; i++)
        waker_cell_finish(&cores->cores[i].anchor_waker);
    pthread_cond_destroy(&cores->changed);
    pthread_mutex_destroy(&cores->lock);
    free(cores);
}

static struct cores *make_cores(struct runtime *runtime)
{
    struct cores *cores =
        calloc(1, sizeof *cores + runtime->workers * sizeof cores->cores[0]);
    if (!cores)
        return NULL;
    cores->runtime = runtime;
    cores->count = runtime->workers;
    if (pthread_mutex_init(&cores->lock, NULL) != 0) {
        free(cores);
        return NULL;
    }
    if (condition_init(&cores->changed) < 0) {
        pthread_mutex_destroy(&cores->lock);
        free(cores);
        return NULL;
    }
    for (unsigned i = 0; i < cores->count; i++) {
        cores->cores[i].cores = cores;
        cores->cores[i].index = i;
        waker_cell_init(&cores->cores[i].anchor_waker);
    }
    return cores;
}

/* The first error of a core, once every thread that exists has reported. */
static int wait_for_cores(struct cores *cores, unsigned created, int err)
{
    pthread_mutex_lock(&cores->lock);
    if (err < 0)
        cores->failed = true;
    pthread_cond_broadcast(&cores->changed);
    while (cores->ready < created)
        pthread_cond_wait(&cores->changed, &cores->lock);
    for (unsigned i = 0; i < created && err == 0; i++)
        err = cores->cores[i].result;
    held_group_init(&cores->group, cores->runtime->config.clock);
    for (unsigned i = 0; i < created && err == 0; i++)
        held_group_add(&cores->group, &cores->cores[i].lane.held);
    cores->go = err == 0;
    pthread_cond_broadcast(&cores->changed);
    pthread_mutex_unlock(&cores->lock);
    return err;
}

static int core_start(struct runtime *runtime)
{
    struct cores *cores = make_cores(runtime);
    if (!cores)
        return -ENOMEM;
    int err = 0;
    unsigned created = 0;
    while (created < cores->count && err == 0) {
        struct core *core = &cores->cores[created];
        err = -pthread_create(&core->thread, NULL, core_main, core);
        core->created = err == 0;
        created += err == 0;
    }
    err = wait_for_cores(cores, created, err);
    if (err == 0) {
        runtime->mode_state = cores;
        return 0;
    }
    join_all_threads(cores);
    free_cores(cores);
    return err;
}

static struct scheduler *core_lane(struct runtime *runtime, unsigned index)
{
    struct cores *cores = runtime->mode_state;
    return &cores->cores[index].lane.executor.scheduler;
}

static void core_spawned(struct runtime *runtime, unsigned index)
{
    struct cores *cores = runtime->mode_state;
    core_disturb(&cores->cores[index]);
}

static int core_run(struct runtime *runtime, struct future *root,
                    struct task_handle *handle)
{
    int err = task_spawn(core_lane(runtime, 0), root, SPAWN_SHARED, handle);
    if (err < 0)
        return err;
    struct task_join join = task_join(handle);
    return block_on(&join.future);
}

static int core_stop(struct runtime *runtime, uint64_t grace_ns)
{
    struct cores *cores = runtime->mode_state;
    cores->grace_ns = grace_ns;
    /* release: pairs with the acquire in anchor_poll */
    atomic_store_explicit(&cores->stop, true, memory_order_release);
    for (unsigned i = 0; i < cores->count; i++)
        waker_cell_wake(&cores->cores[i].anchor_waker);
    int err = core_wait_for_phases(cores);
    if (err < 0) {
        core_name_the_stuck(cores);
        return err;
    }
    join_all_threads(cores);
    for (unsigned i = 0; i < cores->count && err == 0; i++)
        err = cores->cores[i].result;
    return err;
}

static void core_destroy(struct runtime *runtime)
{
    struct cores *cores = runtime->mode_state;
    for (unsigned i = 0; i < cores->count; i++)
        lane_finish(&cores->cores[i].lane);
    free_cores(cores);
}

static void core_dump(struct runtime *runtime)
{
    struct cores *cores = runtime->mode_state;
    for (unsigned i = 0; i < cores->count; i++)
        lane_dump(&cores->cores[i].lane, 100 * NS_PER_MS);
}

static void core_metrics(struct runtime *runtime, struct runtime_metrics *metrics)
{
    struct cores *cores = runtime->mode_state;
    for (unsigned i = 0; i < cores->count; i++)
        lane_metrics(&cores->cores[i].lane, metrics);
}

const struct mode_ops core_mode_ops = {
    .name = "core",
    .start = core_start,
    .run = core_run,
    .lane = core_lane,
    .spawned = core_spawned,
    .stop = core_stop,
    .destroy = core_destroy,
    .dump = core_dump,
    .metrics = core_metrics,
};
