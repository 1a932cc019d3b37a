/* task: spawn, run, wake, end.
 *
 * Problem: a future must be polled exactly when it is worth it, by one thread at a
 * time, while others wake, cancel and drop it. Idea: the state word (task_state.c)
 * decides who does what; this file does it. Invariants:
 *   - a task is in one queue exactly when it is SCHEDULED and not RUNNING;
 *   - it is freed by whoever made it unreachable, and only when DONE;
 *   - when it finishes, the joiner's waker is taken out first, then DONE is published,
 *     then the waker is woken (RULES C15, W8): the joiner's frame may be gone by then.
 *
 * LOCAL tasks take the same path with plain loads and stores; what other threads want
 * of them goes through task_home.c. */
#include "lesson02_wakers/task.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/thread_local.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/panic.h"
#include "lesson02_wakers/task_local.h"

static TLS_DEFINE(struct task_runner *, runner_here);

/* Only for a task that is not DONE: its scheduler still stands. */
static struct scheduler *scheduler_of(const struct task *task)
{
    return task_home_of(task)->scheduler;
}

static void schedule(struct task *task, enum schedule_why why)
{
    struct scheduler *scheduler = scheduler_of(task);
    scheduler->ops->schedule(scheduler, task, why);
}

void task_free(struct task *task)
{
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (word & TASK_PANICKED)
        panic_note_remove(task_home_of(task), task);
    slab_free(task);
}

static void do_duty(struct task *task, enum task_duty duty)
{
    if (duty == DUTY_SCHEDULE)
        schedule(task, SCHEDULE_WAKE);
    else if (duty == DUTY_FREE)
        task_free(task);
}

/* ---- the waker of a shared task */

static const struct waker_ops shared_waker_ops;
static const struct waker_ops local_waker_ops;

static struct waker shared_clone(void *data)
{
    struct task *task = data;
    task_state_clone(&task->state, false);
    return (struct waker){ &shared_waker_ops, task };
}

static void shared_wake(void *data)
{
    struct task *task = data;
    do_duty(task, task_state_wake(&task->state, false, true));
}

static void shared_wake_by_ref(void *data)
{
    struct task *task = data;
    do_duty(task, task_state_wake(&task->state, false, false));
}

static void shared_drop(void *data)
{
    struct task *task = data;
    do_duty(task, task_state_drop(&task->state, false));
}

static const struct waker_ops shared_waker_ops = {
    .clone = shared_clone,
    .wake = shared_wake,
    .wake_by_ref = shared_wake_by_ref,
    .drop = shared_drop,
};

/* ---- the waker of a LOCAL task */

static bool is_home(const struct task *task)
{
    return task_home_is_here(task_home_of(task));
}

static void free_if_unreachable(struct task *task)
{
    if (task_local_unreachable(task))
        task_free(task);
}

static struct waker local_clone(void *data)
{
    struct task *task = data;
    if (is_home(task))
        task_state_clone(&task->state, true);
    else
        task_remote_clone(task);
    return (struct waker){ &local_waker_ops, task };
}

void task_local_wake(struct task *task)
{
    do_duty(task, task_state_wake(&task->state, true, false));
}

static void local_wake(void *data)
{
    struct task *task = data;
    if (!is_home(task)) {
        task_remote_wake(task, true);
        return;
    }
    if (task_state_wake(&task->state, true, true) == DUTY_SCHEDULE)
        schedule(task, SCHEDULE_WAKE);
    else
        free_if_unreachable(task);
}

static void local_wake_by_ref(void *data)
{
    struct task *task = data;
    if (is_home(task))
        task_local_wake(task);
    else
        task_remote_wake(task, false);
}

static void local_drop(void *data)
{
    struct task *task = data;
    if (!is_home(task)) {
        task_remote_drop(task);
        return;
    }
    task_state_drop(&task->state, true);
    if (task_local_abandoned(task))
        task_local_wake(task);
    else
        free_if_unreachable(task);
}

static const struct waker_ops local_waker_ops = {
    .clone = local_clone,
    .wake = local_wake,
    .wake_by_ref = local_wake_by_ref,
    .drop = local_drop,
};

