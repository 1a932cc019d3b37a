/* lane: how one thread's world begins, ends, and answers questions.
 *
 * A lane's tasks are polled by its thread only, so its thread is also the only one that
 * can print them without a lock: a dump is a question, which the executor answers between
 * two polls. */
#include "lesson07_custom/lane.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "common/condition.h"

static void answer_dump(struct executor *executor, void *argument)
{
    struct lane *lane = argument;
    pthread_mutex_lock(&lane->lock);
    bool wanted = lane->printed != lane->asked;
    if (wanted) {
        fprintf(stderr, "lane %u: %llu task(s)\n", lane->place.lane,
                (unsigned long long)executor->live);
        executor_print_tasks(executor);
        lane->printed = lane->asked;
        pthread_cond_broadcast(&lane->answered);
    }
    pthread_mutex_unlock(&lane->lock);
}

static int init_dump(struct lane *lane)
{
    int err = -pthread_mutex_init(&lane->lock, NULL);
    if (err < 0)
        return err;
    err = condition_init(&lane->answered);
    if (err < 0)
        pthread_mutex_destroy(&lane->lock);
    return err;
}

/* The device's, with up to two layers around it. */
static struct parker *choose_parker(struct lane *lane,
                                    const struct runtime_config *config)
{
    struct parker *parker = lane->device.parker;
    if (config->clock) {
        held_parker_init(&lane->held, parker, lane->device.timers);
        parker = &lane->held.parker;
    }
    if (config->spin_before_park_ns) {
        spin_parker_init(&lane->spin, parker, &lane->executor.polls,
                         config->spin_before_park_ns);
        parker = &lane->spin.parker;
    }
    return parker;
}

int lane_init(struct lane *lane, struct runtime *runtime, unsigned index)
{
    const struct runtime_config *config = &runtime->config;
    lane->asked = 0;
    lane->printed = 0;
    lane->closed = false;
    int err = init_dump(lane);
    if (err < 0)
        return err;
    err = device_init(&lane->device, config, runtime->uring, false);
    if (err < 0)
        goto fail_device;
    err = executor_init(&lane->executor, choose_parker(lane, config));
    if (err < 0)
        goto fail_executor;
    lane->executor.order.newest_first =
        true; /* as a worker's own spawns in steal mode */
    lane->executor.on_call = answer_dump;
    lane->executor.on_call_argument = lane;
    lane->place = (struct place){
        .runtime = runtime,
        .scheduler = &lane->executor.scheduler,
        .flags = SPAWN_LOCAL,
        .lane = index,
        .worker = index,
        .services = { .driver = lane->device.driver,
                      .timers = lane->device.timers,
                      .offload = blocking_offload(runtime->blocking) },
    };
    return 0;
fail_executor:
    if (config->clock)
        held_parker_finish(&lane->held);
    device_finish(&lane->device);
fail_device:
    pthread_cond_destroy(&lane->answered);
    pthread_mutex_destroy(&lane->lock);
    return err;
}

/* ---- the end */

void lane_drain(struct lane *lane)
{
    source_pool_drain(lane->device.sources);
}

int lane_run_for(struct lane *lane, uint64_t limit_ns)
{
    return executor_run_for(&lane->executor, limit_ns);
}

bool lane_has_work(struct lane *lane)
{
    struct executor *executor = &lane->executor;
    pthread_mutex_lock(&executor->lock);
    bool work = executor->live + (uint64_t)executor->admitted != 0;
    pthread_mutex_unlock(&executor->lock);
    return work;
}

int lane_cancel(struct lane *lane)
{
    struct executor *executor = &lane->executor;
    executor_cancel_all(executor);
    if (executor_run_for(executor, lane->place.runtime->config.cancel_ns) == 0)
        return 0;
    fprintf(stderr, "lane %u: %llu task(s) ignore the stop:\n", lane->place.lane,
            (unsigned long long)executor->live);
    executor_print_tasks(executor);
    return -ETIMEDOUT;
}

void lane_close(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->closed = true;
    pthread_cond_broadcast(&lane->answered);
    pthread_mutex_unlock(&lane->lock);
    /* A waker that is used later (W5) still unparks, but finds nobody parked, and so makes
     * no system call. Whoever found us parked may be in that call now. */
    executor_wait_for_visitors(&lane->executor);
    if (lane->place.runtime->config.clock)
        held_parker_finish(&lane->held);
    device_finish(&lane->device);
}

void lane_finish(struct lane *lane)
{
    int err = executor_finish(&lane->executor);
    CHECK(err == 0, "lane %u ends with tasks", lane->place.lane);
    pthread_cond_destroy(&lane->answered);
    pthread_mutex_destroy(&lane->lock);
}

/* ---- dump */

static void wait_for_answer(struct lane *lane, uint64_t number, uint64_t limit_ns)
{
    uint64_t deadline = clock_after(clock_now(), limit_ns);
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    while (lane->printed < number && !lane->closed &&
           pthread_cond_timedwait(&lane->answered, &lane->lock, &until) == 0)
        ;
}

void lane_dump(struct lane *lane, uint64_t limit_ns)
{
    pthread_mutex_lock(&lane->lock);
    uint64_t number = ++lane->asked;
    if (!lane->closed) {
        executor_call(&lane->executor); /* under the lock: not closed meanwhile */
        wait_for_answer(lane, number, limit_ns);
    }
    if (lane->printed < number && !lane->closed) {
        const char *task =
            atomic_load_explicit(&lane->executor.polling, memory_order_relaxed);
        fprintf(stderr, "lane %u: stalled: no answer for %llu ms, %s%s%s\n",
                lane->place.lane, (unsigned long long)(limit_ns / NS_PER_MS),
                task ? "in one poll of task '" : "its executor is not running",
                task ? task : "", task ? "'" : "");
        lane->printed = number; /* nobody waits for it any more */
    }
    pthread_mutex_unlock(&lane->lock);
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void lane_metrics(struct lane *lane, struct runtime_metrics *metrics)
{
    metrics->polls += read_counter(&lane->executor.polls);
    metrics->parks += read_counter(&lane->executor.parks);
    metrics->operations += read_counter(&lane->place.stats.operations);
    metrics->syscalls += read_counter(&lane->place.stats.syscalls);
    metrics->counted += read_counter(&lane->place.counted);
}
