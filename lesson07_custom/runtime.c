/* runtime: which scheduler, which driver, and the way in and out.
 *
 * Everything hard is in the layers below. Here: the config is checked before anything is
 * made, io_uring is asked for once and its refusal is kept as a sentence, and what was
 * made in one order is undone in the other. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lesson03_iouring/probe.h"
#include "lesson06_worksteal/pool.h"
#include "lesson07_custom/runtime_inside.h"

#define WORKERS_MAX 1024
#define RING_ENTRIES_MAX 32768    /* the kernel's limit */
#define BLOCKING_THREADS_MAX 4096 /* lesson 6's */

/* ---- the config */

const char *runtime_config_problem(const struct runtime_config *config)
{
    bool steal = config->scheduler == RUNTIME_STEAL;
    if (config->scheduler > RUNTIME_CORE)
        return "the scheduler must be current, steal or core";
    if (config->driver > RUNTIME_URING)
        return "the driver must be epoll, uring or auto";
    if (config->workers < 0)
        return "the number of workers must not be negative (0 means: as many as CPUs)";
    if (config->scheduler == RUNTIME_CURRENT && config->workers > 1)
        return "the current-thread scheduler has exactly one worker";
    if (steal && config->workers > POOL_WORKERS_MAX)
        return "work stealing supports at most 48 workers";
    if (config->workers > WORKERS_MAX)
        return "more than 1,024 workers are refused: that many threads would only "
               "wait for each other";
    if (config->sqpoll && config->driver == RUNTIME_EPOLL)
        return "sqpoll needs the io_uring driver";
    if (steal && config->spin_before_park_ns)
        return "spin_before_park is for the current and core schedulers";
    if (config->ring_entries > RING_ENTRIES_MAX)
        return "a ring has at most 32,768 entries";
    if (config->blocking_threads > BLOCKING_THREADS_MAX)
        return "more than 4,096 blocking threads are refused";
    struct pool_config pool = { .queue_capacity = config->queue_capacity };
    return pool_config_problem(&pool);
}

static bool wants_uring(const struct runtime_config *config)
{
    if (config->driver == RUNTIME_DRIVER_DEFAULT)
        return config->scheduler == RUNTIME_CORE || config->sqpoll;
    return config->driver != RUNTIME_EPOLL;
}

/* Says which driver it will be; the reason is kept when it is not the wanted one. */
static int choose_driver(struct runtime *runtime)
{
    runtime->uring = wants_uring(&runtime->config);
    if (!runtime->uring)
        return 0;
    struct ring_probe probe;
    int err = ring_probe(&probe);
    if (err == 0)
        return 0;
    snprintf(runtime->reason, sizeof runtime->reason, "%s", probe.sentence);
    if (runtime->config.driver_required)
        return err;
    runtime->uring = false;
    runtime->config.sqpoll = false;
    return 0;
}

static void fill_in(struct runtime *runtime, const struct runtime_config *config)
{
    static const struct mode_ops *const modes[] = {
        [RUNTIME_CURRENT] = &current_mode_ops,
        [RUNTIME_STEAL] = &steal_mode_ops,
        [RUNTIME_CORE] = &core_mode_ops,
    };
    runtime->config = *config;
    runtime->mode = modes[config->scheduler];
    if (!config->name)
        runtime->config.name = "worker";
    if (!config->cancel_ns)
        runtime->config.cancel_ns = RUNTIME_CANCEL_NS;
    runtime->workers = (unsigned)config->workers;
    if (runtime->workers == 0)
        runtime->workers = cpus_available();
    if (config->scheduler == RUNTIME_CURRENT)
        runtime->workers = 1;
    if (config->scheduler == RUNTIME_STEAL && runtime->workers > POOL_WORKERS_MAX)
        runtime->workers = POOL_WORKERS_MAX;
    runtime->lanes = config->scheduler == RUNTIME_CORE ? runtime->workers : 1;
}

/* ---- create and destroy */

static void block_dump_signal(struct runtime *runtime)
{
    sigset_t set;
    if (!runtime->config.dump_on_signal)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &runtime->monitor.before);
}

/* A SIGUSR1 that came too late for a dump would end the process when it is let in. */
static void restore_signals(struct runtime *runtime)
{
    struct timespec now = { 0 };
    sigset_t set;
    if (!runtime->config.dump_on_signal)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    while (sigtimedwait(&set, NULL, &now) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &runtime->monitor.before, NULL);
}

/* The clock outlives us, so nobody of ours may be left in it. */
static void leave_clock(const struct runtime *runtime)
{
    if (runtime->config.clock)
        runtime->config.clock->jumper = NULL;
}

