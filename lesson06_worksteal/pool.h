/* pool: a scheduler with several threads, whose workers share their work.
 *
 *     struct pool *pool;
 *     int err = pool_create(&pool, &(struct pool_config){ .workers = 4 });
 *     ... SPAWN(&pool->scheduler, &handle, fib(30)) ... pool_block_on(...) ...
 *     err = pool_stop(pool, 5 * NS_PER_S);
 *     pool_destroy(pool);
 *
 * Implements scheduler_ops, so everything that lesson 2 built (spawn, join, cancel,
 * panic, LOCAL tasks) works on it unchanged. Each worker has queues of its own
 * (worker.h); one injector takes what comes from outside; idle.h decides who sleeps.
 *
 * Ownership: the pool owns its threads and their queues; borrows the parker and what
 * the hooks point to. Tasks outlive the pool only when DONE. Threads: as marked. */
#ifndef LESSON06_POOL_H
#define LESSON06_POOL_H

#include <pthread.h>

#include "common/list.h"
#include "lesson02_wakers/scheduler.h"
#include "lesson05_reactor/timers.h"
#include "lesson06_worksteal/idle.h"
#include "lesson06_worksteal/injector.h"
#include "lesson06_worksteal/worker.h"

#define POOL_WORKERS_MAX IDLE_WORKERS_MAX

/* How often the worker on watch looks round while others are busy, in nanoseconds: a
 * task that was woken into the LIFO slot of a worker whose running task does not come
 * back waits this long at most. */
#define POOL_WATCH_NS (10 * 1000 * 1000)

struct pool_hooks {
    /* On each worker's thread, before its first task: set thread-local services here.
     * An error makes pool_create fail with it. NULL: nothing. */
    int (*worker_start)(void *argument, unsigned worker);
    /* On each worker whose start went well, after its last task. NULL: nothing. */
    void (*worker_stop)(void *argument, unsigned worker);
    void *argument; /* borrows */
};

struct pool_config {
    int workers; /* 0: one for each CPU that this process may run on */
    unsigned
        queue_capacity; /* of each queue of a worker; power of two, 2..256; 0: 256 */
    uint64_t seed;      /* for the order of victims; 0: a fixed one */
    bool no_stealing;   /* for comparisons: each worker keeps what it has */
    bool no_lifo_slot;
    const char *name; /* of the threads: NAME-0, NAME-1, ...; NULL: "worker" */
    /* borrows; where the worker on watch sleeps, so that I/O and timers wake it: a
     * reactor. park from one thread at a time, but not always the same one. NULL: a
     * thread parker */
    struct parker *parker;
    /* borrows; held by each worker that does not sleep, so that virtual time stands still
     * while anybody works. NULL: real time */
    struct virtual_clock *clock;
    struct pool_hooks hooks;
};

enum { /* pool->attention: why a worker must look up between two tasks */
       POOL_STOPPING = 1 << 0, /* no new tasks */
       POOL_ERRAND = 1 << 1,   /* gather, see pool_errand */
       POOL_EXIT = 1 << 2,     /* threads end */
};

struct pool_errand {
    void (*run)(struct worker *worker, void *argument);
    void *argument;
    uint64_t number; /* counts errands; a worker takes part in each once */
    unsigned arrived, finished;
    bool gathering, running;
};

struct pool {
    struct scheduler scheduler;
    /* immutable after the start */
    struct pool_config config; /* with the defaults filled in */
    unsigned count;            /* of workers */
    struct worker *workers;    /* owns */
    struct parker *parker;     /* borrows: the config's, or own_parker */
    struct task_home *outside; /* owns until the end: tasks that others spawned */
    struct thread_parker own_parker;

