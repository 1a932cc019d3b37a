/* channel: values in a ring, and two lines in front of it, under one lock.
 *
 * Problem: a value must not be lost or doubled, whatever is cancelled or closed at that
 * moment. Idea: a value is at every instant in exactly one place - the sender's frame,
 * the ring, or the receiver's frame - and each move is made under the lock, together with
 * the note that it was made. The two lines are treated differently:
 *
 *   senders    whoever makes room moves the value of the longest waiting send into the
 *              ring and grants it ("sent"). A cancel that comes later finds the grant, and
 *              the send reports 0: it did happen.
 *   receivers  a new value grants the longest waiting receiver a look ("there is one"),
 *              and the receiver takes it in its own poll. One that was cancelled in
 *              between takes nothing, and passes the look on to the next in line (W9):
 *              a value never sits in a frame that nobody reads.
 *
 * Invariants, whenever the lock is free: a send waits only if the ring is full, so
 * try_send never overtakes; of k values in the ring, k or all waiting receivers have been
 * granted a look, unless somebody who did not wait took their value (then they look,
 * find nothing and wait again). Wakes happen after unlocking (W6). */
#include "lesson07_custom/channel.h"

#include <errno.h>
#include <stdlib.h>

#include "lesson02_wakers/task_home.h"
#include "lesson07_custom/value_ring.h"

enum { LOOK = 1, SENT = 1, CLOSED = 2 }; /* grants */

struct channel {
    void (*drop)(void *value); /* immutable */
    struct wait_queue receivers;
    struct wait_queue senders; /* its own lock is not used */
    bool local;                /* immutable: no locking */
    /* LOCAL: the thread that used it first, and is the only one to use it */
    const struct task_home *home;
    /* guarded by receivers.lock */
    struct value_ring ring;
    void *spare; /* owns: room for one value, to drop it from */
    size_t sender_count;
    size_t shares;
    bool closed;
};

static void lock(struct channel *channel)
{
    if (!channel->local) {
        pthread_mutex_lock(&channel->receivers.lock);
        return;
    }
    if (UNLIKELY(!channel->home))
        channel->home = TLS(task_home_here);
    CHECK(task_home_is_here(channel->home),
          "a LOCAL channel was used on another thread than its own");
}

static void unlock(struct channel *channel)
{
    if (!channel->local)
        pthread_mutex_unlock(&channel->receivers.lock);
}

/* ---- life */

int channel_create(struct channel **channel, const struct channel_config *config)
{
    struct channel *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    int err = value_ring_init(&self->ring, config->capacity, config->value_size);
    if (err < 0)
        goto fail_ring;
    err = -ENOMEM;
    self->spare = malloc(config->value_size);
    if (!self->spare)
        goto fail_spare;
    wait_queue_init(&self->receivers);
    wait_queue_init(&self->senders);
    self->drop = config->drop;
    self->local = config->local;
    self->sender_count = 1;
    self->shares = 2;
    *channel = self;
    return 0;
fail_spare:
    value_ring_finish(&self->ring);
fail_ring:
    free(self);
    return err;
}

static void destroy(struct channel *channel)
{
    wait_queue_finish(&channel->receivers);
    wait_queue_finish(&channel->senders);
    value_ring_finish(&channel->ring);
    free(channel->spare);
    free(channel);
}

static void grant_line(struct channel *channel, struct wait_queue *line, unsigned grant)
{
    struct wake_batch batch;
    batch.count = 0;
    struct waiter *waiter;
    while ((waiter = wait_queue_first(line))) {
        wait_queue_grant(waiter, grant, &batch);
        if (!wake_batch_is_full(&batch))
            continue;
        unlock(channel);
        wake_batch_wake(&batch);
        lock(channel);
    }
    unlock(channel);
    wake_batch_wake(&batch);
    lock(channel);
}

/* With the lock held, which is released in between. Nobody gets in line once `closed`
 * is set, so the lines only become shorter. */
static void close_locked(struct channel *channel)
{
    if (channel->closed)
        return;
    channel->closed = true;
    grant_line(channel, &channel->senders, CLOSED);
    grant_line(channel, &channel->receivers, LOOK);
}

void channel_close(struct channel *channel)
{
    lock(channel);
    close_locked(channel);
    unlock(channel);
}

void channel_add_sender(struct channel *channel)
{
    lock(channel);
    channel->sender_count++;
    channel->shares++;
    unlock(channel);
}

/* With the lock held; it is released. */
static void give_share_up(struct channel *channel)
{
    bool last = --channel->shares == 0;
    unlock(channel);
    if (last)
        destroy(channel);
}

void channel_drop_sender(struct channel *channel)
{
    lock(channel);
    CHECK(channel->sender_count > 0, "more senders of a channel dropped than it had");
    if (--channel->sender_count == 0) {
        CHECK(channel->closed || !wait_queue_first(&channel->senders),
              "a channel's last sender was dropped while its send waits");
        close_locked(channel);
    }
    give_share_up(channel);
}

