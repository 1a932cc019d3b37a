/* executor: one thread, one queue, and a parker to sleep in.
 *
 * Runs tasks in the order in which they became runnable, or, if it is told so, spawned
 * tasks newest first (run_order.h), by turns with the others. When none is, it parks; a
 * wake from any thread unparks it. Between tasks it looks at its inbox (spawns and wakes
 * from other threads) and, every PARK_INTERVAL polls at the latest (pace.h), gives its
 * parker a turn that does not sleep.
 *
 * When every live task waits and nobody holds a waker for any of them, nothing can ever
 * happen again: the executor names them and returns -EDEADLK instead of sleeping for
 * ever (RULES W10).
 *
 * Ownership: caller-owned memory; borrows the parker. Threads: init, run and finish on
 * one thread; spawn (task_spawn on &executor->scheduler) and wake from any. */
#ifndef LESSON02_EXECUTOR_H
#define LESSON02_EXECUTOR_H

#include "lesson02_wakers/pace.h"
#include "lesson02_wakers/task.h"
#include "lesson02_wakers/run_order.h"
#include "lesson02_wakers/task_home.h"
#include "lesson02_wakers/thread_parker.h"

struct executor {
    struct scheduler scheduler;
    struct parker *parker;  /* borrows */
    struct task_home *home; /* owns until finish */
    struct thread_parker own_parker;
    /* owner thread only */
    struct run_order order; /* the runnable tasks */
    struct pace pace;       /* when the parker gets its next turn */
    struct task_runner runner;
    uint64_t live;     /* admitted, not retired */
    uint64_t stalled;  /* of those: waiting with no waker anywhere */
    uint64_t deadline; /* of this run; CLOCK_NEVER: none */
    bool stopping;     /* refuse spawns; changed with the lock held */
    /* any thread, atomic: written by the owner, a moment's truth for others */
    _Atomic uint64_t polls;        /* made, ever */
    _Atomic uint64_t parks;        /* times it went to sleep */
    _Atomic(const char *) polling; /* static: the task being polled, or NULL */
    /* any thread, atomic */
    _Atomic bool attention; /* look at the inbox, the home's mail, calls */
    _Atomic bool called;
    _Atomic unsigned visitors; /* other threads that have yet to unpark us */
    void (*on_call)(struct executor *executor, void *argument); /* see executor_call */
    void *on_call_argument;                                     /* borrows */
    /* guarded by lock */
    pthread_mutex_t lock;
    struct task_queue inbox; /* tasks that other threads made runnable */
    int64_t admitted;        /* live tasks that other threads added or gave back */
};

/* `parker` NULL: a thread parker of its own. 0 or negative errno. */
int executor_init(struct executor *executor, struct parker *parker);

/* Cancels every task that is left, runs them to their end, and lets go of the memory;
 * wakers and handles may outlive it. 0, or -EDEADLK: tasks that ignore the cancel and
 * that nobody will wake are named, and leaked on purpose. Accepts NULL and zeroed. */
int executor_finish(struct executor *executor);

/* Waits until no other thread is on its way from "there is something" to unpark. Before the
 * parker's own end, when it comes before executor_finish. */
void executor_wait_for_visitors(struct executor *executor);

/* Runs until no task is live. 0, -EDEADLK, or the parker's error. */
int executor_run(struct executor *executor);

/* The same for at most this long: -ETIMEDOUT. */
int executor_run_for(struct executor *executor, uint64_t limit_ns);

/* Refuses new tasks from now on, and cancels every live one. Owner thread. */
void executor_cancel_all(struct executor *executor);

/* Has executor->on_call called by the owner thread, between two polls, soon. Any thread,
 * also from a signal handler if the parker's unpark may. Calls merge. */
void executor_call(struct executor *executor);

/* Runs until the task is DONE; others may be left. */
int executor_run_until(struct executor *executor, const struct task_handle *handle);

/* Spawns the future as a LOCAL task on this executor and runs until it is DONE; the
 * handle has its output. 0, -ENOMEM, -ESHUTDOWN, -EDEADLK or the parker's error. */
int executor_block_on(struct executor *executor, struct future *future,
                      struct task_handle *handle);

/* Prints every live task with its backtrace to stderr. Owner thread. */
void executor_print_tasks(struct executor *executor);

#endif
