/* wait_queue: futures that wait in line, for locks, permits and messages to be built on.
 *
 * A primitive (notify.h, mutex.h; lesson 7's semaphore, channels, ...) has a few words of
 * state and a line of futures that wait for it. Both are guarded by the queue's lock,
 * a plain mutex held for a few instructions and never across a poll. A waiter stands in
 * its future's own frame, so that waiting allocates nothing; F4 (a polled future is
 * polled until READY) keeps that frame in place.
 *
 *        waiter_wait                wait_queue_grant
 *   NEW ------------> QUEUED ----------------------------> GRANTED
 *    ^                  |                                     |
 *    |   waiter_leave   |          the future's next poll sees it and is READY;
 *    +------------------+          if it was cancelled meanwhile, it keeps the grant
 *                                  or passes it on (RULES W9)
 *
 * How the giving side goes (see notify.c for a whole example):
 *     struct wake_batch batch;
 *     batch.count = 0;                     // and not { 0 }: that writes 264 bytes
 *     pthread_mutex_lock(&queue->lock);
 *     ... change the state; wait_queue_grant(waiter, 1, &batch); ...
 *     pthread_mutex_unlock(&queue->lock);
 *     wake_batch_wake(&batch);             // W6: after unlocking
 * And a poll of the waiting side:
 *     pthread_mutex_lock(&queue->lock);
 *     if (waiter->grant) ...               // READY, or passed on when cancelled
 *     else if (cancelled) old = waiter_leave(waiter);
 *     else old = waiter_wait(queue, waiter, context);
 *     pthread_mutex_unlock(&queue->lock);
 *     waker_drop(&old);                    // outside: it may free a task
 *
 * Ownership: the queue borrows its waiters; a waiter owns its waker. Threads: any, with
 * the lock held where it says so. */
#ifndef LESSON02_WAIT_QUEUE_H
#define LESSON02_WAIT_QUEUE_H

#include <pthread.h>

#include "common/list.h"
#include "lesson02_wakers/waker.h"

struct wait_queue {
    pthread_mutex_t lock; /* also guards the state of the primitive built on it */
    struct list waiters;  /* borrows: guarded by lock; the longest waiting one first */
};

/* {0} is a waiter that is not in line yet. All fields: guarded by the queue's lock. */
struct waiter {
    struct list link;
    struct waker waker; /* owns while QUEUED */
    bool queued;
    unsigned grant; /* 0: none yet; else what the giving side gave, its own number */
};

/* Wakers to be woken once the lock is released. Empty when count is 0. */
#define WAKE_BATCH 16
struct wake_batch {
    unsigned count;
    struct waker wakers[WAKE_BATCH]; /* owns */
};

/* Cannot fail. */
void wait_queue_init(struct wait_queue *queue);

/* Nobody may be waiting any more. Accepts NULL and zeroed. */
void wait_queue_finish(struct wait_queue *queue);

/* ---- with the lock held */

/* The one that waits longest, still in line; NULL: nobody. */
struct waiter *wait_queue_first(const struct wait_queue *queue);

/* Gets in line, at its end, with a clone of the context's waker; one that is in line
 * already keeps its place, and its waker is renewed (W7). Returns the waker it had
 * before: to be dropped after unlocking. */
struct waker waiter_wait(struct wait_queue *queue, struct waiter *waiter,
                         const struct context *context);

/* Gets out of line. Returns its waker, to be dropped after unlocking. */
struct waker waiter_leave(struct waiter *waiter);

/* Takes a waiter out of line, notes what it gets (not 0), and answers its waker, to be
 * woken after unlocking. After the lock is released the waiter's memory may be gone at
 * any moment. */
struct waker wait_queue_grant_one(struct waiter *waiter, unsigned grant);

/* The same into a batch, which must not be full. */
void wait_queue_grant(struct waiter *waiter, unsigned grant, struct wake_batch *batch);

static inline bool wake_batch_is_full(const struct wake_batch *batch)
{
    return batch->count == WAKE_BATCH;
}

/* ---- with the lock not held */

/* Wakes all of the batch, which is empty afterwards. */
void wake_batch_wake(struct wake_batch *batch);

/* ---- for many at once. The lock is held before and after, and released in between,
 * while wakers are woken. */

/* Grants everybody who is in line now; who comes meanwhile is not among them. */
void wait_queue_grant_all(struct wait_queue *queue, unsigned grant);

#endif