void channel_drop_receiver(struct channel *channel)
{
    lock(channel);
    close_locked(channel);
    CHECK(!wait_queue_first(&channel->receivers),
          "a channel's receiving side was dropped while a receive waits");
    while (value_ring_pop(&channel->ring, channel->spare)) {
        if (!channel->drop)
            continue;
        unlock(channel);
        channel->drop(channel->spare); /* closed: nobody else touches the values now */
        lock(channel);
    }
    give_share_up(channel);
}

/* ---- the two moves, with the lock held */

/* A value goes into the ring: somebody shall look. */
static int put(struct channel *channel, const void *value, struct waker *wakes)
{
    if (channel->closed)
        return -EPIPE;
    int err = value_ring_push(&channel->ring, value);
    struct waiter *receiver = wait_queue_first(&channel->receivers);
    if (err == 0 && receiver)
        *wakes = wait_queue_grant_one(receiver, LOOK);
    return err;
}

/* A value leaves the ring: the send that waits longest takes its place. */
static int take(struct channel *channel, void *value, struct waker *wakes)
{
    if (!value_ring_pop(&channel->ring, value))
        return channel->closed ? -EPIPE : -EAGAIN;
    struct waiter *waiter = wait_queue_first(&channel->senders);
    if (waiter) {
        struct channel_send *send = container_of(waiter, struct channel_send, waiter);
        int err = value_ring_push(&channel->ring, send->value);
        CHECK(err == 0, "a channel that gave a value away has no room for one");
        *wakes = wait_queue_grant_one(waiter, SENT);
    }
    return 0;
}

int channel_try_send(struct channel *channel, const void *value)
{
    struct waker wakes = { 0 };
    lock(channel);
    int err = put(channel, value, &wakes);
    unlock(channel);
    waker_wake(&wakes); /* W6 */
    return err;
}

int channel_try_recv(struct channel *channel, void *value)
{
    struct waker wakes = { 0 };
    lock(channel);
    int err = take(channel, value, &wakes);
    unlock(channel);
    waker_wake(&wakes);
    return err;
}

size_t channel_length(struct channel *channel)
{
    lock(channel);
    size_t length = channel->ring.count;
    unlock(channel);
    return length;
}

/* ---- send */

static enum poll_state send_poll(struct future *future, struct context *context)
{
    struct channel_send *self = container_of(future, struct channel_send, future);
    struct channel *channel = self->channel;
    struct waker wakes = { 0 };
    struct waker old = { 0 };
    lock(channel);
    if (self->waiter.grant)
        self->result = self->waiter.grant == SENT ? 0 : -EPIPE;
    else if (self->cancelled)
        self->result = -ECANCELED;
    else if (self->waiter.queued)
        self->result = -EAGAIN;
    else
        self->result = put(channel, self->value, &wakes);
    bool waits = self->result == -EAGAIN;
    old = waits ? waiter_wait(&channel->senders, &self->waiter, context)
                : waiter_leave(&self->waiter);
    unlock(channel);
    waker_wake(&wakes);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
}

static void send_cancel(struct future *future)
{
    container_of(future, struct channel_send, future)->cancelled = true;
}

static const struct future_ops channel_send_ops = {
    .name = "send to a channel",
    .size = FUTURE_SIZE(struct channel_send),
    .poll = send_poll,
    .cancel = send_cancel,
};

struct channel_send channel_send(struct channel *channel, const void *value)
{
    return (struct channel_send){ .future = { &channel_send_ops },
                                  .channel = channel,
                                  .value = value };
}

/* ---- receive */

/* A look that was granted and is not used: the next in line shall have it, if there is
 * something to see. */
static void pass_look_on(struct channel *channel, struct waker *wakes)
{
    struct waiter *next = wait_queue_first(&channel->receivers);
    if (next && channel->ring.count > 0)
        *wakes = wait_queue_grant_one(next, LOOK);
}

static enum poll_state recv_poll(struct future *future, struct context *context)
{
    struct channel_recv *self = container_of(future, struct channel_recv, future);
    struct channel *channel = self->channel;
    struct waker wakes = { 0 };
    struct waker old = { 0 };
    lock(channel);
    if (!self->cancelled) {
        self->result = take(channel, self->value, &wakes);
    } else {
        self->result = -ECANCELED;
        if (self->waiter.grant)
            pass_look_on(channel, &wakes);
    }
    bool waits = self->result == -EAGAIN;
    self->waiter.grant = 0;
    old = waits ? waiter_wait(&channel->receivers, &self->waiter, context)
                : waiter_leave(&self->waiter);
    unlock(channel);
    waker_wake(&wakes);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
}

static void recv_cancel(struct future *future)
{
    container_of(future, struct channel_recv, future)->cancelled = true;
}

static const struct future_ops channel_recv_ops = {
    .name = "receive from a channel",
    .size = FUTURE_SIZE(struct channel_recv),
    .poll = recv_poll,
    .cancel = recv_cancel,
};

struct channel_recv channel_recv(struct channel *channel, void *value)
{
    return (struct channel_recv){ .future = { &channel_recv_ops },
                                  .channel = channel,
                                  .value = value };
}
