/* A second solution of exercise 7.2. Nobody takes permits but from the line: who asks
 * gets in line first, without a waker, and then the line is served, as after a release.
 * Each waiter is woken by itself, with the lock released in between, and no batch is
 * kept. */
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
    for (;;) {
        struct waiter *first = wait_queue_first(&semaphore->queue);
        if (!first || acquire_of(first)->wanted > semaphore->permits)
            break;
        semaphore->permits -= acquire_of(first)->wanted;
        struct waker waker = wait_queue_grant_one(first, ACQUIRED);
        pthread_mutex_unlock(&semaphore->queue.lock);
        waker_wake(&waker);
        pthread_mutex_lock(&semaphore->queue.lock);
    }
    pthread_mutex_unlock(&semaphore->queue.lock);
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
    bool others_wait = wait_queue_first(&semaphore->queue) != NULL;
    if (semaphore->closed)
        return -EPIPE;
    if (others_wait || wanted > semaphore->permits)
        return -EAGAIN;
    semaphore->permits -= wanted;
    return 0;
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

/* Cancelled: whatever it has goes back, and the line is served with it. */
static enum poll_state leave(struct semaphore_acquire *self)
{
    struct semaphore *semaphore = self->semaphore;
    pthread_mutex_lock(&semaphore->queue.lock);
    bool had_permits = !self->waiter.queued && self->waiter.grant == ACQUIRED;
    struct waker old = waiter_leave(&self->waiter);
    semaphore->permits += had_permits ? self->wanted : 0;
    self->result = -ECANCELED;
    serve_and_unlock(semaphore);
    waker_drop(&old);
    return POLL_READY;
}

static enum poll_state acquire_poll(struct future *future, struct context *context)
{
    struct semaphore_acquire *self =
        container_of(future, struct semaphore_acquire, future);
    static const struct context nobody = { 0 };
    struct semaphore *semaphore = self->semaphore;
    struct waiter *waiter = &self->waiter;
    struct waker old = { 0 };
    if (self->cancelled)
        return leave(self);
    pthread_mutex_lock(&semaphore->queue.lock);
    if (!waiter->queued && !waiter->grant && semaphore->closed) {
        waiter->grant = CLOSED;
    } else if (!waiter->queued && !waiter->grant) {
        waiter_wait(&semaphore->queue, waiter, &nobody);
        /* Who stood in line before does not fit, so only this one may. */
        if (wait_queue_first(&semaphore->queue) == waiter &&
            self->wanted <= semaphore->permits) {
            semaphore->permits -= self->wanted;
            wait_queue_grant_one(waiter, ACQUIRED);
        }
    }
    if (!waiter->grant)
        old = waiter_wait(&semaphore->queue, waiter, context);
    unsigned grant = waiter->grant;
    pthread_mutex_unlock(&semaphore->queue.lock);
    waker_drop(&old);
    if (!grant)
        return POLL_PENDING;
    self->result = grant == ACQUIRED ? 0 : -EPIPE;
    return POLL_READY;
}

static void acquire_cancel(struct future *future)
{
    container_of(future, struct semaphore_acquire, future)->cancelled = true;
}

static void acquire_discard(struct future *future)
{
    struct semaphore_acquire *self =
        container_of(future, struct semaphore_acquire, future);
    bool holds = future_is_done(future) && self->result == 0;
    self->result = -ECANCELED;
    if (holds)
        semaphore_release(self->semaphore, self->wanted);
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
