/* pool_block: the way in for a thread that is no worker.
 *
 * Problem: main() wants to wait for a task, but has no task to wait in. Idea: join is a
 * future, and anybody may poll a future who brings a waker; here the waker unparks the
 * calling thread. Invariant: the waker's memory is on this thread's stack, so the function
 * counts the wakers that it handed out, and returns when none is left: the completer of
 * the task may still be inside wake when the task is seen to be DONE (W5). */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "common/clock.h"
#include "lesson02_wakers/join.h"
#include "lesson06_worksteal/pool_inside.h"

struct blocked {
    struct list link; /* in pool->blocked, under its lock */
    struct thread_parker parker;
    _Atomic unsigned wakers;
    _Atomic bool deadlock;
};

static const struct waker_ops blocked_ops;

static struct waker blocked_clone(void *data)
{
    struct blocked *self = data;
    atomic_fetch_add_explicit(&self->wakers, 1, memory_order_relaxed);
    return (struct waker){ &blocked_ops, self };
}

static void blocked_drop(void *data)
{
    struct blocked *self = data;
    /* release: pairs with the acquire in wait_for_wakers; our last access */
    atomic_fetch_sub_explicit(&self->wakers, 1, memory_order_release);
}

static void blocked_wake_by_ref(void *data)
{
    struct blocked *self = data;
    parker_unpark(&self->parker.parker);
}

static void blocked_wake(void *data)
{
    blocked_wake_by_ref(data);
    blocked_drop(data);
}

static const struct waker_ops blocked_ops = {
    .clone = blocked_clone,
    .wake = blocked_wake,
    .wake_by_ref = blocked_wake_by_ref,
    .drop = blocked_drop,
};

static void wait_for_wakers(struct blocked *self)
{
    /* acquire: pairs with blocked_drop */
    while (atomic_load_explicit(&self->wakers, memory_order_acquire))
        sched_yield();
}

void pool_tell_blocked(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    list_for_each (node, &pool->blocked) {
        struct blocked *blocked = container_of(node, struct blocked, link);
        atomic_store_explicit(&blocked->deadlock, true, memory_order_relaxed);
        parker_unpark(&blocked->parker.parker);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* We were told that nothing can happen any more. Is it still so? */
static bool is_deadlocked(struct pool *pool, struct blocked *self)
{
    if (!atomic_exchange_explicit(&self->deadlock, false, memory_order_relaxed))
        return false;
    int64_t stalled = pool_stalled(pool);
    if (stalled <= 0 || pool_live(pool) != (uint64_t)stalled)
        return false;
    fprintf(stderr,
            "pool: no runnable task, and %lld that wait with nobody left to wake them "
            "(rule W10):\n",
            (long long)stalled);
    pool_print_tasks(pool, (int64_t)NS_PER_S);
    return true;
}

static int wait_for_task(struct pool *pool, struct blocked *self,
                         const struct task_handle *handle)
{
    struct task_join join = task_join(handle);
    struct waker waker = { &blocked_ops, self };
    struct context context = { &waker, CONTEXT_BUDGET };
    int err = 0;
    while (future_poll(&join.future, &context) == POLL_PENDING) {
        parker_park(&self->parker.parker, PARK_FOREVER);
        if (is_deadlocked(pool, self)) {
            future_cancel(&join.future);
            err = -EDEADLK;
        }
    }
    return err;
}

int pool_block_on(struct pool *pool, struct future *future, struct task_handle *handle)
{
    CHECK(!TLS(worker_here), "a worker would block: await the task instead");
    struct blocked self = { .wakers = 0 };
    thread_parker_init(&self.parker);
    pthread_mutex_lock(&pool->lock);
    list_push_back(&pool->blocked, &self.link);
    pthread_mutex_unlock(&pool->lock);
    int err = pool_spawn(pool, future, handle);
    if (err == 0)
        err = wait_for_task(pool, &self, handle);
    pthread_mutex_lock(&pool->lock);
    list_remove(&self.link);
    pthread_mutex_unlock(&pool->lock);
    wait_for_wakers(&self);
    return err;
}

int pool_run(struct pool *pool, struct future *future)
{
    struct task_handle handle = { NULL };
    int err = pool_block_on(pool, future, &handle);
    int result = err < 0 ? err : (int)task_status(&handle);
    task_detach(&handle);
    return result;
}
