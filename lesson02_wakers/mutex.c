/* mutex: hand the lock over, do not put it down.
 *
 * Problem: an unlock that sets "free" and wakes a waiter lets a third task take the lock
 * before the waiter gets to run; with bad luck the waiter starves. Idea: while somebody
 * waits, unlock leaves the mutex locked and makes the first in line its owner.
 * Invariant: a mutex that is not locked has nobody in line. */
#include "lesson02_wakers/mutex.h"

#include <errno.h>

enum { GRANT_LOCK = 1 };

void async_mutex_init(struct async_mutex *mutex)
{
    wait_queue_init(&mutex->queue);
    mutex->locked = false;
}

void async_mutex_finish(struct async_mutex *mutex)
{
    if (!mutex)
        return;
    CHECK(!mutex->locked, "an async mutex was finished while it is locked");
    wait_queue_finish(&mutex->queue);
}

/* The queue's lock is held. */
static bool take_if_free(struct async_mutex *mutex)
{
    bool taken = !mutex->locked;
    mutex->locked = true;
    return taken;
}

bool async_mutex_try_lock(struct async_mutex *mutex)
{
    pthread_mutex_lock(&mutex->queue.lock);
    bool taken = take_if_free(mutex);
    pthread_mutex_unlock(&mutex->queue.lock);
    return taken;
}

void async_mutex_unlock(struct async_mutex *mutex)
{
    struct wake_batch batch;
    batch.count = 0;
    pthread_mutex_lock(&mutex->queue.lock);
    CHECK(mutex->locked, "an async mutex was unlocked that is not locked");
    struct waiter *first = wait_queue_first(&mutex->queue);
    if (first)
        wait_queue_grant(first, GRANT_LOCK, &batch);
    else
        mutex->locked = false;
    pthread_mutex_unlock(&mutex->queue.lock);
    wake_batch_wake(&batch);
}

/* ---- the future */

static enum poll_state lock_poll(struct future *future, struct context *context)
{
    struct async_mutex_lock *self =
        container_of(future, struct async_mutex_lock, future);
    struct wait_queue *queue = &self->mutex->queue;
    struct waker old = { 0 };
    bool ready = true;
    pthread_mutex_lock(&queue->lock);
    if (self->waiter.grant)
        self->locked = true;
    else if (self->cancelled)
        old = waiter_leave(&self->waiter);
    else if (!self->waiter.queued && take_if_free(self->mutex))
        self->locked = true;
    else {
        old = waiter_wait(queue, &self->waiter, context);
        ready = false;
    }
    pthread_mutex_unlock(&queue->lock);
    waker_drop(&old);
    if (!ready)
        return POLL_PENDING;
    self->result = self->locked ? 0 : -ECANCELED;
    return POLL_READY;
}

static void lock_cancel(struct future *future)
{
    container_of(future, struct async_mutex_lock, future)->cancelled = true;
}

static void lock_discard(struct future *future)
{
    struct async_mutex_lock *self =
        container_of(future, struct async_mutex_lock, future);
    if (self->locked)
        async_mutex_unlock(self->mutex);
}

static const struct future_ops async_mutex_lock_ops = {
    .name = "lock of a mutex",
    .size = FUTURE_SIZE(struct async_mutex_lock),
    .poll = lock_poll,
    .cancel = lock_cancel,
    .discard = lock_discard,
};

struct async_mutex_lock async_mutex_lock(struct async_mutex *mutex)
{
    return (struct async_mutex_lock){ .future = { &async_mutex_lock_ops },
                                      .mutex = mutex };
}
