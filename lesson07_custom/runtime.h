/* runtime: the one header that an application includes.
 *
 *     struct runtime *runtime;
 *     struct runtime_config config = { .scheduler = RUNTIME_STEAL };
 *     int err = runtime_create(&runtime, &config);
 *     err = runtime_run(runtime, &server(...).future, &handle);   // until it is DONE
 *     err = runtime_stop(runtime, 5 * NS_PER_S);
 *     runtime_destroy(runtime);
 *
 * Two questions are answered apart, so that a program can be run in each cell:
 *
 *                       epoll                        io_uring
 *     current   one thread, the caller's     one thread, the caller's
 *     steal     workers that share all       workers that share one ring
 *               work and one reactor
 *     core      a thread a core, each with a reactor or a ring of its own; nothing is
 *               shared, tasks never move
 *
 * A lane is a place where tasks run together: one for current and steal, one a core for
 * core. A program that wants to use every core in every cell starts one task a lane
 * (runtime_spawn_on) and lets those spawn where they are (SPAWN_HERE).
 *
 * Ownership: the runtime owns its threads and drivers; tasks own what is in their frames.
 * Threads: as marked. Errors: negative errno. */
#ifndef LESSON07_RUNTIME_H
#define LESSON07_RUNTIME_H

#include "common/clock.h"
#include "common/errname.h"
#include "lesson01_futures/async.h"
#include "lesson01_futures/combine.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/task.h"
#include "lesson02_wakers/yield.h"
#include "lesson05_reactor/io.h"
#include "lesson05_reactor/net.h"
#include "lesson05_reactor/timekeeper.h"
#include "lesson05_reactor/timeout.h"
#include "lesson05_reactor/timers.h"
#include "lesson06_worksteal/blocking_call.h"

enum runtime_scheduler { RUNTIME_CURRENT, RUNTIME_STEAL, RUNTIME_CORE };

enum runtime_driver {
    RUNTIME_DRIVER_DEFAULT, /* the mode's own: epoll, but io_uring for core */
    RUNTIME_AUTO,           /* io_uring if this machine lets us, else epoll */
    RUNTIME_EPOLL,
    RUNTIME_URING,
};

/* {0} is a usable config. */
struct runtime_config {
    enum runtime_scheduler scheduler;
    enum runtime_driver driver;
    bool driver_required; /* io_uring refused: fail, do not fall back to epoll */
    int workers;          /* 0: what affinity and the cgroup's CPU quota allow */
    const char *name;     /* of threads, NAME-0 ...; borrowed; NULL: "worker" */
    bool pin; /* worker i on the i-th CPU that we may use; not for current, whose
                 thread is yours */
    uint64_t spin_before_park_ns; /* current, core: look round this long first */
    unsigned ring_entries;        /* depth of each SQ; 0: 256 */
    bool sqpoll;                  /* a kernel thread submits; needs io_uring */
    unsigned sqpoll_idle_ms;
    unsigned blocking_threads;   /* at most; 0: 64 */
    unsigned queue_capacity;     /* steal: of each worker's queues; 0: 256 */
    bool no_stealing;            /* steal: for comparisons */
    uint64_t cancel_ns;          /* phase 2 of a stop; 0: RUNTIME_CANCEL_NS */
    struct virtual_clock *clock; /* borrows; NULL: real time */
    bool dump_on_signal; /* SIGUSR1 prints every task; blocks the signal in the calling
                            thread, so create the runtime before other threads */
    /* On each worker's thread; not for current. */
    void (*on_thread_start)(unsigned worker, void *argument);
    void (*on_thread_stop)(unsigned worker, void *argument);
    void *hook_argument; /* borrows */
};

struct runtime;

/* Why the config is refused, in one sentence; NULL: it is fine. */
const char *runtime_config_problem(const struct runtime_config *config);

/* 0; -EINVAL (see above), -ENOMEM, -EMFILE, ...; io_uring's refusal if it is required.
 * Nothing is left behind on failure. */
