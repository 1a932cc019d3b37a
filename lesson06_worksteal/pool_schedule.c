/* pool_schedule: the pool as lesson 2's tasks see it.
 *
 * Problem: spawn, wake and the end of a task happen on all threads at once, so one shared
 * counter "how many tasks are there" would be the slowest thing in the pool. Idea: each
 * worker counts for itself, with plain stores; who wants the number adds up. That is exact
 * when it matters: first all `retired` are read, then all `admitted`. Both only grow, and
 * retired never overtakes admitted, so if the two sums are equal, the pool was empty at
 * the moment between (pool_live).
 *
 * A thread that is no worker is counted as a visitor while it is inside: from admit until
 * its task is queued, or around the queueing of a task that it wakes. The stop waits for
 * visitors, for two reasons (pool.c): S12 and W5. */
#include <errno.h>

#include "lesson06_worksteal/pause.h"
#include "lesson06_worksteal/pool_inside.h"

static struct pool *pool_of(struct scheduler *scheduler)
{
    return container_of(scheduler, struct pool, scheduler);
}

/* ---- scheduler_ops */

static void visit(struct pool *pool)
{
    /* seq_cst: pairs with pool_stop; see the essay in pool.c */
    atomic_fetch_add_explicit(&pool->visitors, 1, memory_order_seq_cst);
}

static void leave(struct pool *pool)
{
    /* release: pairs with the acquire in wait_for_visitors; our last access */
    atomic_fetch_sub_explicit(&pool->visitors, 1, memory_order_release);
}

static int pool_admit(struct scheduler *scheduler)
{
    struct pool *pool = pool_of(scheduler);
    struct worker *worker = pool_worker_here(pool);
    if (worker) {
        if (pool_attention(pool) & POOL_STOPPING)
            return -ESHUTDOWN;
        STAT_ADD(worker->stats.admitted, 1);
        return 0;
    }
    visit(pool); /* until the task is queued, or given back */
    if (pool_attention(pool) & POOL_STOPPING) {
        leave(pool);
        return -ESHUTDOWN;
    }
    atomic_fetch_add_explicit(&pool->admitted, 1, memory_order_relaxed);
    return 0;
}

static void pool_schedule(struct scheduler *scheduler, struct task *task,
                          enum schedule_why why)
{
    struct pool *pool = pool_of(scheduler);
    struct worker *worker = pool_worker_here(pool);
    if (worker) {
        worker_enqueue(worker, task, why);
        return;
    }
    if (why != SCHEDULE_SPAWN) /* that one is a visitor since admit */
        visit(pool);
    injector_push(&pool->injector, task);
    PAUSE("pool: queued from outside, nobody told");
    pool_notify(pool);
    leave(pool);
}

static void pool_retire(struct scheduler *scheduler)
{
    struct pool *pool = pool_of(scheduler);
    struct worker *worker = pool_worker_here(pool);
    /* release, both: pair with pool_live: who sees the end of a task sees its spawns */
    if (worker) {
        uint64_t retired = STAT(worker->stats.retired);
        atomic_store_explicit(&worker->stats.retired, retired + 1,
                              memory_order_release);
        return;
    }
    atomic_fetch_add_explicit(&pool->retired, 1, memory_order_release);
    leave(pool);
}

static struct task_home *pool_home(struct scheduler *scheduler)
{
    struct worker *worker = pool_worker_here(pool_of(scheduler));
    return worker ? worker->home : pool_of(scheduler)->outside;
}

static void pool_post(struct scheduler *scheduler, struct task_home *home)
{
    struct pool *pool = pool_of(scheduler);
    for (unsigned i = 0; i < pool->count; i++)
        if (pool->workers[i].home == home)
            pool_unpark(pool, idle_claim(&pool->idle, i));
}

static void pool_stalled_change(struct scheduler *scheduler, int change)
{
    struct worker *worker = pool_worker_here(pool_of(scheduler));
    STAT_ADD(worker->stats.stalled, change);
}

const struct scheduler_ops pool_ops = {
    .name = "pool",
    .admit = pool_admit,
    .schedule = pool_schedule,
    .retire = pool_retire,
    .home = pool_home,
    .post = pool_post,
    .stalled = pool_stalled_change,
};

int pool_spawn(struct pool *pool, struct future *future, struct task_handle *handle)
{
    return task_spawn(&pool->scheduler, future, SPAWN_SHARED, handle);
}

/* ---- counting */

uint64_t pool_live(struct pool *pool)
{
    /* acquire: pairs with the releases in pool_retire */
    uint64_t retired = atomic_load_explicit(&pool->retired, memory_order_acquire);
    for (unsigned i = 0; i < pool->count; i++)
        retired +=
            atomic_load_explicit(&pool->workers[i].stats.retired, memory_order_acquire);
    uint64_t admitted = atomic_load_explicit(&pool->admitted, memory_order_relaxed);
    for (unsigned i = 0; i < pool->count; i++)
        admitted += STAT(pool->workers[i].stats.admitted);
    return admitted - retired;
}

int64_t pool_stalled(struct pool *pool)
{
    int64_t stalled = 0;
    for (unsigned i = 0; i < pool->count; i++)
        stalled += STAT(pool->workers[i].stats.stalled);
    return stalled;
}
