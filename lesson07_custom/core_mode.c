/* core_mode: a thread a core, each an island.
 *
 * Each core has an executor, a driver, timers and a slab of its own; tasks never leave it,
 * so nothing on their way is atomic. What comes from elsewhere - a spawn, a wake, a
 * message - goes through the lane's inbox and its parker.
 *
 * A lane's thread runs an anchor: a task that is READY when the runtime stops. While it
 * lives, the executor has something to wait for; when it ends, the thread goes through
 * the three phases of the stop. Invariant: `started` lanes are those whose thread got
 * through lane_init; create waits for all, and undoes all if one failed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson07_custom/lane.h"

struct core {
    struct lane lane;
    pthread_t thread;
    struct cores *cores; /* borrows */
    unsigned index;
    struct waker_cell anchor_waker;
    int result;   /* of lane_init, then of lane_stop */
    bool created; /* thread exists and is not joined */
};

struct cores {
    struct runtime *runtime; /* borrows */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned ready; /* threads past lane_init; guarded by lock */
    bool failed;    /* one of them could not; guarded by lock */
    bool go;        /* all may start; guarded by lock */
    _Atomic bool stop;
    uint64_t grace_ns; /* written before stop */
    unsigned count;
    struct core cores[];
};

/* ---- the anchor */

struct anchor {
    struct future future;
    struct core *core; /* borrows */
};

static enum poll_state anchor_poll(struct future *future, struct context *context)
{
    struct core *core = container_of(future, struct anchor, future)->core;
    waker_cell_register(&core->anchor_waker, context);
    /* acquire: pairs with the release in core_stop; after the registration (W1) */
    return atomic_load_explicit(&core->cores->stop, memory_order_acquire)
               ? POLL_READY
               : POLL_PENDING;
}

static void anchor_cancel(struct future *future)
{
    (void)future; /* it ends with the stop, and with nothing else */
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

static int run_core(struct core *core)
{
    struct cores *cores = core->cores;
    struct lane *lane = &core->lane;
    struct runtime *runtime = cores->runtime;
    struct anchor anchor = { { &anchor_ops }, core };
    struct task_handle handle = { 0 };
    place_enter(&lane->place);
    if (runtime->config.on_thread_start)
        runtime->config.on_thread_start(core->index, runtime->config.hook_argument);
    int err = executor_block_on(&lane->executor, &anchor.future, &handle);
    if (err < 0)
        fprintf(stderr, "core %u ends early: %s\n", core->index, errname(err));
    task_detach(&handle);
    err = lane_stop(lane, cores->grace_ns);
    if (runtime->config.on_thread_stop)
        runtime->config.on_thread_stop(core->index, runtime->config.hook_argument);
    place_leave(&lane->place);
    return err;
}

static void *core_main(void *argument)
{
    struct core *core = argument;
    struct runtime *runtime = core->cores->runtime;
    char name[16];
    snprintf(name, sizeof name, "%.10s-%u", runtime->config.name, core->index);
    pthread_setname_np(pthread_self(), name);
    if (runtime->config.pin && cpus_pin(core->index) < 0)
        fprintf(stderr, "%s: cannot be pinned to a CPU; it runs anywhere\n", name);
    int err = lane_init(&core->lane, runtime, core->index);
    if (!report(core, err)) {
        if (err == 0) {
            executor_finish(&core->lane.executor);
            lane_finish(&core->lane);
        }
        return NULL;
    }
    core->result = run_core(core);
    if (core->result == 0)
        lane_finish(&core->lane);
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
    if (pthread_cond_init(&cores->changed, NULL) != 0) {
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
    int err = 0;
    cores->grace_ns = grace_ns;
    /* release: pairs with the acquire in anchor_poll */
    atomic_store_explicit(&cores->stop, true, memory_order_release);
    for (unsigned i = 0; i < cores->count; i++)
        waker_cell_wake(&cores->cores[i].anchor_waker);
    join_all_threads(cores);
    for (unsigned i = 0; i < cores->count && err == 0; i++)
        err = cores->cores[i].result;
    return err;
}

static void core_destroy(struct runtime *runtime)
{
    free_cores(runtime->mode_state);
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
    .stop = core_stop,
    .destroy = core_destroy,
    .dump = core_dump,
    .metrics = core_metrics,
};
