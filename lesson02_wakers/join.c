/* join: the joiner's slot, and who owns it at every instant (RULES W8).
 *
 * Problem: the joiner writes its waker while the task finishes on another thread. Idea:
 * the waker lives in the joiner's own struct, and the task has one atomic pointer to
 * it:
 *
 *     NULL    --register (joiner)--> struct
 *     struct  --take back (joiner)-> NULL
 *     NULL    --complete-----------> GONE
 *     struct  --complete-----------> GONE   the waker belongs to the completer
 *
 * Each step is one compare-exchange or exchange, so each has one winner. Invariant: the
 * completer reads the struct only between its exchange and the store of DONE, and the
 * joiner is not READY before DONE (or before it took its address back), so the struct
 * is still there. In the few instructions between GONE and DONE the joiner wakes itself
 * and asks again. */
#include "lesson02_wakers/join.h"

#include <errno.h>

#include "lesson02_wakers/panic.h"
#include "lesson02_wakers/task_local.h"

static struct task_join gone_mark;
#define GONE (&gone_mark)

/* Compare-exchange of the slot; a LOCAL task has one thread, so plain there. */
static bool replace(struct task *task, struct task_join *expected,
                    struct task_join *desired)
{
    if (task_is_local(task)) {
        if (atomic_load_explicit(&task->joiner, memory_order_relaxed) != expected)
            return false;
        atomic_store_explicit(&task->joiner, desired, memory_order_relaxed);
        return true;
    }
    /* acq_rel: release pairs with the acquire in join_take_waker, which reads the
     * waker; acquire pairs with its release, for a joiner that takes its address back
     */
    return atomic_compare_exchange_strong_explicit(
        &task->joiner, &expected, desired, memory_order_acq_rel, memory_order_acquire);
}

struct waker join_take_waker(struct task *task)
{
    struct task_join *joiner;
    if (task_is_local(task)) {
        joiner = atomic_load_explicit(&task->joiner, memory_order_relaxed);
        atomic_store_explicit(&task->joiner, GONE, memory_order_relaxed);
    } else { /* acq_rel: pairs with replace */
        joiner = atomic_exchange_explicit(&task->joiner, GONE, memory_order_acq_rel);
    }
    /* Copied, not emptied: a joiner that is polled meanwhile may compare it. */
    return joiner ? joiner->waker : (struct waker){ 0 };
}

/* Of a DONE task. */
static enum join_status status_of(const struct task *task)
{
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (word & TASK_PANICKED)
        return JOIN_PANICKED;
    return word & TASK_CANCELLED ? JOIN_CANCELLED : JOIN_OK;
}

/* The completer has been here, or is: its wake may go to an older waker, so ask again.
 */
static enum poll_state ask_again(struct context *context)
{
    waker_wake_by_ref(context->waker);
    return POLL_PENDING;
}

/* The task has not ended. */
static enum poll_state wait_for_end(struct task_join *self, struct task *task,
                                    struct context *context)
{
    CHECK(!task_is_local(task) || task_home_is_here(task_home_of(task)),
          "LOCAL task '%s' is joined on another thread than its own",
          task_future(task)->ops->name);
    if (self->registered) {
        if (!self->cancelled && context->waker &&
            waker_same(&self->waker, context->waker))
            return POLL_PENDING;
        if (!replace(task, self, NULL))
            return ask_again(context);
        self->registered = false;
        waker_drop(&self->waker);
    }
    if (self->cancelled) {
        self->result = -ECANCELED;
        return POLL_READY;
    }
    self->waker = waker_clone(context->waker);
    if (!replace(task, NULL, self)) {
        CHECK(atomic_load_explicit(&task->joiner, memory_order_relaxed) == GONE,
              "two joins wait for task '%s'", task_future(task)->ops->name);
        waker_drop(&self->waker);
        return ask_again(context);
    }
    self->registered = true;
    return POLL_PENDING;
}

static enum poll_state join_poll(struct future *future, struct context *context)
{
    struct task_join *self = container_of(future, struct task_join, future);
    struct task *task = self->handle->task;
    CHECK(task, "a join on an empty handle");
    if (!task_is_done(self->handle))
        return wait_for_end(self, task, context);
    self->status = status_of(task);
    if (UNLIKELY(self->status == JOIN_PANICKED))
        self->panic = task_panic_text(self->handle);
    return POLL_READY;
}

static void join_cancel(struct future *future)
{
    container_of(future, struct task_join, future)->cancelled = true;
}

static const struct future_ops task_join_ops = {
    .name = "join of a task",
    .size = sizeof(struct task_join),
    .poll = join_poll,
    .cancel = join_cancel,
};

struct task_join task_join(const struct task_handle *handle)
{
    return (struct task_join){ .future = { &task_join_ops }, .handle = handle };
}

enum join_status task_status(const struct task_handle *handle)
{
    return task_is_done(handle) ? status_of(handle->task) : JOIN_WAITING;
}

const char *task_panic_text(const struct task_handle *handle)
{
    if (task_status(handle) != JOIN_PANICKED)
        return NULL;
    return panic_note_find(task_home_of(handle->task), handle->task);
}
