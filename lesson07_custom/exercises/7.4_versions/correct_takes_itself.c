/* rwlock, made in another way: nobody is let in by somebody else.
 *
 * Who waits stays in line until its own poll takes the lock. Whoever makes room tells
 * those at the front who may go in now, each once, and leaves the rest to them. So
 * between the telling and the poll the lock is free, and only the line keeps others
 * out: a new one passes nobody who wants something else. Invariant, whenever the lock
 * is free: all those at the front of the line who may go in have been told, and stay
 * told until they go in or are cancelled. */
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

static struct rwlock_wait *wait_of_link(struct list *link)
{
    return container_of(link, struct rwlock_wait, waiter.link);
}

/* ---- with the lock held */

/* self NULL: it is not in line, so all who are stand before it. */
static bool may_go_in(struct rwlock *lock, const struct rwlock_wait *self, bool writes)
{
    if (lock->writer || (writes && lock->readers > 0))
        return false;
    for (struct list *link = lock->queue.waiters.next; link != &lock->queue.waiters;
         link = link->next) {
        if (wait_of_link(link) == self)
            return true;
        if (writes || wait_of_link(link)->writes)
            return false;
    }
    return true;
}

static bool take(struct rwlock *lock, const struct rwlock_wait *self, bool writes)
{
    if (!may_go_in(lock, self, writes))
        return false;
    lock->writer = writes;
    lock->readers += !writes;
    return true;
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

/* The first in line who may go in and does not know; NULL: there is none. */
static struct rwlock_wait *first_untold(struct rwlock *lock)
{
    for (struct list *link = lock->queue.waiters.next; link != &lock->queue.waiters;
         link = link->next) {
        struct rwlock_wait *wait = wait_of_link(link);
        if (!may_go_in(lock, wait, wait->writes))
            return NULL;
        if (!wait->waiter.grant)
            return wait;
    }
    return NULL;
}

/* The lock is released. */
static void tell_and_unlock(struct rwlock *lock)
{
    struct rwlock_wait *wait;
    while ((wait = first_untold(lock))) {
        wait->waiter.grant = 1;
        struct waker waker = waker_take(&wait->waiter.waker);
        pthread_mutex_unlock(&lock->queue.lock);
        waker_wake(&waker);
        pthread_mutex_lock(&lock->queue.lock);
    }
    pthread_mutex_unlock(&lock->queue.lock);
}

/* ---- without a future */

static int try_take(struct rwlock *lock, bool writes)
{
    pthread_mutex_lock(&lock->queue.lock);
    bool taken = take(lock, NULL, writes);
    pthread_mutex_unlock(&lock->queue.lock);
    return taken ? 0 : -EAGAIN;
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
    tell_and_unlock(lock);
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
    lock->readers++;
    tell_and_unlock(lock);
}

/* ---- the future */

static enum poll_state wait_poll(struct future *future, struct context *context)
{
    struct rwlock_wait *self = container_of(future, struct rwlock_wait, future);
    struct rwlock *lock = self->lock;
    struct waker old;
    pthread_mutex_lock(&lock->queue.lock);
    self->result = self->cancelled ? -ECANCELED : -EAGAIN;
    if (!self->cancelled && take(lock, self->waiter.queued ? self : NULL, self->writes))
        self->result = 0;
    bool waits = self->result == -EAGAIN;
    old = waits ? waiter_wait(&lock->queue, &self->waiter, context)
                : waiter_leave(&self->waiter);
    tell_and_unlock(lock);
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
