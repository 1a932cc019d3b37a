/* notify: another correct version than the lesson's, to try a test on.
 *
 * What is different: a cancel acts at once. It takes the waiter out of line and passes
 * its permit on, before the waiter is polled again; the poll that follows only reports.
 * And wakers are moved out of the line and woken one by one, not in batches. */
#include "lesson02_wakers/notify.h"

#include <errno.h>

enum { BY_ONE = 1, BY_ALL = 2 };

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

/* The lock is held. The waker is to be woken after unlocking. */
static struct waker one_more(struct notify *notify)
{
    struct waiter *first = wait_queue_first(&notify->queue);
    if (first)
        return wait_queue_grant_one(first, BY_ONE);
    notify->permit = true;
    return (struct waker){ 0 };
}

void notify_one(struct notify *notify)
{
    pthread_mutex_lock(&notify->queue.lock);
    struct waker chosen = one_more(notify);
    pthread_mutex_unlock(&notify->queue.lock);
    waker_wake(&chosen);
}

void notify_all(struct notify *notify)
{
    struct list line;
    list_init(&line);
    pthread_mutex_lock(&notify->queue.lock);
    /* release: pairs with the acquire in notify_wait */
    atomic_fetch_add_explicit(&notify->rounds, 1, memory_order_release);
    list_splice_back(&line, &notify->queue.waiters);
    while (!list_empty(&line)) {
        struct waiter *next = container_of(line.next, struct waiter, link);
        struct waker waker = wait_queue_grant_one(next, BY_ALL);
        pthread_mutex_unlock(&notify->queue.lock);
        waker_wake(&waker);
        pthread_mutex_lock(&notify->queue.lock);
    }
    pthread_mutex_unlock(&notify->queue.lock);
}

/* ---- the future */

/* Has it been told? The lock is held. */
static bool is_told(struct notify_wait *self)
{
    struct notify *notify = self->notify;
    if (self->waiter.grant || self->waiter.queued) {
        self->permit = self->waiter.grant == BY_ONE;
        return self->waiter.grant != 0;
    }
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
    if (self->cancelled)
        return POLL_READY;
    pthread_mutex_lock(&queue->lock);
    bool told = is_told(self);
    if (!told)
        old = waiter_wait(queue, &self->waiter, context);
    pthread_mutex_unlock(&queue->lock);
    waker_drop(&old);
    return told ? POLL_READY : POLL_PENDING;
}

static void wait_cancel(struct future *future)
{
    struct notify_wait *self = container_of(future, struct notify_wait, future);
    struct waker next = { 0 };
    if (self->cancelled)
        return;
    self->cancelled = true;
    pthread_mutex_lock(&self->notify->queue.lock);
    struct waker mine = waiter_leave(&self->waiter);
    self->result = self->waiter.grant == BY_ALL ? 0 : -ECANCELED;
    if (self->waiter.grant == BY_ONE)
        next = one_more(self->notify);
    pthread_mutex_unlock(&self->notify->queue.lock);
    waker_drop(&mine);
    waker_wake(&next);
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
