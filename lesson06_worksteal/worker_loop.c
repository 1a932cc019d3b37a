/* worker_loop: a worker's life. Find a task, run it; find none, sleep.
 *
 * Problem: the moment between "there is nothing to do" and "asleep" (W1). Idea: idle.c's
 * order - announce, look again, sleep - and its rule that a worker which comes back from
 * sleep, for whatever reason, comes back as a searcher. Invariant: `searching` is true
 * exactly while the idle word counts this worker as a searcher, so the one place that
 * leaves the search (run_task) hands its place on (S5).
 *
 * While it is awake a worker holds the virtual clock; who wakes it has taken that hold
 * for it, so that time cannot jump between a wake and the waking up. */
#include "lesson06_worksteal/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "common/errname.h"
#include "lesson06_worksteal/pause.h"
#include "lesson06_worksteal/pool.h"

TLS_DEFINE(struct worker *, worker_here);

int worker_init(struct worker *worker, struct pool *pool, unsigned index,
                unsigned capacity, uint64_t seed)
{
    worker->pool = pool;
    worker->index = index;
    pace_init(&worker->pace);
    worker->local_tail = &worker->local;
    worker->random = (seed + index) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    thread_parker_init(&worker->parker);
    worker->seen_run = calloc(pool->count, sizeof *worker->seen_run);
    worker->home = task_home_create(&pool->scheduler);
    if (!worker->seen_run || !worker->home)
        return -ENOMEM;
    int err = deque_init(&worker->deque, DEQUE_LIFO, capacity);
    return err < 0 ? err : deque_init(&worker->ready, DEQUE_FIFO, capacity);
}

void worker_finish(struct worker *worker)
{
    CHECK(!worker->local, "worker %u is finished with LOCAL tasks", worker->index);
    if (worker->home)
        task_home_close(worker->home);
    free(worker->seen_run);
    deque_finish(&worker->deque);
    deque_finish(&worker->ready);
}

/* ---- sleeping */

/* The second look of W1: is there any reason not to sleep? Also for a worker that was
 * not let in to search: those who search may have stopped before it announced its
 * sleep. */
static bool stay_awake(struct worker *worker)
{
    struct pool *pool = worker->pool;
    if (pool_attention(pool) & (POOL_ERRAND | POOL_EXIT))
        return true;
    /* acquire: pairs with the release in task_home.c; ordered after announce by
     * idle_claim */
    if (atomic_load_explicit(&worker->home->has_mail, memory_order_acquire))
        return true;
    if (injector_length(&pool->injector))
        return true;
    for (unsigned i = 0; i < pool->count && !pool->config.no_stealing; i++)
        if (!deque_is_empty(&pool->workers[i].ready) ||
            !deque_is_empty(&pool->workers[i].deque))
            return true;
    return false;
}

/* A worker lets go of the virtual clock while it sleeps. The watch does so in silence:
 * release would wake the parker in which it is about to sleep. */
static void let_go_of_clock(struct virtual_clock *clock, enum idle_place place)
{
    if (place == IDLE_OWN_PARKER)
        virtual_clock_release(clock);
    else if (clock) /* release: pairs with the acquire in nobody_holds, timers.c */
        atomic_fetch_sub_explicit(&clock->holds, 1, memory_order_release);
}

static void park(struct worker *worker, enum idle_place place)
{
    struct pool *pool = worker->pool;
    int err;
    pace_slept(&worker->pace);
    STAT_ADD(worker->stats.parked, 1);
    let_go_of_clock(pool->config.clock, place);
    if (place == IDLE_OWN_PARKER) {
        err = parker_park(&worker->parker.parker, PARK_FOREVER);
    } else {
        worker->in_watch = true;
        err = parker_park(pool->parker,
                          place == IDLE_WATCH_DEEP ? PARK_FOREVER : POOL_WATCH_NS);
        worker->in_watch = false;
    }
    CHECK(err >= 0, "worker %u cannot sleep: %s", worker->index, errtext(err));
    virtual_clock_hold(pool->config.clock);
}

static void sleep_until_woken(struct worker *worker)
{
    struct pool *pool = worker->pool;
    enum idle_place place =
        idle_announce(&pool->idle, worker->index, worker->searching);
    PAUSE("worker: announced");
    if (!stay_awake(worker)) {
        pool_going_to_sleep(pool, place == IDLE_WATCH_DEEP);
        park(worker, place);
    }
    /* Who woke us gave us a second hold of the clock. */
    if (idle_retract(&pool->idle, worker->index))
        let_go_of_clock(pool->config.clock, IDLE_WATCH_LIMITED);
    worker->searching = true;
}

/* ---- the loop */

static void run_task(struct worker *worker, struct task *task)
{
    if (worker->searching) {
        worker->searching = false;
        pool_unpark(worker->pool, idle_end_search(&worker->pool->idle)); /* S5 */
    }
    STAT_ADD(worker->stats.run, 1);
    atomic_store_explicit(&worker->polling, task_future(task)->ops->name,
                          memory_order_relaxed);
    worker->in_task = true;
    task_run(&worker->runner, task);
    worker->in_task = false;
    atomic_store_explicit(&worker->polling, NULL, memory_order_relaxed);
}

static void loop(struct worker *worker)
{
    for (;;) {
        unsigned attention = pool_attention(worker->pool);
        if (UNLIKELY(attention & POOL_EXIT))
            return;
        if (UNLIKELY(attention & POOL_ERRAND))
            pool_errand_join(worker->pool, worker);
        struct task *task = worker_find_task(worker);
        if (task)
            run_task(worker, task);
        else
            sleep_until_woken(worker);
    }
}

void worker_run(struct worker *worker)
{
    TLS(worker_here) = worker;
    struct task_home *before = task_home_enter(worker->home);
    task_runner_enter(&worker->runner);
    if (sigsetjmp(worker->runner.trap, 0)) {
        worker->in_task = false;
        task_runner_caught(&worker->runner);
    }
    loop(worker);
    task_runner_leave(&worker->runner);
    task_home_leave(worker->home, before);
    TLS(worker_here) = NULL;
}
