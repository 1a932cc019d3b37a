/* worker: which task comes next. What is near, what is shared, what others have.
 *
 * Problem: one queue for all workers is fair, and every push and pop meets every other
 * one. A queue for each worker is fast, and leaves one worker with a hundred tasks
 * beside three that have none. Idea: a queue for each, and who runs out takes from the
 * others.
 *
 * What goes where decides what a program feels:
 *   - a task that the running task woke comes next (LIFO slot): its data is in the
 *     cache, and the two are likely to be talking. Three in a row at most, or two tasks
 *     that wake each other would starve all others (S7).
 *   - a spawned task goes on top of the deque, newest first: a recursive program then
 *     walks its tree depth first and keeps depth, not width, in memory. Thieves take
 *     the oldest, near the root, which is the biggest piece of work.
 *   - everything else is first in, first out.
 *   - every PARK_INTERVAL turns, sooner if polls are long, the order is upset on purpose: I/O and timers get their
 *     turn (S8, S9), then the injector's oldest and the deque's oldest, by turns.
 *
 * Invariants: a SCHEDULED task is in exactly one queue; only the owner fills the LIFO
 * slot; a worker sleeps only after it has announced that and looked again (idle.c).
 *
 * Sources: Blumofe, Leiserson, "Scheduling Multithreaded Computations by Work
 * Stealing", JACM 1999; Tokio's multi-thread scheduler (LIFO slot, 61); Go's
 * proc.go. */
#include "lesson06_worksteal/worker.h"

#include "common/errname.h"
#include "lesson06_worksteal/pause.h"
#include "lesson06_worksteal/pool.h"

/* ---- putting tasks in */

static void push_local(struct worker *worker, struct task *task)
{
    task->next = NULL;
    *worker->local_tail = task;
    worker->local_tail = &task->next;
}

/* `queue` is full: half of it and the new task go to where everybody looks, by one lock.
 * A pool without stealing is for comparisons: there each worker keeps what it has. */
COLD static void overflow(struct worker *worker, struct deque *queue, struct task *task)
{
    struct pool *pool = worker->pool;
    struct task *batch[BATCH_MAX + 1];
    unsigned count = deque_shed(queue, batch, BATCH_MAX);
    batch[count++] = task;
    if (pool->config.no_stealing) {
        for (unsigned i = 0; i < count; i++)
            push_local(worker, batch[i]);
        return;
    }
    injector_push_batch(&pool->injector, batch, count);
    STAT_ADD(worker->stats.overflown, count);
}

static void push(struct worker *worker, struct deque *queue, struct task *task)
{
    if (UNLIKELY(!deque_push(queue, task)))
        overflow(worker, queue, task);
}

/* Returns the task that had to leave the slot, or NULL. */
static struct task *put_in_lifo_slot(struct worker *worker, struct task *task)
{
    /* Only we fill the slot, so an empty one stays empty, and needs no swap. Both
     * releases pair with the acquire in take_from_lifo_slot, for a thief. */
    if (!atomic_load_explicit(&worker->lifo, memory_order_relaxed)) {
        atomic_store_explicit(&worker->lifo, task, memory_order_release);
        return NULL;
    }
    PAUSE("lifo: full");
    return atomic_exchange_explicit(&worker->lifo, task, memory_order_release);
}

static struct task *take_from_lifo_slot(struct worker *worker)
{
    if (!atomic_load_explicit(&worker->lifo, memory_order_relaxed))
        return NULL;
    PAUSE("lifo: seen");
    /* acquire: pairs with put_in_lifo_slot */
    return atomic_exchange_explicit(&worker->lifo, NULL, memory_order_acquire);
}

/* A task that yields stays with a worker that is awake and will come to it; nobody is
 * woken for its sake. If a task before it does not come back, the watch sees to it. */
static void put_behind_all_others(struct worker *worker, struct task *task)
{
    if (UNLIKELY(!deque_push_quietly(&worker->ready, task)))
        overflow(worker, &worker->ready, task);
}

void worker_enqueue(struct worker *worker, struct task *task, enum schedule_why why)
{
    struct pool *pool = worker->pool;
    if (task_is_local(task)) {
        push_local(worker, task); /* nobody could help */
        return;
    }
    if (why == SCHEDULE_YIELD) {
        put_behind_all_others(worker, task);
        return;
    }
    bool to_slot =
        why == SCHEDULE_WAKE && worker->in_task && !pool->config.no_lifo_slot;
    if (to_slot)
        task = put_in_lifo_slot(worker, task);
    if (!task)
        return; /* we run it next; if not soon, the watch sees to it */
    push(worker, why == SCHEDULE_SPAWN ? &worker->deque : &worker->ready, task);
    /* Nobody to tell: nobody else could take it; or this is I/O that wakes a task while
     * our own bit still says that we sleep. We come back from the parker as a searcher,
     * find the task, and wake a successor (S5). To pick somebody now could pick us. */
    if (pool->config.no_stealing || worker->in_watch)
        return;
    pool_notify(pool);
}

/* ---- taking tasks out: the worker's own */

static struct task *from_local(struct worker *worker)
{
    struct task *task = worker->local;
    if (!task)
        return NULL;
    worker->local = task->next;
    if (!worker->local)
        worker->local_tail = &worker->local;
    return task;
}

static struct task *from_lifo_slot(struct worker *worker)
{
    struct task *task = take_from_lifo_slot(worker);
    if (task && worker->lifo_streak++ < LIFO_STREAK_MAX)
        return task;
    worker->lifo_streak = 0;
    if (task) /* the others first */
        push(worker, &worker->ready, task);
    return NULL;
}

