/* task: a future that an executor looks after.
 *
 * task_spawn moves an unpolled future behind a 32-byte header, into one slab slot; from
 * then on the scheduler polls it whenever its waker says so. The header:
 *
 *     state    remote   next       mail_next  joiner    | frame of the future ...
 *     4 bytes  4        8          8          8         | ops->size bytes
 *
 * The spawner may keep a handle: to await the task (join.h), to cancel it, to look at
 * its output. Dropping the handle detaches the task, which goes on.
 *
 * Three ends (join.h): JOIN_OK, JOIN_CANCELLED, JOIN_PANICKED. */
#ifndef LESSON02_TASK_H
#define LESSON02_TASK_H

#include <setjmp.h>
#include <stdatomic.h>

#include "lesson01_futures/async.h"
#include "lesson02_wakers/scheduler.h"
#include "lesson02_wakers/task_state.h"
#include "lesson02_wakers/waker.h"

struct task_join;

struct task {
    _Atomic uint32_t state;  /* task_state.h; also the slab's life sign */
    _Atomic uint32_t remote; /* LOCAL: other threads' half; written under home's lock */
    union {
        struct task *next; /* while SCHEDULED: owned by the queue that it is in */
        const struct future_ops
            *output_ops; /* once DONE: for discard; NULL: panicked */
    };
    struct task *mail_next;             /* LOCAL: guarded by home's lock */
    _Atomic(struct task_join *) joiner; /* borrows; see join.c for who may touch it */
};
_Static_assert(sizeof(struct task) == 32, "a task's header is half a cache line");

/* Owns one claim on a task: its output stays until the handle is given up. {0} is an
 * empty handle. Move it, do not copy it. */
struct task_handle {
    struct task *task;
};

enum task_spawn_flags {
    SPAWN_SHARED = 0, /* may run on any of the scheduler's threads */
    SPAWN_LOCAL = 1,  /* stays on the thread that spawns it; no atomics on its way */
};

/* Spawns the future. On success its bytes are moved (consumed); on failure nothing
 * happened and the caller still owns what the arguments own. `handle` may be NULL: the
 * task is detached from the start. 0, -ENOMEM, -ESHUTDOWN (the scheduler is stopping),
 * -EPERM (LOCAL, and this thread runs no executor of that scheduler). Any thread. */
int task_spawn(struct scheduler *scheduler, struct future *future, unsigned flags,
               struct task_handle *handle);

/* SPAWN(scheduler, &handle, constructor(arguments...)) */
#define SPAWN(scheduler, handle, ...)                                                  \
    SPAWN_WITH(scheduler, handle, SPAWN_SHARED, __VA_ARGS__)
#define SPAWN_ON_THIS_THREAD(scheduler, handle, ...)                                   \
    SPAWN_WITH(scheduler, handle, SPAWN_LOCAL, __VA_ARGS__)
#define SPAWN_WITH(scheduler, handle, flags, ...)                                      \
    task_spawn((scheduler), &((__typeof__(__VA_ARGS__)[1]){ __VA_ARGS__ })->future,    \
               (flags), (handle))

/* Asks the task to end early: it is scheduled, and its future is cancelled before the
 * next poll. Any thread (for a LOCAL task: its home thread). No-op on an empty handle
 * and on a DONE task. */
void task_cancel(const struct task_handle *handle);

/* Gives the handle up; the task goes on. The handle is empty afterwards. */
void task_detach(struct task_handle *handle);

/* Is the task DONE? Then its frame and its status may be looked at. Any thread. */
bool task_is_done(const struct task_handle *handle);

/* The task's frame: borrowed from the handle. To be read once the task is DONE. */
static inline struct future *task_future(const struct task *task)
{
    return (struct future *)(uintptr_t)(task + 1);
}

/* TASK_OUTPUT(&handle, fib)->result: the finished frame as struct fib. */
#define TASK_OUTPUT(handle, type)                                                      \
    container_of(task_future((handle)->task), struct type, future)

/* Ends the running task as panicked: "this task is wrong". For async bodies and what
 * they call; never in a hand-written poll or cancel, and never with a lock held. The
 * frames on the stack are dead; whatever else the task had in flight is cancelled and
 * awaited first, and frees what it owns. Outside a task: a CHECK. */
_Noreturn void task_panic(const char *format, ...) PRINTF_LIKE(1, 2);

/* ---- for schedulers */

/* One per thread that runs tasks, on its stack or in its worker:
 *     task_runner_enter(&runner);
 *     if (sigsetjmp(runner.trap, 0))
 *         task_runner_caught(&runner);
 *     while (...)
 *         task_run(&runner, task);
 *     task_runner_leave(&runner);
 * Locals that the loop changes must live in memory (a struct), not in registers: a
 * panic comes back through sigsetjmp. */
struct task_runner {
    sigjmp_buf trap;
    struct task *current;      /* borrows: the task whose poll is on the stack */
    struct task_runner *outer; /* borrows: runs further down on this stack */
};

void task_runner_enter(struct task_runner *runner);
void task_runner_leave(struct task_runner *runner);
void task_runner_caught(struct task_runner *runner);

/* Polls a task once. Consumes its SCHEDULED state. */
void task_run(struct task_runner *runner, struct task *task);

/* As task_cancel, for the scheduler that stops: it needs no handle. Home thread, or any
 * thread for a shared task that is known to be live. */
void task_request_cancel(struct task *task);

/* The task whose poll is on this thread's stack, or NULL. */
struct task *task_current(void);

static inline bool task_is_local(const struct task *task)
{
    return atomic_load_explicit(&task->state, memory_order_relaxed) & TASK_LOCAL;
}

static inline bool task_is_live(const struct task *task)
{
    return !(atomic_load_explicit(&task->state, memory_order_relaxed) & TASK_DONE);
}

/* Prints "task NAME (state)" and its async backtrace to stderr. The task's poll must
 * not be running. */
void task_print(const struct task *task);

/* "scheduled", "waiting", ... static. */
const char *task_state_name(const struct task *task);

#endif
