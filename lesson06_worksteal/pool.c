/* pool: the life of the threads, and how it ends.
 *
 * Starting is a ladder: what fails is undone, also threads that run already.
 *
 * Stopping is the hard part (S12): a spawn may be under way on any thread. A spawn from
 * outside counts itself as a visitor before it looks at the STOPPING flag; the stop sets
 * the flag before it waits for the visitors to leave. So a spawn is either refused, or
 * its task is in the slab when the stop goes through it to cancel. A spawn on a worker
 * happens inside a poll, and the cancelling is an errand, for which every worker first
 * comes back from its poll. The same visitor count keeps the pool's memory in place for a
 * wake that is still on its way out when the task that it woke was the last (W5). */
#include "lesson06_worksteal/pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/condition.h"
#include "lesson06_worksteal/pool_inside.h"

#define QUEUE_CAPACITY 256

/* ---- config */

static int usable_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1,024 CPUs */
    return online < 1 ? 1 : (int)online;
}

const char *pool_config_problem(const struct pool_config *config)
{
    if (config->workers < 0)
        return "a pool cannot have a negative number of workers (0: one for each CPU)";
    if (config->workers > POOL_WORKERS_MAX)
        return "a pool has at most 48 workers, one bit of its idle word for each";
    unsigned capacity = config->queue_capacity;
    if (capacity &&
        (capacity < 2 || capacity > QUEUE_CAPACITY || (capacity & (capacity - 1))))
        return "a worker's queue has 2, 4, 8, ... 256 places (0: 256)";
    return NULL;
}

static void fill_in(struct pool_config *config)
{
    if (config->workers == 0)
        config->workers = usable_cpus();
    if (config->workers > POOL_WORKERS_MAX)
        config->workers = POOL_WORKERS_MAX;
    if (config->queue_capacity == 0)
        config->queue_capacity = QUEUE_CAPACITY;
    if (config->name == NULL)
        config->name = "worker";
}

/* ---- threads */

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    const struct pool_hooks *hooks = &pool->config.hooks;
    char name[16];
    snprintf(name, sizeof name, "%.11s-%u", pool->config.name, worker->index);
    pthread_setname_np(pthread_self(), name); /* for people; may fail */
    int err =
        hooks->worker_start ? hooks->worker_start(hooks->argument, worker->index) : 0;
    pthread_mutex_lock(&pool->lock);
    pool->started++;
    if (err < 0 && pool->start_error == 0)
        pool->start_error = err;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    if (err == 0)
        worker_run(worker);
    if (err == 0 && hooks->worker_stop)
        hooks->worker_stop(hooks->argument, worker->index);
    virtual_clock_release(pool->config.clock);
    return NULL;
}

/* Signals are for the program's own threads: a handler that runs on a worker would run
 * between two instructions of anybody's task. */
static int start_threads(struct pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = 0;
    while (err == 0 && pool->threads < pool->count) {
        struct worker *worker = &pool->workers[pool->threads];
        virtual_clock_hold(pool->config.clock); /* its thread's */
        err = pthread_create(&worker->thread, NULL, worker_main, worker);
        pool->threads += err == 0;
        if (err)
            virtual_clock_release(pool->config.clock);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&pool->lock);
    while (pool->started < pool->threads)
        pthread_cond_wait(&pool->changed, &pool->lock);
    if (err == 0)
        err = -pool->start_error;
    pthread_mutex_unlock(&pool->lock);
    return -err;
}

static void raise_attention(struct pool *pool, unsigned flag)
{
    /* seq_cst: pairs with pool_attention in admit and before a sleep */
    atomic_fetch_or_explicit(&pool->attention, flag, memory_order_seq_cst);
}

void pool_wake_all(struct pool *pool, unsigned flag)
{
    raise_attention(pool, flag);
    for (unsigned i = 0; i < pool->count; i++)
        pool_unpark(pool, idle_claim(&pool->idle, i));
}

static void end_threads(struct pool *pool)
{
    pool_wake_all(pool, POOL_EXIT);
    for (unsigned i = 0; i < pool->threads; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pool->threads = 0;
}

/* ---- create, destroy */

static int init_lock(struct pool *pool)
{
    int err = -pthread_mutex_init(&pool->lock, NULL);
    if (err < 0)
        return err;
    err = condition_init(&pool->changed);
    if (err < 0)
        pthread_mutex_destroy(&pool->lock);
    return err;
}

static void finish_workers(struct pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++)
        worker_finish(&pool->workers[i]);
    free(pool->workers);
}

