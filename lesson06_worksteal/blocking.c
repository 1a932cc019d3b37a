/* blocking: a queue, a lock, and threads that come and go.
 *
 * Problem: how many threads does one need for calls that block? As many as are blocked at
 * once, and nobody knows that before; but a thread costs memory and its creation may fail.
 * Idea: start one only when a job waits and no idle thread is there for it, up to a bound;
 * let each end when it has been idle for a while.
 *
 * Invariants, under the lock:
 *   B1  a job is in the queue, or run by one thread, or back with its owner;
 *   B2  while jobs are queued there is at least one thread. So when a thread cannot be
 *       created, the job is refused only if there is none at all (S11): otherwise it waits
 *       for one of the others;
 *   B3  a thread that ends joins the one that ended before it, so that at most one
 *       finished thread is left unjoined (as Tokio's pool does), and a stop waits for it.
 *
 * A lock is right here: a job costs microseconds to milliseconds anyhow. */
#include "lesson06_worksteal/blocking.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/condition.h"
#include "common/container.h"

#define THREADS_MAX 4096

struct blocking_pool {
    struct offload offload;
    struct blocking_config config; /* immutable, with the defaults filled in */
    pthread_mutex_t lock;
    /* guarded by lock */
    pthread_cond_t work;      /* a job, or the stop */
    pthread_cond_t changed;   /* a thread ended */
    struct offload_job *head; /* borrows */
    struct offload_job **tail;
    struct blocking_counts counts;
    pthread_t ended; /* the last thread that ended, not joined yet */
    bool has_ended;
    unsigned ending; /* threads that take no more jobs, but are not gone */
    bool stopping;
};

static struct blocking_pool *pool_of(struct offload *offload)
{
    return container_of(offload, struct blocking_pool, offload);
}

/* ---- threads */

static struct offload_job *pop(struct blocking_pool *pool)
{
    struct offload_job *job = pool->head;
    if (!job)
        return NULL;
    pool->head = job->next;
    if (!pool->head)
        pool->tail = &pool->head;
    pool->counts.queued--;
    return job;
}

