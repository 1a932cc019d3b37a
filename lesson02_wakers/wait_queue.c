/* wait_queue: a line of waiters, and wakes that happen after the lock.
 *
 * Problem: waking a task may take another lock (its executor's inbox), and a waker from
 * elsewhere may do anything; under our lock that would order the locks of people who do
 * not know each other (W6). But once the lock is released, a waiter that was granted may
 * be polled, be READY, and be gone with its frame. Idea: while the lock is held, move
 * the wakers - two words each - out of the frames into a batch on our own stack, and
 * wake them afterwards. Invariant: no function of a waker but clone is called with the
 * lock held, and no waiter is touched after its grant was published by the unlock.
 *
 * Source: the shape is that of the wait lists in Tokio's Notify and batch semaphore. */
#include "lesson02_wakers/wait_queue.h"

void wait_queue_init(struct wait_queue *queue)
{
    queue->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    list_init(&queue->waiters);
}

void wait_queue_finish(struct wait_queue *queue)
{
    if (!queue || !queue->waiters.next)
        return;
    CHECK(list_empty(&queue->waiters),
          "a lock, notify or channel was finished while a future waits for it");
    pthread_mutex_destroy(&queue->lock);
}

struct waiter *wait_queue_first(const struct wait_queue *queue)
{
    if (list_empty(&queue->waiters))
        return NULL;
    return container_of(queue->waiters.next, struct waiter, link);
}

struct waker waiter_wait(struct wait_queue *queue, struct waiter *waiter,
                         const struct context *context)
{
    static const struct waker nobody = { 0 };
    const struct waker *offered = context->waker ? context->waker : &nobody;
    if (!waiter->queued) {
        list_push_back(&queue->waiters, &waiter->link);
        waiter->queued = true;
    } else if (waker_same(&waiter->waker, offered)) {
        return nobody;
    }
    struct waker old = waker_take(&waiter->waker);
    waiter->waker = waker_clone(offered);
    return old;
}

struct waker waiter_leave(struct waiter *waiter)
{
    if (!waiter->queued)
        return (struct waker){ 0 };
    list_remove(&waiter->link);
    waiter->queued = false;
    return waker_take(&waiter->waker);
}

struct waker wait_queue_grant_one(struct waiter *waiter, unsigned grant)
{
    CHECK(waiter->queued && grant, "a waiter that is not in line was granted");
    waiter->grant = grant;
    return waiter_leave(waiter);
}

void wait_queue_grant(struct waiter *waiter, unsigned grant, struct wake_batch *batch)
{
    CHECK(!wake_batch_is_full(batch), "a batch holds %d wakers", WAKE_BATCH);
    batch->wakers[batch->count++] = wait_queue_grant_one(waiter, grant);
}

void wake_batch_wake(struct wake_batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++)
        waker_wake(&batch->wakers[i]);
    batch->count = 0;
}

void wait_queue_grant_all(struct wait_queue *queue, unsigned grant)
{
    /* A line of our own: whoever queues up while the lock is released is not in it, and
     * who leaves it (a cancel) unlinks itself wherever it stands, under the lock. */
    struct list line;
    struct wake_batch batch;
    batch.count = 0;
    list_init(&line);
    list_splice_back(&line, &queue->waiters);
    while (!list_empty(&line)) {
        wait_queue_grant(container_of(line.next, struct waiter, link), grant, &batch);
        if (!wake_batch_is_full(&batch) && !list_empty(&line))
            continue;
        pthread_mutex_unlock(&queue->lock);
        wake_batch_wake(&batch);
        pthread_mutex_lock(&queue->lock);
    }
}
