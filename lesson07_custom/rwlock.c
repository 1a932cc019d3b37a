/* rwlock: one line for both kinds, served from the front.
 *
 * Problem: with two lines somebody must choose, and whoever is chosen first can starve the
 * other kind. Idea: one line in the order of arrival; serving it means letting in from
 * the front whoever fits - readers as long as readers come, then stop at a writer until
 * the last reader has left. Invariant, whenever the lock is free: the first in line does
 * not fit. So each change that could make it fit (an unlock, a downgrade, the first one's
 * leaving) serves the line. */
#include "lesson07_custom/rwlock.h"

#include <errno.h>

void rwlock_init(struct rwlock *lock)
{
    *lock = (struct rwlock){ 0 };
    wait_queue_init(&lock->queue);
}

void rwlock_finish(struct rwlock *lock)
{
    if (!lock)
        return;
    CHECK(!lock->writer && lock->readers == 0,
          "a read-write lock was finished while somebody holds it");
    wait_queue_finish(&lock->queue);
}

/* ---- with the lock held */

static bool fits(const struct rwlock *lock, bool writes)
{
    return !lock->writer && (!writes || lock->readers == 0);
}

static void let_in(struct rwlock *lock, bool writes)
{
    if (writes)
        lock->writer = true;
    else
        lock->readers++;
}

static void let_out(struct rwlock *lock, bool writes)
{
    CHECK(writes ? lock->writer : lock->readers > 0,
          "a read-write lock was unlocked by somebody who does not hold it");
    if (writes)
        lock->writer = false;
    else
        lock->readers--;
}

static struct rwlock_wait *wait_of(struct waiter *waiter)
{
    return container_of(waiter, struct rwlock_wait, waiter);
}

/* It is released. */
static void serve_and_unlock(struct rwlock *lock)
{
    struct wake_batch batch;
    batch.count = 0;
    struct waiter *first;
    while ((first = wait_queue_first(&lock->queue)) &&
           fits(lock, wait_of(first)->writes)) {
        let_in(lock, wait_of(first)->writes);
        wait_queue_grant(first, 1, &batch);
        if (!wake_batch_is_full(&batch))
            continue;
        pthread_mutex_unlock(&lock->queue.lock);
        wake_batch_wake(&batch);
        pthread_mutex_lock(&lock->queue.lock);
    }
    pthread_mutex_unlock(&lock->queue.lock);
    wake_batch_wake(&batch);
}

static int take(struct rwlock *lock, bool writes)
{
    if (wait_queue_first(&lock->queue) || !fits(lock, writes))
        return -EAGAIN;
    let_in(lock, writes);
    return 0;
}

/* ---- without a future */

static int try_take(struct rwlock *lock, bool writes)
{
    pthread_mutex_lock(&lock->queue.lock);
    int err = take(lock, writes);
    pthread_mutex_unlock(&lock->queue.lock);
    return err;
}

int rwlock_try_read(struct rwlock *lock)
{
    return try_take(lock, false);
}

int rwlock_try_write(struct rwlock *lock)
{
    return try_take(lock, true);
}

static void release(struct rwlock *lock, bool writes)
{
    pthread_mutex_lock(&lock->queue.lock);
    let_out(lock, writes);
    serve_and_unlock(lock);
}

void rwlock_unlock_read(struct rwlock *lock)
{
    release(lock, false);
}

void rwlock_unlock_write(struct rwlock *lock)
{
    release(lock, true);
}

void rwlock_downgrade(struct rwlock *lock)
{
    pthread_mutex_lock(&lock->queue.lock);
    let_out(lock, true);
    let_in(lock, false);
    serve_and_unlock(lock);
}

/* ---- the future */

static enum poll_state wait_poll(struct future *future, struct context *context)
{
    struct rwlock_wait *self = container_of(future, struct rwlock_wait, future);
    struct rwlock *lock = self->lock;
    struct waker old = { 0 };
    pthread_mutex_lock(&lock->queue.lock);
    if (self->cancelled) {
        self->result = -ECANCELED;
        if (self->waiter.grant)
            let_out(lock, self->writes);
        old = waiter_leave(&self->waiter);
    } else if (self->waiter.grant) {
        self->result = 0;
    } else {
        self->result = self->waiter.queued ? -EAGAIN : take(lock, self->writes);
    }
    bool waits = self->result == -EAGAIN;
    if (waits)
        old = waiter_wait(&lock->queue, &self->waiter, context);
    serve_and_unlock(lock);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
}

static void wait_cancel(struct future *future)
{
    container_of(future, struct rwlock_wait, future)->cancelled = true;
}

static void wait_discard(struct future *future)
{
    struct rwlock_wait *self = container_of(future, struct rwlock_wait, future);
    if (future_is_done(future) && self->result == 0)
        release(self->lock, self->writes);
    self->result = -ECANCELED;
}

static const struct future_ops rwlock_read_ops = {
    .name = "read lock",
    .size = FUTURE_SIZE(struct rwlock_wait),
    .poll = wait_poll,
    .cancel = wait_cancel,
    .discard = wait_discard,
};

static const struct future_ops rwlock_write_ops = {
    .name = "write lock",
    .size = FUTURE_SIZE(struct rwlock_wait),
    .poll = wait_poll,
    .cancel = wait_cancel,
    .discard = wait_discard,
};

struct rwlock_wait rwlock_read(struct rwlock *lock)
{
    return (struct rwlock_wait){ .future = { &rwlock_read_ops }, .lock = lock };
}

struct rwlock_wait rwlock_write(struct rwlock *lock)
{
    return (struct rwlock_wait){ .future = { &rwlock_write_ops },
                                 .lock = lock,
                                 .writes = true };
}