/* ---- spawn */

int task_spawn(struct scheduler *scheduler, struct future *future, unsigned flags,
               struct task_handle *handle)
{
    bool local = flags & SPAWN_LOCAL;
    struct task_home *here = TLS(task_home_here);
    CHECK(!future_is_done(future), "a finished future was spawned");
    if (local && (!here || here->scheduler != scheduler))
        return -EPERM;
    int err = scheduler->ops->admit(scheduler);
    if (err < 0)
        return err;
    struct task_home *home = local ? here : scheduler->ops->home(scheduler);
    size_t size = future->ops->size;
    struct task *task = slab_alloc(&home->slab, sizeof *task + size);
    if (!task) {
        scheduler->ops->retire(scheduler);
        return -ENOMEM;
    }
    task->next = NULL;
    task->mail_next = NULL;
    atomic_init(&task->remote, 0);
    atomic_init(&task->joiner, NULL);
    memcpy(task_future(task), future, size);
    /* release: pairs with the acquire in slab_each; a dump may come before the task is
     * in a queue */
    atomic_store_explicit(&task->state, task_state_new(local, handle != NULL),
                          memory_order_release);
    if (handle)
        handle->task = task;
    scheduler->ops->schedule(scheduler, task, SCHEDULE_SPAWN);
    return 0;
}

/* ---- run */

void task_runner_enter(struct task_runner *runner)
{
    runner->current = NULL;
    runner->outer = TLS(runner_here);
    TLS(runner_here) = runner;
}

void task_runner_leave(struct task_runner *runner)
{
    TLS(runner_here) = runner->outer;
}

struct task *task_current(void)
{
    return TLS(runner_here) ? TLS(runner_here)->current : NULL;
}

/* What follows is compiled twice, for LOCAL and for shared tasks: `local` is a constant in
 * each copy, and a plain load and store need not be told from a loop around an atomic
 * one in every step of every poll. */
#define FOR_BOTH_KINDS static inline __attribute__((always_inline))

/* Nobody holds its handle, so nobody else can look at its output any more. */
FOR_BOTH_KINDS void forget(struct task *task, uint32_t word, bool keep, bool local)
{
    if (keep) {
        task->output_ops->discard(task_future(task));
        enum task_duty duty = task_state_drop(&task->state, local);
        if (!local)
            do_duty(task, duty);
    } else if (!local && TASK_WAKERS(word) == 0) {
        task_free(task);
    }
    if (local)
        free_if_unreachable(task);
}

/* The task has no more to do. output_ops: NULL when it panicked. */
FOR_BOTH_KINDS void finish(struct task *task, const struct future_ops *output_ops,
                           bool local)
{
    struct scheduler *scheduler = scheduler_of(task);
    bool keep = output_ops && output_ops->discard;
    struct waker joiner = join_take_waker(task);
    task->output_ops = output_ops;
    uint32_t word = task_state_finish(&task->state, local, keep);
    if (!(word & TASK_HANDLE))
        forget(task, word, keep, local);
    waker_wake(&joiner);
    scheduler->ops->retire(scheduler);
}

FOR_BOTH_KINDS void pause_task(struct task *task, bool again, bool local)
{
    bool stalled;
    int32_t remote = local ? task_local_remote_wakers(task) : 0;
    struct scheduler *scheduler = scheduler_of(task); /* once paused, it may be gone */
    enum task_duty duty =
        task_state_pause(&task->state, local, again, remote, &stalled);
    if (duty == DUTY_SCHEDULE)
        scheduler->ops->schedule(scheduler, task, SCHEDULE_YIELD);
    else if (UNLIKELY(stalled))
        scheduler->ops->stalled(scheduler, 1);
}

/* A frame of it panicked, or it was cancelled. */
COLD static enum poll_state poll_marked(struct task *task, uint32_t word,
                                        struct context *context)
{
    struct future *root = task_future(task);
    if (word & TASK_PANICKED)
        return panic_drain(root, context) ? POLL_READY : POLL_PENDING;
    future_cancel(root);
    return future_poll(root, context);
}

