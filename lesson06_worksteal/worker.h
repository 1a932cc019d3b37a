/* worker: one thread of the pool, and its queues.
 *
 *      wake from a task that    ---> [lifo slot] ---+   at most 3 in a row
 *      runs here                                    |
 *      spawn from here          ---> deque  --------+   newest first; thieves: oldest
 *      wake from I/O, timers;   ---> ready  --------+-> run
 *      yield                                        |   oldest first
 *      LOCAL tasks              ---> local  --------+   oldest first; no thieves
 *      full queues, outsiders   ---> injector ------+   (the pool's)
 *      other workers' queues    ------------------- +   when all of the above is empty
 *
 * Ownership: the pool owns its workers. Threads: "owner" is the worker's own thread. */
#ifndef LESSON06_WORKER_H
#define LESSON06_WORKER_H

#include <pthread.h>

#include "common/thread_local.h"
#include "lesson02_wakers/pace.h"
#include "lesson02_wakers/task.h"
#include "lesson02_wakers/task_home.h"
#include "lesson02_wakers/thread_parker.h"
#include "lesson06_worksteal/deque.h"
#include "lesson06_worksteal/idle.h"

struct pool;

/* Tasks from the LIFO slot in a row, before the others get a turn (S7). */
#define LIFO_STREAK_MAX 3

/* Tasks from the injector at once, for a worker that has others. */
#define INJECTED_BESIDE 16

/* Polls that a worker whose ready queue is half full makes without a look at I/O. */
#define UNLOOKED_MAX (4 * PARK_INTERVAL)

/* How many tasks move at once, at most: by a steal, an overflow, from the injector. */
#define BATCH_MAX 128

/* Written by the owner, read by anybody, relaxed: a moment's truth. */
struct worker_stats {
    _Atomic uint64_t run;       /* polls made */
    _Atomic uint64_t stolen;    /* tasks taken from other workers */
    _Atomic uint64_t searches;  /* times it looked at all other workers */
    _Atomic uint64_t parked;    /* times it went to sleep */
    _Atomic uint64_t injected;  /* tasks taken from the injector */
    _Atomic uint64_t overflown; /* tasks given to the injector since a queue was full */
    _Atomic uint64_t admitted;  /* spawns from here; never less than their number */
    _Atomic uint64_t retired;   /* tasks that ended here */
    _Atomic int64_t stalled;    /* went to sleep here with no waker, less those back */
};

struct worker {
    /* immutable after the start */
    struct pool *pool; /* borrows */
    unsigned index;
    pthread_t thread;
    struct task_home *home; /* owns until the pool's end */

    /* owner only */
    struct task_runner runner;
    struct task *local; /* shares: tasks that nobody may steal, linked by next */
    struct task **local_tail;
    struct pace pace;     /* when the order is upset next */
    bool injector_first;  /* and who goes first then */
    unsigned unlooked;    /* polls since the last look at I/O and timers */
    unsigned lifo_streak; /* tasks from the LIFO slot in a row */
    unsigned turn;        /* which queue goes first */
    bool searching;       /* counted as such in the pool's idle word */
    bool in_task;         /* task_run is on the stack */
    bool in_watch;        /* the shared parker's park is, and wakes tasks from there */
    uint64_t random;      /* state of the generator */
    uint64_t errand;      /* the last errand that it took part in */
    uint64_t *seen_run;   /* owns: other workers' stats.run when last searched */

    /* any thread, atomic */
    _Alignas(CACHE_LINE) _Atomic(struct task *) lifo; /* filled by the owner only */
    _Atomic(const char *) polling; /* static text: the task being polled, or NULL */
    struct thread_parker parker;
    _Alignas(CACHE_LINE) struct worker_stats stats;
    struct deque deque; /* DEQUE_LIFO */
    struct deque ready; /* DEQUE_FIFO */
};

/* The worker whose thread this is, or NULL. */
TLS_DECLARE(struct worker *, worker_here);

/* 0, -ENOMEM. finish accepts a zeroed worker; its queues must be empty. */
int worker_init(struct worker *worker, struct pool *pool, unsigned index,
                unsigned capacity, uint64_t seed);
void worker_finish(struct worker *worker);

/* The thread's loop; returns when the pool says EXIT. */
void worker_run(struct worker *worker);

/* Owner: puts a SCHEDULED task into one of its queues, and wakes somebody to help. */
void worker_enqueue(struct worker *worker, struct task *task, enum schedule_why why);

/* Owner: the task to run next, or NULL: there is none anywhere. May start a search. */
struct task *worker_find_task(struct worker *worker);

/* For the owner's own counters. */
#define STAT_ADD(counter, n)                                                           \
    atomic_store_explicit(                                                             \
        &(counter), atomic_load_explicit(&(counter), memory_order_relaxed) + (n),      \
        memory_order_relaxed)
#define STAT(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

#endif