int runtime_create(struct runtime **out, const struct runtime_config *config)
{
    if (runtime_config_problem(config))
        return -EINVAL;
    struct runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime)
        return -ENOMEM;
    fill_in(runtime, config);
    struct blocking_config blocking = { .threads = config->blocking_threads,
                                        .clock = config->clock };
    int err = choose_driver(runtime);
    if (err < 0)
        goto fail_driver;
    block_dump_signal(runtime);
    err = blocking_create(&runtime->blocking, &blocking);
    if (err < 0)
        goto fail_blocking;
    err = runtime->mode->start(runtime);
    if (err < 0)
        goto fail_mode;
    err = monitor_start(runtime);
    if (err < 0)
        goto fail_monitor;
    *out = runtime;
    return 0;
fail_monitor:
    if (runtime->mode->stop(runtime, 0) == 0)
        runtime->mode->destroy(runtime);
fail_mode:
    blocking_destroy(runtime->blocking);
    leave_clock(runtime);
fail_blocking:
    restore_signals(runtime);
fail_driver:
    free(runtime);
    return err;
}

/* What was abandoned may still run: it was told nothing, and cannot be. */
static int stop_blocking(struct runtime *runtime)
{
    int err = blocking_stop(runtime->blocking, (int64_t)runtime->config.cancel_ns);
    if (err < 0)
        fprintf(stderr, "runtime: %u blocking thread(s) still inside a call\n",
                blocking_counts(runtime->blocking).threads);
    return err;
}

int runtime_stop(struct runtime *runtime, uint64_t grace_ns)
{
    if (runtime->stopped)
        return 0;
    if (runtime->straggled)
        return -ETIMEDOUT;
    /* release: pairs with the acquire in runtime_is_stopping */
    atomic_store_explicit(&runtime->stopping, true, memory_order_release);
    int err = runtime->mode->stop(runtime, grace_ns);
    if (err == 0)
        err = stop_blocking(runtime);
    monitor_stop(runtime);
    runtime->stopped = err == 0;
    runtime->straggled = err < 0;
    return err;
}

void runtime_destroy(struct runtime *runtime)
{
    /* What straggles still points into the runtime: leaked on purpose, and said so. */
    if (!runtime || runtime_stop(runtime, 0) < 0)
        return;
    runtime->mode->destroy(runtime);
    blocking_destroy(runtime->blocking);
    leave_clock(runtime);
    restore_signals(runtime);
    free(runtime);
}

/* ---- use */

int runtime_run(struct runtime *runtime, struct future *root,
                struct task_handle *handle)
{
    return runtime->mode->run(runtime, root, handle);
}

int runtime_spawn_on(struct runtime *runtime, unsigned lane, struct future *future,
                     struct task_handle *handle)
{
    if (lane >= runtime->lanes)
        return -EINVAL;
    if (runtime_here() == runtime && runtime_lane_here() == lane)
        return runtime_spawn_here(future, handle);
    struct scheduler *scheduler = runtime->mode->lane(runtime, lane);
    int err = task_spawn(scheduler, future, SPAWN_SHARED, handle);
    if (err == 0 && runtime->mode->spawned)
        runtime->mode->spawned(runtime, lane);
    return err;
}

const char *runtime_driver_name(const struct runtime *runtime)
{
    return runtime->uring ? "io_uring" : "epoll";
}

const char *runtime_driver_reason(const struct runtime *runtime)
{
    return runtime->reason[0] ? runtime->reason : NULL;
}

const char *runtime_scheduler_name(const struct runtime *runtime)
{
    return runtime->mode->name;
}

unsigned runtime_lanes(const struct runtime *runtime)
{
    return runtime->lanes;
}

unsigned runtime_workers(const struct runtime *runtime)
{
    return runtime->workers;
}

bool runtime_is_stopping(const struct runtime *runtime)
{
    /* acquire: pairs with the release in runtime_stop */
    return atomic_load_explicit(&runtime->stopping, memory_order_acquire);
}

void runtime_dump(struct runtime *runtime)
{
    fprintf(stderr, "tasks of a runtime: %s, %s, %u worker(s)\n", runtime->mode->name,
            runtime_driver_name(runtime), runtime->workers);
    runtime->mode->dump(runtime);
}

void runtime_metrics(struct runtime *runtime, struct runtime_metrics *metrics)
{
    *metrics = (struct runtime_metrics){ .workers = runtime->workers };
    runtime->mode->metrics(runtime, metrics);
    struct blocking_counts blocking = blocking_counts(runtime->blocking);
    metrics->blocking_queue = blocking.queued;
    metrics->blocking_run = blocking.run;
}
