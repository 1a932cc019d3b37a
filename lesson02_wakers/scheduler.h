/* scheduler: where runnable tasks go.
 *
 * A task knows one thing about the world: the scheduler that it asks to be run again.
 * The single-threaded executor (lesson 2), the work-stealing pool (lesson 6) and the
 * thread-per-core executors (lesson 7) implement this table; a later lesson never edits
 * the task.
 *
 * Threads: admit, schedule, alloc and post from any thread; retire from the thread that
 * ran the task. */
#ifndef LESSON02_SCHEDULER_H
#define LESSON02_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scheduler;
struct task;
struct task_home;

/* Why a task becomes runnable: a queue may treat them differently. */
enum schedule_why {
    SCHEDULE_SPAWN, /* its first time */
    SCHEDULE_WAKE,  /* somebody woke it */
    SCHEDULE_YIELD, /* it ran, and wants to run again: behind all others */
};

struct scheduler_ops {
    const char *name; /* static */
    /* May a task be spawned? 0 counts it as live; -ESHUTDOWN once stopping. */
    int (*admit)(struct scheduler *scheduler);
    /* Consumes the task's SCHEDULED state: queues it, and sees to it that a thread
     * comes to run it. Cannot fail. A LOCAL task comes here on its home thread only. */
    void (*schedule)(struct scheduler *scheduler, struct task *task,
                     enum schedule_why why);
    /* A task that was admitted is done (or could not be made); after the last one the
     * scheduler may be destroyed, so nothing touches it after this call. */
    void (*retire)(struct scheduler *scheduler);
    /* The home whose slab a new task is cut from, for a spawn on the calling thread. */
    struct task_home *(*home)(struct scheduler *scheduler);
    /* LOCAL tasks of `home` have mail: its thread shall call task_home_collect soon.
     * The scheduler stands until this returns: task_home_close waits for it. */
    void (*post)(struct scheduler *scheduler, struct task_home *home);
    /* A task went to sleep although nobody holds a waker for it (+1), or such a task
     * came back (-1); RULES W10. From the thread that ran it. */
    void (*stalled)(struct scheduler *scheduler, int change);
};

struct scheduler {
    const struct scheduler_ops *ops; /* borrows; static */
};

#endif
