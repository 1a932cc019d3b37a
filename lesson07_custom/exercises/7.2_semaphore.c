/* Exercise 7.2: A semaphore that loses no permit.
 * What to do stands in 7.2_semaphore.md. */
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

#include "common/todo.h"

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
    /* Yours: grants from the front, wakes after unlocking */
    EXERCISE_TODO("7.2", semaphore, acquire_of);
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
    /* Yours: 0, -EAGAIN or -EPIPE */
    EXERCISE_TODO("7.2", semaphore, wanted);
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

static enum poll_state acquire_poll(struct future *future, struct context *context)
{
    struct semaphore_acquire *self =
        container_of(future, struct semaphore_acquire, future);
    /* Yours: cancelled, granted, in line, or new */
    EXERCISE_TODO("7.2", self, context);
}

static void acquire_cancel(struct future *future)
{
    container_of(future, struct semaphore_acquire, future)->cancelled = true;
}

static void acquire_discard(struct future *future)
{
    struct semaphore_acquire *self =
        container_of(future, struct semaphore_acquire, future);
    /* Yours: nobody will look at this output */
    EXERCISE_TODO("7.2", self);
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
