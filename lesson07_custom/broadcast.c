/* broadcast: one ring, and as many places in it as there are readers.
 *
 * Idea: values are numbered; a reader is the number of the value that it wants next, and
 * the ring holds the last `capacity` numbers. Whether a reader has missed something is a
 * subtraction, so the ring need not know its readers. Invariant: sent - capacity (or 0)
 * is the oldest number in the ring; a reader moves on only together with the copy, under
 * the lock, so a cancelled receive has taken nothing. */
#include "lesson07_custom/broadcast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int broadcast_init(struct broadcast *broadcast, size_t capacity, size_t value_size)
{
    *broadcast = (struct broadcast){ .capacity = capacity, .value_size = value_size };
    if (capacity == 0 || value_size == 0 || capacity > SIZE_MAX / value_size)
        return -EINVAL;
    broadcast->ring = calloc(capacity, value_size);
    if (!broadcast->ring)
        return -ENOMEM;
    wait_queue_init(&broadcast->queue);
    return 0;
}

void broadcast_finish(struct broadcast *broadcast)
{
    if (!broadcast || !broadcast->ring)
        return;
    wait_queue_finish(&broadcast->queue);
    free(broadcast->ring);
    broadcast->ring = NULL;
}

static unsigned char *slot(struct broadcast *broadcast, uint64_t number)
{
    return broadcast->ring + number % broadcast->capacity * broadcast->value_size;
}

int broadcast_send(struct broadcast *broadcast, const void *value)
{
    int err = -EPIPE;
    pthread_mutex_lock(&broadcast->queue.lock);
    if (!broadcast->closed) {
        memcpy(slot(broadcast, broadcast->sent), value, broadcast->value_size);
        broadcast->sent++;
        wait_queue_grant_all(&broadcast->queue, 1);
        err = 0;
    }
    pthread_mutex_unlock(&broadcast->queue.lock);
    return err;
}

void broadcast_close(struct broadcast *broadcast)
{
    pthread_mutex_lock(&broadcast->queue.lock);
    broadcast->closed = true;
    wait_queue_grant_all(&broadcast->queue, 1);
    pthread_mutex_unlock(&broadcast->queue.lock);
}

struct broadcast_reader broadcast_subscribe(struct broadcast *broadcast)
{
    pthread_mutex_lock(&broadcast->queue.lock);
    uint64_t next = broadcast->sent;
    pthread_mutex_unlock(&broadcast->queue.lock);
    return (struct broadcast_reader){ .broadcast = broadcast, .next = next };
}

/* With the lock held. */
static int look(struct broadcast_recv *self)
{
    struct broadcast_reader *reader = self->reader;
    struct broadcast *broadcast = reader->broadcast;
    if (self->cancelled)
        return -ECANCELED;
    if (reader->next == broadcast->sent)
        return broadcast->closed ? -EPIPE : -EAGAIN;
    uint64_t behind = broadcast->sent - reader->next;
    if (behind > broadcast->capacity) {
        self->missed = behind - broadcast->capacity;
        reader->next += self->missed;
    }
    memcpy(self->value, slot(broadcast, reader->next), broadcast->value_size);
    reader->next++;
    return 0;
}

static enum poll_state recv_poll(struct future *future, struct context *context)
{
    struct broadcast_recv *self = container_of(future, struct broadcast_recv, future);
    struct broadcast *broadcast = self->reader->broadcast;
    pthread_mutex_lock(&broadcast->queue.lock);
    self->result = look(self);
    self->waiter.grant = 0;
    bool waits = self->result == -EAGAIN;
    struct waker old = waits ? waiter_wait(&broadcast->queue, &self->waiter, context)
                             : waiter_leave(&self->waiter);
    pthread_mutex_unlock(&broadcast->queue.lock);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
}

static void recv_cancel(struct future *future)
{
    container_of(future, struct broadcast_recv, future)->cancelled = true;
}

static const struct future_ops broadcast_recv_ops = {
    .name = "receive from a broadcast",
    .size = FUTURE_SIZE(struct broadcast_recv),
    .poll = recv_poll,
    .cancel = recv_cancel,
};

struct broadcast_recv broadcast_recv(struct broadcast_reader *reader, void *value)
{
    return (struct broadcast_recv){ .future = { &broadcast_recv_ops },
                                    .reader = reader,
                                    .value = value };
}