static int init_workers(struct pool *pool)
{
    size_t size = pool->count * sizeof *pool->workers;
    pool->workers = aligned_alloc(_Alignof(struct worker), size);
    if (!pool->workers)
        return -ENOMEM;
    memset(pool->workers, 0, size);
    int err = 0;
    for (unsigned i = 0; err == 0 && i < pool->count; i++)
        err = worker_init(&pool->workers[i], pool, i, pool->config.queue_capacity,
                          pool->config.seed);
    if (err < 0)
        finish_workers(pool);
    return err;
}

static struct pool *pool_allocate(const struct pool_config *config)
{
    struct pool *pool = aligned_alloc(_Alignof(struct pool), sizeof *pool);
    if (!pool)
        return NULL;
    memset(pool, 0, sizeof *pool);
    pool->scheduler.ops = &pool_ops;
    pool->config = *config;
    fill_in(&pool->config);
    pool->count = (unsigned)pool->config.workers;
    thread_parker_init(&pool->own_parker);
    pool->parker = config->parker ? config->parker : &pool->own_parker.parker;
    idle_init(&pool->idle, pool->count);
    list_init(&pool->blocked);
    return pool;
}

int pool_create(struct pool **out, const struct pool_config *config)
{
    *out = NULL;
    if (pool_config_problem(config))
        return -EINVAL;
    struct pool *pool = pool_allocate(config);
    if (!pool)
        return -ENOMEM;
    int err = init_lock(pool);
    if (err < 0)
        goto fail_pool;
    err = injector_init(&pool->injector);
    if (err < 0)
        goto fail_lock;
    err = -ENOMEM;
    pool->outside = task_home_create(&pool->scheduler);
    if (!pool->outside)
        goto fail_injector;
    err = init_workers(pool);
    if (err < 0)
        goto fail_outside;
    err = start_threads(pool);
    if (err < 0)
        goto fail_threads;
    *out = pool;
    return 0;

fail_threads:
    end_threads(pool);
    finish_workers(pool);
fail_outside:
    task_home_close(pool->outside);
fail_injector:
    injector_finish(&pool->injector);
fail_lock:
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
fail_pool:
    free(pool);
    return err;
}

static void wait_for_visitors(struct pool *pool)
{
    /* seq_cst: pairs with visit, and with leave. They stay for some instructions. */
    while (atomic_load_explicit(&pool->visitors, memory_order_seq_cst))
        sched_yield();
}

static void cancel_if_live(struct task *task, void *argument)
{
    (void)argument;
    if (task_is_live(task))
        task_request_cancel(task);
}

static void cancel_home(struct worker *worker, void *argument)
{
    (void)argument;
    task_home_each(worker->home, cancel_if_live, NULL);
    if (worker->index == 0)
        task_home_each(worker->pool->outside, cancel_if_live, NULL);
}

int pool_stop(struct pool *pool, int64_t timeout_ns)
{
    CHECK(!pool_worker_here(pool),
          "a worker stops its own pool: it would wait for itself");
    uint64_t deadline = pool_deadline(timeout_ns);
    raise_attention(pool, POOL_STOPPING);
    wait_for_visitors(pool);
    if (pool->threads == 0)
        return 0;
    bool cancelled = pool_errand(pool, cancel_home, NULL, timeout_ns) == 0;
    pthread_mutex_lock(&pool->lock);
    /* Workers tell us when they have nothing to do (pool_going_to_sleep). */
    while (cancelled && pool_live(pool) && pool_wait(pool, deadline))
        ;
    pthread_mutex_unlock(&pool->lock);
    uint64_t left = pool_live(pool);
    if (left) {
        fprintf(stderr, "pool: %llu tasks did not end within the limit:\n",
                (unsigned long long)left);
        pool_print_tasks(pool, 100 * (int64_t)NS_PER_MS);
        return -ETIMEDOUT;
    }
    end_threads(pool);
    return 0;
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    bool stopped_before = pool_attention(pool) & POOL_STOPPING;
    if (stopped_before && pool->threads)
        return; /* that stop timed out */
    if (!stopped_before)
        pool_stop(pool, PARK_FOREVER);
    wait_for_visitors(pool);
    finish_workers(pool);
    task_home_close(pool->outside);
    injector_finish(&pool->injector);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