static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                       uint64_t deadline)
{
    if (deadline == CLOCK_NEVER)
        return pthread_cond_wait(condition, lock) == 0;
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

/* The next job; NULL: this thread is to end. The lock is held. */
static struct offload_job *next_job(struct blocking_pool *pool)
{
    uint64_t deadline = clock_after(clock_now(), pool->config.keep_alive_ns);
    bool in_time = true;
    while (!pool->head && !pool->stopping && in_time) {
        pool->counts.idle++;
        in_time = wait_until(&pool->work, &pool->lock, deadline);
        pool->counts.idle--;
    }
    return pop(pool);
}

static void *thread_main(void *argument)
{
    struct blocking_pool *pool = argument;
    struct offload_job *job;
    pthread_setname_np(pthread_self(), pool->config.name); /* for people; may fail */
    pthread_mutex_lock(&pool->lock);
    while ((job = next_job(pool)) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        virtual_clock_release(pool->config.clock);
        pthread_mutex_lock(&pool->lock);
        pool->counts.run++;
    }
    /* In one step with "the queue is empty": no submit may count on us any more (B2). */
    pool->counts.threads--;
    pool->ending++;
    pthread_t before = pool->ended;
    bool join_it = pool->has_ended;
    pool->ended = pthread_self();
    pool->has_ended = true;
    pthread_mutex_unlock(&pool->lock);
    if (join_it) /* B3 */
        pthread_join(before, NULL);
    pthread_mutex_lock(&pool->lock);
    pool->ending--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The lock is held, so that nobody counts the thread before it is certain. */
static int start_thread(struct blocking_pool *pool)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, NULL, thread_main, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->counts.threads += err == 0;
    return -err;
}

/* ---- offload_ops */

static void unlink_job(struct blocking_pool *pool, struct offload_job **at)
{
    struct offload_job *job = *at;
    *at = job->next;
    if (pool->tail == &job->next)
        pool->tail = at;
    pool->counts.queued--;
}

/* Finds the job in the queue; NULL: it is not there. */
static struct offload_job **find_job(struct blocking_pool *pool,
                                     const struct offload_job *job)
{
    struct offload_job **at = &pool->head;
    while (*at && *at != job)
        at = &(*at)->next;
    return *at ? at : NULL;
}

/* The job is queued: is there somebody for it? */
static int see_to_it(struct blocking_pool *pool, struct offload_job *job)
{
    if (pool->counts.queued <= pool->counts.idle ||
        pool->counts.threads >= pool->config.threads) {
        pthread_cond_signal(&pool->work);
        return 0;
    }
    int err = start_thread(pool);
    if (err < 0 && pool->counts.threads == 0) { /* B2 */
        unlink_job(pool, find_job(pool, job));
        pool->counts.refused++;
        return -EAGAIN;
    }
    return 0;
}

static int blocking_submit(struct offload *offload, struct offload_job *job)
{
    struct blocking_pool *pool = pool_of(offload);
    int err = 0;
    pthread_mutex_lock(&pool->lock);
    if (pool->stopping) {
        err = -ESHUTDOWN;
    } else if (pool->counts.queued >= pool->config.queue) {
        pool->counts.refused++;
        err = -EAGAIN;
    } else {
        job->next = NULL;
        *pool->tail = job;
        pool->tail = &job->next;
        pool->counts.queued++;
        virtual_clock_hold(pool->config.clock); /* the job's */
        err = see_to_it(pool, job);
        if (err < 0)
            virtual_clock_release(pool->config.clock);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

static bool blocking_withdraw(struct offload *offload, struct offload_job *job)
{
    struct blocking_pool *pool = pool_of(offload);
    pthread_mutex_lock(&pool->lock);
    struct offload_job **at = find_job(pool, job);
    if (at)
        unlink_job(pool, at);
    pthread_mutex_unlock(&pool->lock);
    if (at)
        virtual_clock_release(pool->config.clock);
    return at != NULL;
}

static const struct offload_ops blocking_ops = {
    .name = "blocking pool",
    .submit = blocking_submit,
    .withdraw = blocking_withdraw,
};

/* ---- life */

static int init_conditions(struct blocking_pool *pool)
{
    int err = condition_init(&pool->work);
    if (err < 0)
        return err;
    err = condition_init(&pool->changed);
    if (err < 0)
        pthread_cond_destroy(&pool->work);
    return err;
}

int blocking_create(struct blocking_pool **out, const struct blocking_config *config)
{
    *out = NULL;
    if (config->threads > THREADS_MAX)
        return -EINVAL;
    struct blocking_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return -ENOMEM;
    pool->offload.ops = &blocking_ops;
    pool->config = *config;
    if (!config->threads)
        pool->config.threads = 64;
    if (!config->queue)
        pool->config.queue = 1024;
    if (!config->keep_alive_ns)
        pool->config.keep_alive_ns = 10 * NS_PER_S;
    if (!config->name)
        pool->config.name = "blocking";
    pool->tail = &pool->head;
    int err = -pthread_mutex_init(&pool->lock, NULL);
    if (err < 0)
        goto fail_pool;
    err = init_conditions(pool);
    if (err < 0)
        goto fail_lock;
    *out = pool;
    return 0;

fail_lock:
    pthread_mutex_destroy(&pool->lock);
fail_pool:
    free(pool);
    return err;
}

int blocking_stop(struct blocking_pool *pool, int64_t timeout_ns)
{
    uint64_t deadline =
        timeout_ns < 0 ? CLOCK_NEVER : clock_after(clock_now(), (uint64_t)timeout_ns);
    bool in_time = true;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    while (pool->counts.threads + pool->ending && in_time)
        in_time = wait_until(&pool->changed, &pool->lock, deadline);
    bool done = pool->counts.threads + pool->ending == 0;
    bool join_it = done && pool->has_ended;
    pthread_t last = pool->ended;
    if (done)
        pool->has_ended = false;
    pthread_mutex_unlock(&pool->lock);
    if (join_it)
        pthread_join(last, NULL);
    return done ? 0 : -ETIMEDOUT;
}

void blocking_destroy(struct blocking_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    bool timed_out = pool->stopping && pool->counts.threads + pool->ending > 0;
    pthread_mutex_unlock(&pool->lock);
    if (timed_out)
        return;
    blocking_stop(pool, -1);
    CHECK(!pool->head, "a blocking pool ended with jobs in its queue");
    pthread_cond_destroy(&pool->changed);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct offload *blocking_offload(struct blocking_pool *pool)
{
    return &pool->offload;
}

struct blocking_counts blocking_counts(struct blocking_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct blocking_counts counts = pool->counts;
    pthread_mutex_unlock(&pool->lock);
    return counts;
}
