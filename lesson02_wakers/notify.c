/* notify: a line of waiters and one permit.
 *
 * Problem: a permit that was given to one waiter must not vanish with it. If the waiter
 * is cancelled between the grant and its next poll, nobody else is told, and a program
 * that counts on "one notify, one wait ends" stands still (RULES W9; real runtimes had
 * this bug more than once). Idea: the grant says where it came from; a cancelled waiter
 * that finds ONE in its hands gives it to the next in line, or back. Invariant: there is
 * a permit only while nobody waits, and each notify_one has ended one wait, or is the
 * permit, or was merged into it. */
#include "lesson02_wakers/notify.h"

#include <errno.h>

enum { GRANT_ONE = 1, GRANT_ALL = 2 };

void notify_init(struct notify *notify)
{
    wait_queue_init(&notify->queue);
    notify->permit = false;
    atomic_init(&notify->rounds, 0);
}

void notify_finish(struct notify *notify)
{
    if (notify)
        wait_queue_finish(&notify->queue);
}

/* The lock is held. */
static void give_one(struct notify *notify, struct wake_batch *batch)
{
    struct waiter *first = wait_queue_first(&notify->queue);
    if (first)
        wait_queue_grant(first, GRANT_ONE, batch);
    else
        notify->permit = true;
}

void notify_one(struct notify *notify)
{
    struct wake_batch batch;
    batch.count = 0;
    pthread_mutex_lock(&notify->queue.lock);
    give_one(notify, &batch);
    pthread_mutex_unlock(&notify->queue.lock);
    wake_batch_wake(&batch);
}

void notify_all(struct notify *notify)
{
    pthread_mutex_lock(&notify->queue.lock);
    /* release: pairs with the acquire in notify_wait, so that who is constructed after
     * this round sees what was written before it */
    atomic_fetch_add_explicit(&notify->rounds, 1, memory_order_release);
    wait_queue_grant_all(&notify->queue, GRANT_ALL);
    pthread_mutex_unlock(&notify->queue.lock);
}

/* ---- the future */

/* The first poll: has what it waits for come already? The lock is held. */
static bool came_before(struct notify_wait *self)
{
    struct notify *notify = self->notify;
    if (self->waiter.queued)
        return false;
    if (atomic_load_explicit(&notify->rounds, memory_order_relaxed) != self->round)
        return true;
    self->permit = notify->permit;
    notify->permit = false;
    return self->permit;
}

static enum poll_state wait_poll(struct future *future, struct context *context)
{
    struct notify_wait *self = container_of(future, struct notify_wait, future);
    struct wait_queue *queue = &self->notify->queue;
    struct waker old = { 0 };
    struct wake_batch batch;
    enum poll_state state = POLL_READY;
    batch.count = 0;
    pthread_mutex_lock(&queue->lock);
    if (self->cancelled) {
        old = waiter_leave(&self->waiter);
        self->result = self->waiter.grant == GRANT_ALL ? 0 : -ECANCELED;
        if (self->waiter.grant == GRANT_ONE)
            give_one(self->notify, &batch);
    } else if (self->waiter.grant) {
        self->permit = self->waiter.grant == GRANT_ONE;
    } else if (!came_before(self)) {
        old = waiter_wait(queue, &self->waiter, context);
        state = POLL_PENDING;
    }
    pthread_mutex_unlock(&queue->lock);
    waker_drop(&old);
    wake_batch_wake(&batch);
    return state;
}

static void wait_cancel(struct future *future)
{
    container_of(future, struct notify_wait, future)->cancelled = true;
}

static void wait_discard(struct future *future)
{
    struct notify_wait *self = container_of(future, struct notify_wait, future);
    if (self->permit)
        notify_one(self->notify);
}

static const struct future_ops notify_wait_ops = {
    .name = "wait for a notify",
    .size = FUTURE_SIZE(struct notify_wait),
    .poll = wait_poll,
    .cancel = wait_cancel,
    .discard = wait_discard,
};

struct notify_wait notify_wait(struct notify *notify)
{
    return (struct notify_wait){
        .future = { &notify_wait_ops },
        .notify = notify,
        /* acquire: pairs with the release in notify_all */
        .round = atomic_load_explicit(&notify->rounds, memory_order_acquire),
    };
}