int runtime_create(struct runtime **runtime, const struct runtime_config *config);

/* "epoll" or "io_uring": which one won. */
const char *runtime_driver_name(const struct runtime *runtime);
/* Why it is not the one that was asked for, in one sentence; NULL: it is. */
const char *runtime_driver_reason(const struct runtime *runtime);
const char *runtime_scheduler_name(const struct runtime *runtime);
unsigned runtime_lanes(const struct runtime *runtime);
unsigned runtime_workers(const struct runtime *runtime);

/* Spawns `root` on lane 0 and waits until it is DONE; the handle has its output. From a
 * thread that is no worker; for current, this thread is the worker meanwhile. 0, -ENOMEM,
 * -ESHUTDOWN, -EDEADLK (every task waits, and nobody could wake one: they are named; not
 * found in core mode, where another lane always could). */
int runtime_run(struct runtime *runtime, struct future *root,
                struct task_handle *handle);

/* Spawns on a lane, from anywhere. `handle` may be NULL. As task_spawn; -EINVAL: there
 * is no such lane. */
int runtime_spawn_on(struct runtime *runtime, unsigned lane, struct future *future,
                     struct task_handle *handle);

/* From within a task: spawns on the same lane. In core and current mode the task is
 * LOCAL: it stays on this thread, and costs no atomics. */
int runtime_spawn_here(struct future *future, struct task_handle *handle);

/* SPAWN_HERE(&handle, constructor(arguments...)); the handle may be NULL. */
#define SPAWN_HERE(handle, ...)                                                        \
    runtime_spawn_here(&((__typeof__(__VA_ARGS__)[1]){ __VA_ARGS__ })->future, (handle))
#define SPAWN_ON(runtime, lane, handle, ...)                                           \
    runtime_spawn_on((runtime), (lane),                                                \
                     &((__typeof__(__VA_ARGS__)[1]){ __VA_ARGS__ })->future, (handle))

/* The runtime, lane and offload (for blocking_call) of the calling task's thread. */
struct runtime *runtime_here(void);
unsigned runtime_lane_here(void);
struct offload *runtime_offload_here(void);

/* Stop, in three phases:
 *   1  Sources marked io_source_drain_at_stop see the end: listeners refuse, idle
 *      connections end, requests in progress finish. At most grace_ns.
 *   2  What is left is cancelled, new tasks are refused. At most config.cancel_ns.
 *   3  Stragglers are named on stderr with their backtraces, and leaked on purpose with
 *      their driver: -ETIMEDOUT.
 * 0: every task ended, every thread is joined. From a thread that is no worker. */
#define RUNTIME_CANCEL_NS (2 * NS_PER_S)
int runtime_stop(struct runtime *runtime, uint64_t grace_ns);

/* Has a stop begun? For loops that would otherwise go on. Any thread. */
bool runtime_is_stopping(const struct runtime *runtime);

/* Frees it; stops it first with no grace if nobody has. Accepts NULL. */
void runtime_destroy(struct runtime *runtime);

/* Prints every task with its state and backtrace to stderr; a worker that does not come
 * back from a poll within 100 ms is printed as stalled. Not from a worker. */
void runtime_dump(struct runtime *runtime);

struct runtime_metrics {
    unsigned workers;
    uint64_t polls;      /* of tasks */
    uint64_t steals;     /* tasks taken from another worker */
    uint64_t parks;      /* times a worker went to sleep */
    uint64_t operations; /* I/O operations started */
    uint64_t syscalls;   /* made by the I/O drivers */
    uint64_t counted;    /* runtime_count calls */
    uint64_t live;       /* tasks, roughly; steal only */
    uint64_t blocking_queue;
    uint64_t blocking_run;
};

/* Counts one of whatever the application counts, on the calling task's thread: no cache
 * line is shared between workers. */
void runtime_count(void);

/* A moment's truth. Any thread. */
void runtime_metrics(struct runtime *runtime, struct runtime_metrics *metrics);

#endif
