/* barrier: the last to arrive opens, and a new round begins in the same instant.
 *
 * Problem: those of this round are woken one by one, and the first of them may arrive
 * again before the last has been told. Idea: rounds have numbers. A waiter is through
 * when its round is no longer the present one, whether it was granted already or not.
 * Invariant: arrived counts those who wait in the present round, so it is below
 * parties whenever the lock is free. */
#include "lesson07_custom/barrier.h"

#include <errno.h>

int barrier_init(struct barrier *barrier, unsigned parties)
{
    *barrier = (struct barrier){ .parties = parties };
    if (parties == 0)
        return -EINVAL;
    wait_queue_init(&barrier->queue);
    return 0;
}

void barrier_finish(struct barrier *barrier)
{
    if (barrier)
        wait_queue_finish(&barrier->queue);
}

/* With the lock held: -EAGAIN: others are still missing. */
static int arrive(struct barrier_wait *self)
{
    struct barrier *barrier = self->barrier;
    self->round = barrier->round;
    if (++barrier->arrived < barrier->parties)
        return -EAGAIN;
    barrier->arrived = 0;
    barrier->round++;
    return 1;
}

/* With the lock held. */
static int look(struct barrier_wait *self)
{
    struct barrier *barrier = self->barrier;
    bool arrived = self->waiter.queued || self->waiter.grant;
    if (arrived && self->round != barrier->round)
        return 0;
    if (self->cancelled) {
        barrier->arrived -= arrived;
        return -ECANCELED;
    }
    return arrived ? -EAGAIN : arrive(self);
}

static enum poll_state wait_poll(struct future *future, struct context *context)
{
    struct barrier_wait *self = container_of(future, struct barrier_wait, future);
    struct barrier *barrier = self->barrier;
    pthread_mutex_lock(&barrier->queue.lock);
    self->result = look(self);
    bool waits = self->result == -EAGAIN;
    struct waker old = waits ? waiter_wait(&barrier->queue, &self->waiter, context)
                             : waiter_leave(&self->waiter);
    if (self->result == 1)
        wait_queue_grant_all(&barrier->queue, 1);
    pthread_mutex_unlock(&barrier->queue.lock);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
}

static void wait_cancel(struct future *future)
{
    container_of(future, struct barrier_wait, future)->cancelled = true;
}

static const struct future_ops barrier_wait_ops = {
    .name = "barrier",
    .size = FUTURE_SIZE(struct barrier_wait),
    .poll = wait_poll,
    .cancel = wait_cancel,
};

struct barrier_wait barrier_wait(struct barrier *barrier)
{
    return (struct barrier_wait){ .future = { &barrier_wait_ops }, .barrier = barrier };
}
