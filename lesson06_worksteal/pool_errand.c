/* pool_errand: all workers at one place, between two polls.
 *
 * Problem: to cancel every task, or to print where it waits, one must look at tasks that
 * other threads may be running, finishing and freeing at that moment. Idea: ask each
 * worker to come to a meeting between two polls. When all have arrived, nobody polls;
 * each then does the errand for the tasks of its own home (a LOCAL task may be touched by
 * its home thread only), and all go on when the last has finished.
 *
 * Invariant: no task is polled from the moment at which the last worker has arrived until
 * the last has finished the errand. A worker that does not come back from a poll makes the
 * meeting fail at its limit, and nothing runs: there is no safe way to look at its tasks. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "lesson06_worksteal/pool_inside.h"

uint64_t pool_deadline(int64_t timeout_ns)
{
    return timeout_ns < 0 ? CLOCK_NEVER
                          : clock_after(clock_now(), (uint64_t)timeout_ns);
}

bool pool_wait(struct pool *pool, uint64_t deadline)
{
    if (deadline == CLOCK_NEVER) {
        pthread_cond_wait(&pool->changed, &pool->lock);
        return true;
    }
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    return pthread_cond_timedwait(&pool->changed, &pool->lock, &until) != ETIMEDOUT;
}

static void set_and_tell(struct pool *pool, bool *field, bool value)
{
    *field = value;
    pthread_cond_broadcast(&pool->changed);
}

static void count_and_tell(struct pool *pool, unsigned *field)
{
    ++*field;
    pthread_cond_broadcast(&pool->changed);
}

void pool_errand_join(struct pool *pool, struct worker *worker)
{
    struct pool_errand *errand = &pool->errand;
    pthread_mutex_lock(&pool->lock);
    uint64_t number = errand->number;
    if (errand->gathering && worker->errand != number) {
        worker->errand = number;
        count_and_tell(pool, &errand->arrived);
        while (errand->gathering && errand->number == number)
            pthread_cond_wait(&pool->changed, &pool->lock);
        if (errand->running && errand->number == number) {
            pthread_mutex_unlock(&pool->lock);
            errand->run(worker, errand->argument);
            pthread_mutex_lock(&pool->lock);
            count_and_tell(pool, &errand->finished);
        }
        while (errand->running && errand->number == number)
            pthread_cond_wait(&pool->changed, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* The lock is held; 0 when everybody has done it. */
static int meet(struct pool *pool, uint64_t deadline)
{
    struct pool_errand *errand = &pool->errand;
    while (errand->arrived < pool->count)
        if (!pool_wait(pool, deadline) && errand->arrived < pool->count)
            return -ETIMEDOUT;
    errand->running = true;
    set_and_tell(pool, &errand->gathering, false);
    while (errand->finished < pool->count)
        pthread_cond_wait(&pool->changed, &pool->lock);
    return 0;
}

int pool_errand(struct pool *pool, void (*run)(struct worker *worker, void *argument),
                void *argument, int64_t timeout_ns)
{
    CHECK(!pool_worker_here(pool),
          "a worker calls its own pool to a meeting: it would wait for itself");
    struct pool_errand *errand = &pool->errand;
    uint64_t deadline = pool_deadline(timeout_ns);
    pthread_mutex_lock(&pool->lock);
    while (errand->gathering || errand->running) /* another thread's errand */
        pthread_cond_wait(&pool->changed, &pool->lock);
    int err = 0;
    if (pool->threads) {
        *errand = (struct pool_errand){ .run = run,
                                        .argument = argument,
                                        .number = errand->number + 1,
                                        .gathering = true };
        pool_wake_all(pool, POOL_ERRAND);
        err = meet(pool, deadline);
        /* seq_cst for uniformity with raise_attention; nothing depends on it */
        atomic_fetch_and_explicit(&pool->attention, ~(unsigned)POOL_ERRAND,
                                  memory_order_seq_cst);
        errand->gathering = false;
        set_and_tell(pool, &errand->running, false);
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

void pool_going_to_sleep(struct pool *pool, bool deep)
{
    if (pool_attention(pool) & POOL_STOPPING) { /* pool_stop counts the living */
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->changed);
        pthread_mutex_unlock(&pool->lock);
    }
    int64_t stalled = deep ? pool_stalled(pool) : 0;
    if (stalled > 0 && pool_live(pool) == (uint64_t)stalled)
        pool_tell_blocked(pool);
}

/* ---- printing */

static void print_if_live(struct task *task, void *argument)
{
    (void)argument;
    if (task_is_live(task))
        task_print(task);
}

static void print_home(struct worker *worker, void *argument)
{
    (void)argument;
    flockfile(stderr); /* one worker's tasks together */
    task_home_each(worker->home, print_if_live, NULL);
    if (worker->index == 0)
        task_home_each(worker->pool->outside, print_if_live, NULL);
    funlockfile(stderr);
}

int pool_print_tasks(struct pool *pool, int64_t timeout_ns)
{
    int err = pool_errand(pool, print_home, NULL, timeout_ns);
    if (err == 0)
        return 0;
    for (unsigned i = 0; i < pool->count; i++) {
        const char *name =
            atomic_load_explicit(&pool->workers[i].polling, memory_order_relaxed);
        if (name)
            fprintf(stderr, "worker %u is inside a poll of task '%s'\n", i, name);
    }
    return err;
}
