/* explore_pool: a pool whose threads are the scenario's own.
 *
 * pool_create starts threads, and each of their first steps would be explored. Here all of
 * the set-up is one thread's, and costs nothing; who plays a worker sits down in its place
 * (sit_down), or starts a thread in worker_main. A real pool_destroy ends it. */
#ifndef LESSON06_EXPLORE_POOL_H
#define LESSON06_EXPLORE_POOL_H

#include <stdlib.h>
#include <string.h>

#include "common/explore/explore.h"
#include "lesson06_worksteal/pool_inside.h"

/* Of a scenario: how often each task was polled. */
enum { NOTES = 3 };
static int polls[NOTES];           /* plain */
static _Atomic unsigned notes_due; /* tasks to be run; 0: nobody counts */

/* A task that says that it ran. After the last one that is due the workers go home. */
struct note {
    struct future future;
    struct pool *pool;
    unsigned number;
};

static inline enum poll_state note_poll(struct future *future, struct context *context)
{
    struct note *self = container_of(future, struct note, future);
    (void)context;
    polls[self->number]++;
    /* acq_rel: pairs with the other notes, so that the last sees what they did */
    if (atomic_fetch_sub_explicit(&notes_due, 1, memory_order_acq_rel) == 1)
        pool_wake_all(self->pool, POOL_EXIT);
    return POLL_READY;
}

static inline void note_cancel(struct future *future)
{
    (void)future; /* it is READY at its first poll, whatever comes */
}

static const struct future_ops note_ops = { .name = "note",
                                            .size = sizeof(struct note),
                                            .poll = note_poll,
                                            .cancel = note_cancel };

static inline int spawn_note(struct pool *pool, unsigned number)
{
    struct note note = { .future = { &note_ops }, .pool = pool, .number = number };
    return task_spawn(&pool->scheduler, &note.future, SPAWN_SHARED, NULL);
}

static inline void each_ran_once(const char *rule, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        EXPLORE_RULE(rule, polls[i] == 1, "task %u was polled %d times", i, polls[i]);
}

static inline struct pool *small_pool(unsigned workers)
{
    struct pool *pool = aligned_alloc(_Alignof(struct pool), sizeof *pool);
    memset(pool, 0, sizeof *pool);
    pool->scheduler.ops = &pool_ops;
    pool->config.workers = (int)workers;
    pool->count = workers;
    thread_parker_init(&pool->own_parker);
    pool->parker = &pool->own_parker.parker;
    idle_init(&pool->idle, workers);
    list_init(&pool->blocked);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    injector_init(&pool->injector);
    pool->outside = task_home_create(&pool->scheduler);
    size_t size = workers * sizeof *pool->workers;
    pool->workers = aligned_alloc(_Alignof(struct worker), size);
    memset(pool->workers, 0, size);
    for (unsigned i = 0; i < workers; i++)
        CHECK(worker_init(&pool->workers[i], pool, i, 2, 1) == 0, "no worker");
    return pool;
}

/* The calling thread is this worker from now on; returns what stand_up wants. */
static inline struct task_home *sit_down(struct worker *worker)
{
    TLS(worker_here) = worker;
    task_runner_enter(&worker->runner);
    return task_home_enter(worker->home);
}

static inline void stand_up(struct worker *worker, struct task_home *before)
{
    task_home_leave(worker->home, before);
    task_runner_leave(&worker->runner);
    TLS(worker_here) = NULL;
}

/* For one who plays alone: all tasks that are queued anywhere, at most `max` of them. */
static inline unsigned collect_the_rest(struct pool *pool, struct task **tasks,
                                        unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker *worker = &pool->workers[i];
        struct task_home *before = sit_down(worker);
        while (count < max && (tasks[count] = worker_find_task(worker)) != NULL)
            count++;
        stand_up(worker, before);
    }
    return count;
}

static inline void run_all(struct worker *worker, struct task **tasks, unsigned count)
{
    struct task_home *before = sit_down(worker);
    for (unsigned i = 0; i < count; i++)
        if (tasks[i])
            task_run(&worker->runner, tasks[i]);
    stand_up(worker, before);
}

static inline void *worker_main(void *worker)
{
    explore_name("worker");
    worker_run(worker);
    return NULL;
}

#endif
