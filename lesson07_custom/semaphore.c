/* semaphore: permits are handed over, never thrown into the crowd.
 *
 * Problem: if a release only adds to a counter and wakes somebody, a task that happens to
 * run takes the permit first; the woken one waits again, perhaps for ever. Idea: whoever
 * releases serves the line itself - it takes the permits out of the counter in the name
 * of the first in line, and grants them. The waiter then owns them, polled or not; so
 * one that was cancelled meanwhile must give them back, which serves the next (W9).
 *
 * Invariant, whenever the lock is free: the first in line wants more than there is. That
 * also holds when the first one leaves: so leaving serves the line, too.
 *
 * Source: the shape of Tokio's batch semaphore. */
#include "lesson07_custom/semaphore.h"

#include <errno.h>

enum { ACQUIRED = 1, CLOSED = 2 }; /* grants */

void semaphore_init(struct semaphore *semaphore, size_t permits)
{
    *semaphore = (struct semaphore){ .permits = permits };
    wait_queue_init(&semaphore->queue);
}

void semaphore_finish(struct semaphore *semaphore)
{
    if (semaphore)
        wait_queue_finish(&semaphore->queue);
}

static struct semaphore_acquire *acquire_of(struct waiter *waiter)
{
    return container_of(waiter, struct semaphore_acquire, waiter);
}

/* With the lock held; it is released. */
static void serve_and_unlock(struct semaphore *semaphore)
{
    /* exercise 7.2 { */
    struct waiter *first;
    struct wake_batch batch;
    batch.count = 0;
    while ((first = wait_queue_first(&semaphore->queue)) &&
           acquire_of(first)->wanted <= semaphore->permits) {
        semaphore->permits -= acquire_of(first)->wanted;
        wait_queue_grant(first, ACQUIRED, &batch);
        if (!wake_batch_is_full(&batch))
            continue;
        pthread_mutex_unlock(&semaphore->queue.lock);
        wake_batch_wake(&batch);
        pthread_mutex_lock(&semaphore->queue.lock);
    }
    pthread_mutex_unlock(&semaphore->queue.lock);
    wake_batch_wake(&batch);
    /* } exercise 7.2: (semaphore, acquire_of) grants from the front, wakes after unlocking */
}

void semaphore_release(struct semaphore *semaphore, size_t permits)
{
    pthread_mutex_lock(&semaphore->queue.lock);
    CHECK(permits <= SIZE_MAX - semaphore->permits,
          "more permits released than a semaphore can count");
    semaphore->permits += permits;
    serve_and_unlock(semaphore);
}

/* With the lock held. */
static int take(struct semaphore *semaphore, size_t wanted)
{
    /* exercise 7.2 { */
    if (semaphore->closed)
        return -EPIPE;
    if (wait_queue_first(&semaphore->queue) || semaphore->permits < wanted)
        return -EAGAIN;
    semaphore->permits -= wanted;
    return 0;
    /* } exercise 7.2: (semaphore, wanted) 0, -EAGAIN or -EPIPE */
}

int semaphore_try_acquire(struct semaphore *semaphore, size_t permits)
{
    pthread_mutex_lock(&semaphore->queue.lock);
    int err = take(semaphore, permits);
    pthread_mutex_unlock(&semaphore->queue.lock);
    return err;
}

void semaphore_close(struct semaphore *semaphore)
{
    pthread_mutex_lock(&semaphore->queue.lock);
    semaphore->closed = true;
    wait_queue_grant_all(&semaphore->queue, CLOSED);
    pthread_mutex_unlock(&semaphore->queue.lock);
}

size_t semaphore_available(struct semaphore *semaphore)
{
    pthread_mutex_lock(&semaphore->queue.lock);
    size_t permits = semaphore->permits;
    pthread_mutex_unlock(&semaphore->queue.lock);
    return permits;
}

/* ---- the future */

/* exercise 7.2 { */
/* With the lock held: a cancelled one gives up its place, or what it was given. */
static int give_up(struct semaphore_acquire *self, struct waker *old)
{
    if (self->waiter.grant == ACQUIRED)
        self->semaphore->permits += self->wanted;
    *old = waiter_leave(&self->waiter);
    return -ECANCELED;
}
/* } exercise 7.2 */

static enum poll_state acquire_poll(struct future *future, struct context *context)
{
    struct semaphore_acquire *self =
        container_of(future, struct semaphore_acquire, future);
    /* exercise 7.2 { */
    struct semaphore *semaphore = self->semaphore;
    struct waker old = { 0 };
    pthread_mutex_lock(&semaphore->queue.lock);
    if (self->cancelled)
        self->result = give_up(self, &old);
    else if (self->waiter.grant)
        self->result = self->waiter.grant == ACQUIRED ? 0 : -EPIPE;
    else if (self->waiter.queued)
        self->result = -EAGAIN;
    else
        self->result = take(semaphore, self->wanted);
    bool waits = self->result == -EAGAIN;
    if (waits)
        old = waiter_wait(&semaphore->queue, &self->waiter, context);
    serve_and_unlock(semaphore);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
    /* } exercise 7.2: (self, context) cancelled, granted, in line, or new */
}

static void acquire_cancel(struct future *future)
{
    container_of(future, struct semaphore_acquire, future)->cancelled = true;
}

static void acquire_discard(struct future *future)
{
    struct semaphore_acquire *self =
        container_of(future, struct semaphore_acquire, future);
    /* exercise 7.2 { */
    if (future_is_done(future) && self->result == 0)
        semaphore_release(self->semaphore, self->wanted);
    self->result = -ECANCELED;
    /* } exercise 7.2: (self) nobody will look at this output */
}

static const struct future_ops semaphore_acquire_ops = {
    .name = "acquire of a semaphore",
    .size = FUTURE_SIZE(struct semaphore_acquire),
    .poll = acquire_poll,
    .cancel = acquire_cancel,
    .discard = acquire_discard,
};

struct semaphore_acquire semaphore_acquire(struct semaphore *semaphore, size_t permits)
{
    return (struct semaphore_acquire){ .future = { &semaphore_acquire_ops },
                                       .semaphore = semaphore,
                                       .wanted = permits };
}