    /* any thread, atomic */
    struct idle idle;
    struct injector injector;
    _Alignas(CACHE_LINE) _Atomic unsigned attention;
    _Alignas(CACHE_LINE) _Atomic uint64_t visitors; /* outsiders inside the pool */
    _Atomic uint64_t admitted;                      /* spawns from outside */
    _Atomic uint64_t retired;                       /* of those: given back, unborn */

    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* any of the fields below, or a worker fell asleep */
    struct pool_errand errand;
    struct list blocked; /* borrows: threads inside pool_block_on */
    unsigned started;    /* workers whose start hook has returned */
    int start_error;     /* the first error of a start hook */
    unsigned threads;    /* created and not joined */
};

/* Why the config is refused, as one sentence; NULL: it is fine (S10). */
const char *pool_config_problem(const struct pool_config *config);

/* Starts the threads. 0; -EINVAL (pool_config_problem says why), -ENOMEM, -EAGAIN (no
 * thread to be had), or the start hook's error; then nothing is left behind. */
int pool_create(struct pool **pool, const struct pool_config *config);

/* task_spawn on the pool. Any thread. */
int pool_spawn(struct pool *pool, struct future *future, struct task_handle *handle);

/* Spawns the future and sleeps until it is DONE; the handle has its output. For threads
 * that are no workers. 0, -ENOMEM, -ESHUTDOWN; -EDEADLK: every live task waits and
 * nobody holds a waker for any of them; they are named on stderr, and the handle is
 * still to be given up. */
int pool_block_on(struct pool *pool, struct future *future, struct task_handle *handle);

/* The same without an output to look at; the task's end as enum join_status, or the
 * error. */
int pool_run(struct pool *pool, struct future *future);

/* Refuses new tasks, cancels those that are left, waits for their end and joins the
 * threads. 0: tasks and threads are gone. -ETIMEDOUT: the tasks that are left were
 * named on stderr; the pool goes on refusing, and may be stopped again. For threads
 * that are no workers, one at a time. */
int pool_stop(struct pool *pool, int64_t timeout_ns);

/* Frees the pool; stops it first, without a limit, if nobody has. After a stop that
 * timed out it is leaked on purpose: tasks still point there. Accepts NULL. */
void pool_destroy(struct pool *pool);

/* Runs `run` once on each worker's thread while no task is polled anywhere. For dumps
 * and for the stop. 0; -ETIMEDOUT: a worker did not come back from a poll in time, and
 * nothing ran. Not from a worker. */
int pool_errand(struct pool *pool, void (*run)(struct worker *worker, void *argument),
                void *argument, int64_t timeout_ns);

/* Prints every live task with its backtrace, or, for a worker that does not come back
 * within the limit, the task that it is stuck in. Not from a worker. */
int pool_print_tasks(struct pool *pool, int64_t timeout_ns);

/* Tasks that are admitted and not retired; those among them that nobody can wake. */
uint64_t pool_live(struct pool *pool);
int64_t pool_stalled(struct pool *pool);

/* ---- for the workers */

/* Wakes whom idle.h said. The sleeper is given a hold of the clock before it wakes. */
static inline void pool_unpark(struct pool *pool, int whom)
{
    if (whom != IDLE_NOBODY)
        virtual_clock_hold(pool->config.clock);
    if (whom == IDLE_WATCH)
        parker_unpark(pool->parker);
    else if (whom != IDLE_NOBODY)
        parker_unpark(&pool->workers[whom].parker.parker);
}

/* Wakes a sleeper if one is needed for work that was made visible. */
static inline void pool_notify(struct pool *pool)
{
    pool_unpark(pool, idle_pick(&pool->idle));
}

static inline unsigned pool_attention(struct pool *pool)
{
    /* seq_cst: pairs with the change in pool.c, for the look after idle_announce */
    return atomic_load_explicit(&pool->attention, memory_order_seq_cst);
}

/* A worker's part in the present errand. */
void pool_errand_join(struct pool *pool, struct worker *worker);

/* A worker is about to sleep; `deep`: all others do. */
void pool_going_to_sleep(struct pool *pool, bool deep);

#endif
