/* core_mode: a thread a core, each an island.
 *
 * Each core has an executor, a driver, timers and a slab of its own; tasks never leave it,
 * so nothing on their way is atomic. What comes from elsewhere - a spawn, a wake, a
 * message - goes through the lane's inbox and its parker.
 *
 * A lane's thread runs an anchor: a task that is READY when the runtime stops. While it
 * lives, the executor has something to wait for; when it ends, the thread goes through
 * the three phases of the stop, in step with the others:
 *
 *   phase 1   drain, run until empty, stay as long as another lane is busy: it may still
 *             send work here. Over when all lanes were empty, or at the limit.
 *   phase 2   refuse and cancel, at most RUNTIME_CANCEL_NS; then tell, and wait for all.
 *   close     now nobody is left who could wake or spawn here.
 *
 * Invariants: create waits until every thread is through lane_init, and undoes all if one
 * failed; a lane's device is gone only when no other lane runs a task. A lane that does
 * not come back from a poll cannot be waited for: the stop names it at its limit and
 * leaks all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson07_custom/lane.h"

struct core {
    struct lane lane;
    pthread_t thread;
    struct cores *cores; /* borrows */
    unsigned index;
    struct waker_cell anchor_waker;
    int result;   /* of lane_init, then of lane_cancel; guarded by cores->lock */
    bool created; /* thread exists and is not joined */
    bool quit;    /* it is through the phases of the stop; guarded by cores->lock */
};

struct cores {
    struct runtime *runtime; /* borrows */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned ready; /* threads past lane_init; guarded by lock */
    bool failed;    /* one of them could not; guarded by lock */
    bool go;        /* all may start; guarded by lock */
    unsigned quit;  /* threads through the phases of the stop; guarded by lock */
    _Atomic bool stop;
    _Atomic unsigned quiet;  /* lanes that were empty when they last looked */
    uint64_t grace_ns;       /* written before stop */
    struct held_group group; /* with a virtual clock only */
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

/* An empty lane looks this often whether the others are, too. */
#define LOOK_ROUND_NS INT64_C(1000000)

static bool all_quiet(struct cores *cores)
{
    return atomic_load_explicit(&cores->quiet, memory_order_relaxed) == cores->count;
}

/* Phase 1. A task that is sent here in the very moment in which all were empty is
 * cancelled in phase 2, as if it had come a moment later. */
static void let_finish(struct core *core)
{
    struct cores *cores = core->cores;
    struct lane *lane = &core->lane;
    uint64_t deadline = clock_after(clock_now(), cores->grace_ns);
    lane_drain(lane);
    for (;;) {
        uint64_t now = clock_now();
        int err = lane_run_for(lane, deadline > now ? deadline - now : 0);
        atomic_fetch_add_explicit(&cores->quiet, 1, memory_order_relaxed);
        while (err == 0 && !all_quiet(cores) && !lane_has_work(lane)) {
            parker_park(lane->executor.parker, LOOK_ROUND_NS);
            if (clock_now() >= deadline)
                return;
            err = lane_run_for(lane, 0); /* answers a dump */
        }
        if (err < 0 || !lane_has_work(lane))
            return;
        atomic_fetch_sub_explicit(&cores->quiet, 1, memory_order_relaxed);
    }
}

/* Tells that this lane has ended, and waits until every other one has. */
static void meet(struct core *core, int result)
{
    struct cores *cores = core->cores;
    pthread_mutex_lock(&cores->lock);
    core->result = result;
    core->quit = true;
    cores->quit++;
    pthread_cond_broadcast(&cores->changed);
    while (cores->quit < cores->count)
        pthread_cond_wait(&cores->changed, &cores->lock);
    pthread_mutex_unlock(&cores->lock);
}

static void run_core(struct core *core)
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
    let_finish(core);
    err = lane_cancel(lane);
    meet(core, err);
    if (err == 0)
        lane_close(lane);
    if (runtime->config.on_thread_stop)
        runtime->config.on_thread_stop(core->index, runtime->config.hook_argument);
    place_leave(&lane->place);
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
            lane_close(&core->lane);
            lane_finish(&core->lane);
        }
        return NULL;
    }
    run_core(core);
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
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int err = pthread_cond_init(&cores->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (err != 0) {
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

static int core_run(struct runtime *runtime, struct future *root,
                    struct task_handle *handle)
{
    int err = task_spawn(core_lane(runtime, 0), root, SPAWN_SHARED, handle);
    if (err < 0)
        return err;
    struct task_join join = task_join(handle);
    return block_on(&join.future);
}

/* Waits until every lane is through its phases; -ETIMEDOUT: some are not. */
static int wait_for_the_phases(struct cores *cores)
{
    uint64_t limit = clock_after(cores->grace_ns, RUNTIME_CANCEL_NS + NS_PER_S);
    uint64_t deadline = clock_after(clock_now(), limit);
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    int err = 0;
    pthread_mutex_lock(&cores->lock);
    while (cores->quit < cores->count && err == 0)
        err = -pthread_cond_timedwait(&cores->changed, &cores->lock, &until);
    err = cores->quit < cores->count ? -ETIMEDOUT : 0;
    pthread_mutex_unlock(&cores->lock);
    return err;
}

/* Those that do not even come back from a poll. */
static void name_the_stuck(struct cores *cores)
{
    for (unsigned i = 0; i < cores->count; i++) {
        pthread_mutex_lock(&cores->lock);
        bool quit = cores->cores[i].quit;
        pthread_mutex_unlock(&cores->lock);
        if (!quit)
            lane_dump(&cores->cores[i].lane, 100 * NS_PER_MS);
    }
}

static int core_stop(struct runtime *runtime, uint64_t grace_ns)
{
    struct cores *cores = runtime->mode_state;
    cores->grace_ns = grace_ns;
    /* release: pairs with the acquire in anchor_poll */
    atomic_store_explicit(&cores->stop, true, memory_order_release);
    for (unsigned i = 0; i < cores->count; i++)
        waker_cell_wake(&cores->cores[i].anchor_waker);
    int err = wait_for_the_phases(cores);
    if (err < 0) {
        name_the_stuck(cores);
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
    .stop = core_stop,
    .destroy = core_destroy,
    .dump = core_dump,
    .metrics = core_metrics,
};
