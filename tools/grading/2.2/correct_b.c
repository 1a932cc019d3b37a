/* oneshot: the second correct solution of exercise 2.2.
 *
 * Another design than the lesson's: one mutex, and everything under it is plain. The
 * waker lies in the block itself; it is moved out under the lock and woken or dropped
 * after it (W6), and nothing of the block is touched once our end is counted down. A
 * local one is as a shared one. */
#include "lesson02_wakers/oneshot.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "lesson02_wakers/task_home.h"

enum stage { EMPTY, SENT, OVER };

struct oneshot {
    uint32_t life; /* the slab's, and never set */
    pthread_mutex_t lock;
    /* guarded by lock */
    enum stage stage;
    bool closed;
    int ends;
    void *value;
    struct waker waiting;
    /* immutable */
    void (*dispose)(void *value);
    bool in_slab;
};

int oneshot_create(struct oneshot_sender *sender, struct oneshot_receiver *receiver,
                   void (*dispose)(void *value))
{
    struct task_home *home = TLS(task_home_here);
    struct oneshot *shared =
        home ? slab_alloc(&home->slab, sizeof *shared) : malloc(sizeof *shared);
    if (!shared)
        return -ENOMEM;
    shared->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    shared->stage = EMPTY;
    shared->closed = false;
    shared->ends = 2;
    shared->waiting = (struct waker){ 0 };
    shared->dispose = dispose;
    shared->in_slab = home != NULL;
    sender->shared = shared;
    receiver->shared = shared;
    return 0;
}

int oneshot_create_local(struct oneshot_sender *sender,
                         struct oneshot_receiver *receiver,
                         void (*dispose)(void *value))
{
    return oneshot_create(sender, receiver, dispose);
}

/* Unlocks; the last end takes the block down. */
static void leave(struct oneshot *shared)
{
    bool last = --shared->ends == 0;
    bool in_slab = shared->in_slab;
    pthread_mutex_unlock(&shared->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&shared->lock);
    if (in_slab)
        slab_free(shared);
    else
        free(shared);
}

/* The sender's end: with a value, or without one. */
static int end_of_sender(struct oneshot *shared, enum stage to, void *value)
{
    struct waker waiting = { 0 };
    int result = -EPIPE;
    pthread_mutex_lock(&shared->lock);
    if (!shared->closed) {
        shared->stage = to;
        shared->value = value;
        waiting = waker_take(&shared->waiting);
        result = 0;
    }
    leave(shared);
    waker_wake(&waiting);
    return result;
}

int oneshot_send(struct oneshot_sender *sender, void *value)
{
    struct oneshot *shared = sender->shared;
    CHECK(shared, "a oneshot's sender was used twice");
    sender->shared = NULL;
    return end_of_sender(shared, SENT, value);
}

bool oneshot_is_closed(const struct oneshot_sender *sender)
{
    pthread_mutex_lock(&sender->shared->lock);
    bool closed = sender->shared->closed;
    pthread_mutex_unlock(&sender->shared->lock);
    return closed;
}

void oneshot_sender_drop(struct oneshot_sender *sender)
{
    if (!sender->shared)
        return;
    end_of_sender(sender->shared, OVER, NULL);
    sender->shared = NULL;
}

void oneshot_close(struct oneshot_receiver *receiver)
{
    pthread_mutex_lock(&receiver->shared->lock);
    receiver->shared->closed = true;
    pthread_mutex_unlock(&receiver->shared->lock);
}

/* The lock is held. */
static int look(struct oneshot *shared, void **value)
{
    if (shared->stage == SENT) {
        *value = shared->value;
        shared->stage = OVER;
        return 0;
    }
    return shared->stage == OVER || shared->closed ? -EPIPE : -EAGAIN;
}

int oneshot_try_receive(struct oneshot_receiver *receiver, void **value)
{
    pthread_mutex_lock(&receiver->shared->lock);
    int result = look(receiver->shared, value);
    pthread_mutex_unlock(&receiver->shared->lock);
    return result;
}

void oneshot_receiver_drop(struct oneshot_receiver *receiver)
{
    struct oneshot *shared = receiver->shared;
    void *value;
    if (!shared)
        return;
    oneshot_close(receiver);
    if (oneshot_try_receive(receiver, &value) == 0 && shared->dispose)
        shared->dispose(value);
    receiver->shared = NULL;
    pthread_mutex_lock(&shared->lock);
    struct waker left = waker_take(&shared->waiting);
    leave(shared);
    waker_drop(&left);
}

static enum poll_state receive_poll(struct future *future, struct context *context)
{
    struct oneshot_receive *self = container_of(future, struct oneshot_receive, future);
    struct oneshot *shared = self->receiver->shared;
    CHECK(shared, "a receive on an empty end of a oneshot");
    struct waker mine = waker_clone(context->waker);
    pthread_mutex_lock(&shared->lock);
    struct waker old = waker_take(&shared->waiting);
    self->result = self->cancelled ? -ECANCELED : look(shared, &self->value);
    if (self->result == -EAGAIN)
        shared->waiting = waker_take(&mine);
    pthread_mutex_unlock(&shared->lock);
    waker_drop(&old);
    waker_drop(&mine);
    return self->result == -EAGAIN ? POLL_PENDING : POLL_READY;
}

static void receive_cancel(struct future *future)
{
    container_of(future, struct oneshot_receive, future)->cancelled = true;
}

static void receive_discard(struct future *future)
{
    struct oneshot_receive *self = container_of(future, struct oneshot_receive, future);
    struct oneshot *shared = self->receiver->shared;
    if (future_is_done(future) && self->result == 0 && shared->dispose)
        shared->dispose(self->value);
}

static const struct future_ops oneshot_receive_ops = {
    .name = "receive of a oneshot",
    .size = FUTURE_SIZE(struct oneshot_receive),
    .poll = receive_poll,
    .cancel = receive_cancel,
    .discard = receive_discard,
};

struct oneshot_receive oneshot_receive(struct oneshot_receiver *receiver)
{
    return (struct oneshot_receive){ .future = { &oneshot_receive_ops },
                                     .receiver = receiver };
}