static struct task *from_own_queues(struct worker *worker)
{
    struct task *task = from_lifo_slot(worker);
    unsigned turn =
        worker->turn; /* a copy: the queues' atomics would have it reloaded */
    for (unsigned i = 0; !task && i < 3; i++) {
        turn = turn == 2 ? 0 : turn + 1;
        if (turn == 0)
            task = deque_steal(&worker->ready); /* our own: the oldest */
        else if (turn == 1)
            task = deque_take(&worker->deque);
        else
            task = from_local(worker);
    }
    worker->turn = turn;
    return task;
}

/* ---- taking tasks out: the pool's */

/* Runs the first of a batch, keeps the rest in the ready queue, which is empty. */
static struct task *keep_batch(struct worker *worker, struct task **batch,
                               unsigned count)
{
    if (count == 0)
        return NULL;
    unsigned kept = deque_push_many(&worker->ready, batch + 1, count - 1);
    CHECK(kept == count - 1, "a batch of %u tasks found room for %u", count, kept + 1);
    return batch[0];
}

static unsigned batch_limit(struct worker *worker)
{
    unsigned capacity = deque_capacity(&worker->ready);
    return capacity < BATCH_MAX ? capacity : BATCH_MAX;
}

/* Our share of what is there. The ready queue must be empty. */
static struct task *from_injector(struct worker *worker)
{
    struct injector *injector = &worker->pool->injector;
    struct task *batch[BATCH_MAX];
    unsigned share = injector_length(injector) / worker->pool->count + 1;
    unsigned max = batch_limit(worker);
    unsigned count = injector_pop_batch(injector, batch, share < max ? share : max);
    STAT_ADD(worker->stats.injected, count);
    return keep_batch(worker, batch, count);
}

/* A few of the injector's tasks, although we have others: where every worker is busy it
 * is emptied only here, and one task each time would leave its tasks waiting for long. */
static struct task *some_from_injector(struct worker *worker)
{
    struct task *batch[INJECTED_BESIDE];
    unsigned count =
        injector_pop_batch(&worker->pool->injector, batch, INJECTED_BESIDE);
    STAT_ADD(worker->stats.injected, count);
    for (unsigned i = 1; i < count; i++)
        push(worker, &worker->ready, batch[i]);
    return count ? batch[0] : NULL;
}

/* Is a look at I/O and timers better left out? What it brings would wait behind all that
 * is ready, so nothing is late; but into a queue without room it drives half of that out,
 * to the injector, where tasks wait longest: of 1,000 busy connections the least served
 * one got a quarter of what others did. Not for ever, though: tasks that yield keep the
 * queue full. */
static bool leave_look_out(struct worker *worker)
{
    return deque_length(&worker->ready) > deque_capacity(&worker->ready) / 2 &&
           worker->unlooked < UNLOOKED_MAX;
}

static void look_at_io(struct worker *worker)
{
    struct pool *pool = worker->pool;
    if (pool->parker == &pool->own_parker.parker || leave_look_out(worker) ||
        !idle_try_watch(&pool->idle, worker->index))
        return;
    worker->unlooked = 0;
    int err = parker_park(pool->parker, 0);
    CHECK(err >= 0, "the pool's parker failed: %s", errtext(err));
    pool_unpark(pool, idle_leave_watch(&pool->idle));
}

/* Now and then: those that the usual order could starve. */
COLD static struct task *from_the_neglected(struct worker *worker)
{
    worker->unlooked += worker->pace.interval;
    pace_look(&worker->pace, clock_now());
    look_at_io(worker);
    worker->injector_first = !worker->injector_first;
    struct task *task = worker->injector_first ? some_from_injector(worker) : NULL;
    if (!task)
        task = deque_steal(&worker->deque);
    return task || worker->injector_first ? task : some_from_injector(worker);
}

/* ---- taking tasks out: other workers' */

static uint64_t next_random(struct worker *worker)
{
    uint64_t x = worker->random; /* xorshift64, Marsaglia 2003 */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return worker->random = x;
}

/* The victim's LIFO slot only if its running task has not come back since we last
 * looked: otherwise it is about to run that task, with the cache warm. */
static struct task *from_stuck(struct worker *worker, struct worker *victim)
{
    uint64_t run = STAT(victim->stats.run);
    bool stuck = run == worker->seen_run[victim->index];
    worker->seen_run[victim->index] = run;
    return stuck ? take_from_lifo_slot(victim) : NULL;
}

static struct task *steal_from(struct worker *worker, struct worker *victim)
{
    struct task *batch[BATCH_MAX];
    unsigned count = deque_steal_half(&victim->ready, batch, batch_limit(worker));
    if (count == 0) {
        batch[0] = deque_steal(&victim->deque);
        if (!batch[0])
            batch[0] = from_stuck(worker, victim);
        count = batch[0] != NULL;
    }
    STAT_ADD(worker->stats.stolen, count);
    return keep_batch(worker, batch, count);
}

static struct task *search(struct worker *worker)
{
    struct pool *pool = worker->pool;
    if (!worker->searching)
        worker->searching = idle_start_search(&pool->idle);
    if (!worker->searching)
        return NULL;
    STAT_ADD(worker->stats.searches, 1);
    struct task *task = from_injector(worker);
    unsigned first = (unsigned)(next_random(worker) % pool->count);
    for (unsigned i = 0; !task && i < pool->count && !pool->config.no_stealing; i++) {
        unsigned victim = (first + i) % pool->count;
        if (victim != worker->index)
            task = steal_from(worker, &pool->workers[victim]);
    }
    return task;
}

struct task *worker_find_task(struct worker *worker)
{
    struct task *task = NULL;
    if (pace_count(&worker->pace))
        task = from_the_neglected(worker);
    task_home_collect(worker->home);
    if (!task)
        task = from_own_queues(worker);
    if (!task)
        task = from_injector(worker);
    return task ? task : search(worker);
}