FOR_BOTH_KINDS void run(struct task_runner *runner, struct task *task, bool local)
{
    bool stalled;
    uint32_t word = task_state_start(&task->state, local, &stalled);
    if (UNLIKELY(stalled))
        scheduler_of(task)->ops->stalled(scheduler_of(task), -1);
    struct waker waker = { local ? &local_waker_ops : &shared_waker_ops, task };
    struct context context = { &waker, CONTEXT_BUDGET };
    const struct future_ops *ops = task_future(task)->ops;
    runner->current = task;
    enum poll_state state = UNLIKELY(word & (TASK_PANICKED | TASK_CANCELLED))
                                ? poll_marked(task, word, &context)
                                : future_poll(task_future(task), &context);
    runner->current = NULL;
    if (state == POLL_READY)
        finish(task, word & TASK_PANICKED ? NULL : ops, local);
    else
        pause_task(task, context.budget < 0, local);
}

void task_run(struct task_runner *runner, struct task *task)
{
    if (task_is_local(task))
        run(runner, task, true);
    else
        run(runner, task, false);
}

/* ---- panic */

_Noreturn void task_panic(const char *format, ...)
{
    struct task_runner *runner = TLS(runner_here);
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(runner && runner->current, "task_panic outside a task: %s", text);
    struct task *task = runner->current;
    fprintf(stderr, "task '%s' panicked: %s\n", task_future(task)->ops->name, text);
    future_print_tree(task_future(task), "    ");
    panic_note_add(task_home_of(task), task, text);
    siglongjmp(runner->trap, 1);
}

void task_runner_caught(struct task_runner *runner)
{
    struct task *task = runner->current;
    runner->current = NULL;
    /* A runner further up may have been jumped over; it runs nothing any more. */
    TLS(runner_here) = runner;
    bool local = task_is_local(task);
    task_state_panic(&task->state, local);
    pause_task(task, true, local);
}

/* ---- cancel and handles */

void task_request_cancel(struct task *task)
{
    do_duty(task, task_state_cancel(&task->state, task_is_local(task)));
}

void task_cancel(const struct task_handle *handle)
{
    struct task *task = handle->task;
    if (!task)
        return;
    CHECK(!task_is_local(task) || is_home(task) ||
              !atomic_load_explicit(&task_home_of(task)->entered, memory_order_relaxed),
          "a LOCAL task was cancelled from another thread than its own");
    task_request_cancel(task);
}

/* A LOCAL task whose home nobody is in: the lock stands in for the home thread. */
COLD static void detach_local_elsewhere(struct task *task)
{
    struct task_home *home = task_home_of(task);
    CHECK(!atomic_load_explicit(&home->entered, memory_order_relaxed),
          "a LOCAL task's handle was given up on another thread than its own");
    pthread_mutex_lock(&home->lock);
    bool done = task_state_drop_handle(&task->state, true);
    pthread_mutex_unlock(&home->lock);
    if (!done)
        return;
    if (task->output_ops && task->output_ops->discard)
        task->output_ops->discard(task_future(task));
    task_remote_drop(task);
}

FOR_BOTH_KINDS void detach(struct task *task, bool local)
{
    if (!task_state_drop_handle(&task->state, local))
        return;
    if (task->output_ops && task->output_ops->discard)
        task->output_ops->discard(task_future(task));
    enum task_duty duty = task_state_drop(&task->state, local);
    if (local)
        free_if_unreachable(task);
    else
        do_duty(task, duty);
}

void task_detach(struct task_handle *handle)
{
    struct task *task = handle->task;
    handle->task = NULL;
    if (!task)
        return;
    if (!task_is_local(task))
        detach(task, false);
    else if (is_home(task))
        detach(task, true);
    else
        detach_local_elsewhere(task);
}

bool task_is_done(const struct task_handle *handle)
{
    if (!handle->task)
        return false;
    /* acquire: pairs with the release in task_state_finish */
    return atomic_load_explicit(&handle->task->state, memory_order_acquire) & TASK_DONE;
}
