/* steal_mode: lesson 6's pool over one shared device.
 *
 * The device is the pool's parker: one idle worker at a time sleeps in it, so that I/O and
 * timers wake whoever is free, and no completion is stranded behind a busy worker (S9).
 * Each worker has a place of its own (which counters, which services); all share the
 * driver, the timers and the blocking pool. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lesson06_worksteal/pool.h"
#include "lesson07_custom/runtime_inside.h"

struct steal {
    struct runtime *runtime; /* borrows */
    struct device device;
    struct pool *pool;      /* owns */
    pthread_mutex_t asking; /* a dump and the end of the pool exclude each other */
    bool over;              /* guarded by asking: no worker is left to be asked */
    struct place places[];
};

/* The watch of a stop looks this often whether the tasks are gone. */
#define WATCH_NS 1000000

static int worker_start(void *argument, unsigned worker)
{
    struct steal *steal = argument;
    const struct runtime_config *config = &steal->runtime->config;
    struct place *place = &steal->places[worker];
    *place = (struct place){
        .runtime = steal->runtime,
        .flags = SPAWN_SHARED,
        .worker = worker,
        .services = { .driver = steal->device.driver,
                      .timers = steal->device.timers,
                      .offload = blocking_offload(steal->runtime->blocking) },
    };
    place_enter(place);
    if (config->pin && cpus_pin(worker) < 0)
        fprintf(stderr, "worker %u cannot be pinned to a CPU; it runs anywhere\n",
                worker);
    if (config->on_thread_start)
        config->on_thread_start(worker, config->hook_argument);
    return 0;
}

static void worker_stop(void *argument, unsigned worker)
{
    struct steal *steal = argument;
    const struct runtime_config *config = &steal->runtime->config;
    if (config->on_thread_stop)
        config->on_thread_stop(worker, config->hook_argument);
    place_leave(&steal->places[worker]);
}

static int start_pool(struct steal *steal)
{
    const struct runtime_config *config = &steal->runtime->config;
    struct pool_config wanted = {
        .workers = (int)steal->runtime->workers,
        .queue_capacity = config->queue_capacity,
        .no_stealing = config->no_stealing,
        .name = config->name,
        .parker = steal->device.parker,
        .clock = config->clock,
        .hooks = { worker_start, worker_stop, steal },
    };
    return pool_create(&steal->pool, &wanted);
}

static int steal_start(struct runtime *runtime)
{
    struct steal *steal =
        calloc(1, sizeof *steal + runtime->workers * sizeof steal->places[0]);
    if (!steal)
        return -ENOMEM;
    steal->runtime = runtime;
    int err = -pthread_mutex_init(&steal->asking, NULL);
    if (err < 0)
        goto fail_lock;
    err = device_init(&steal->device, &runtime->config, runtime->uring, true);
    if (err < 0)
        goto fail_device;
    err = start_pool(steal);
    if (err < 0)
        goto fail_pool;
    runtime->mode_state = steal;
    return 0;
fail_pool:
    device_finish(&steal->device);
fail_device:
    pthread_mutex_destroy(&steal->asking);
fail_lock:
    free(steal);
    return err;
}

static int steal_run(struct runtime *runtime, struct future *root,
                     struct task_handle *handle)
{
    struct steal *steal = runtime->mode_state;
    return pool_block_on(steal->pool, root, handle);
}

static struct scheduler *steal_lane(struct runtime *runtime, unsigned index)
{
    struct steal *steal = runtime->mode_state;
    (void)index;
    return &steal->pool->scheduler;
}

/* Phase 1: waits until the tasks are gone, without disturbing them. */
static void let_finish(struct pool *pool, uint64_t grace_ns)
{
    uint64_t deadline = clock_after(clock_now(), grace_ns);
    struct timespec moment = { .tv_nsec = WATCH_NS };
    while (pool_live(pool) > 0 && clock_now() < deadline)
        nanosleep(&moment, NULL);
}

static int steal_stop(struct runtime *runtime, uint64_t grace_ns)
{
    struct steal *steal = runtime->mode_state;
    source_pool_drain(steal->device.sources);
    let_finish(steal->pool, grace_ns);
    pthread_mutex_lock(&steal->asking);
    int err =
        pool_stop(steal->pool, (int64_t)runtime->config.cancel_ns); /* phases 2 and 3 */
    steal->over = err == 0;
    pthread_mutex_unlock(&steal->asking);
    return err;
}

static void steal_destroy(struct runtime *runtime)
{
    struct steal *steal = runtime->mode_state;
    pool_destroy(steal->pool);
    device_finish(&steal->device);
    pthread_mutex_destroy(&steal->asking);
    free(steal);
}

static void steal_dump(struct runtime *runtime)
{
    struct steal *steal = runtime->mode_state;
    pthread_mutex_lock(&steal->asking);
    if (!steal->over && pool_print_tasks(steal->pool, 100 * (int64_t)NS_PER_MS) < 0)
        fprintf(stderr, "stalled: no answer for 100 ms, so the tasks, which any worker "
                        "may hold, cannot be looked at\n");
    pthread_mutex_unlock(&steal->asking);
}

static void steal_metrics(struct runtime *runtime, struct runtime_metrics *metrics)
{
    struct steal *steal = runtime->mode_state;
    for (unsigned i = 0; i < steal->pool->count; i++) {
        const struct worker_stats *stats = &steal->pool->workers[i].stats;
        const struct io_stats *io = &steal->places[i].stats;
        metrics->polls += STAT(stats->run);
        metrics->steals += STAT(stats->stolen);
        metrics->parks += STAT(stats->parked);
        metrics->operations += STAT(io->operations);
        metrics->syscalls += STAT(io->syscalls);
        metrics->counted += STAT(steal->places[i].counted);
    }
    metrics->live = pool_live(steal->pool);
}

const struct mode_ops steal_mode_ops = {
    .name = "steal",
    .start = steal_start,
    .run = steal_run,
    .lane = steal_lane,
    .stop = steal_stop,
    .destroy = steal_destroy,
    .dump = steal_dump,
    .metrics = steal_metrics,
};
