/* watch: one value, one version, and everybody is told.
 *
 * Idea: what a reader waits for is a fact - "the version is not the one that I have
 * seen" - and not an event, so it cannot be missed: a wake only says "look". Invariant: a
 * reader's `seen` changes only together with the copy of that version's value, under the
 * lock; so a cancelled wait has seen nothing. */
#include "lesson07_custom/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int watch_init(struct watch *watch, const void *first, size_t value_size)
{
    *watch = (struct watch){ .value_size = value_size };
    if (value_size == 0)
        return -EINVAL;
    watch->value = malloc(value_size);
    if (!watch->value)
        return -ENOMEM;
    memcpy(watch->value, first, value_size);
    wait_queue_init(&watch->queue);
    return 0;
}

void watch_finish(struct watch *watch)
{
    if (!watch || !watch->value)
        return;
    wait_queue_finish(&watch->queue);
    free(watch->value);
    watch->value = NULL;
}

int watch_set(struct watch *watch, const void *value)
{
    int err = -EPIPE;
    pthread_mutex_lock(&watch->queue.lock);
    if (!watch->closed) {
        memcpy(watch->value, value, watch->value_size);
        watch->version++;
        wait_queue_grant_all(&watch->queue, 1);
        err = 0;
    }
    pthread_mutex_unlock(&watch->queue.lock);
    return err;
}

void watch_get(struct watch *watch, void *value)
{
    pthread_mutex_lock(&watch->queue.lock);
    memcpy(value, watch->value, watch->value_size);
    pthread_mutex_unlock(&watch->queue.lock);
}

void watch_close(struct watch *watch)
{
    pthread_mutex_lock(&watch->queue.lock);
    watch->closed = true;
    wait_queue_grant_all(&watch->queue, 1);
    pthread_mutex_unlock(&watch->queue.lock);
}

struct watch_reader watch_read_from(struct watch *watch)
{
    pthread_mutex_lock(&watch->queue.lock);
    uint64_t seen = watch->version;
    pthread_mutex_unlock(&watch->queue.lock);
    return (struct watch_reader){ .watch = watch, .seen = seen };
}

/* With the lock held. */
static int look(struct watch_changed *self)
{
    struct watch_reader *reader = self->reader;
    struct watch *watch = reader->watch;
    if (self->cancelled)
        return -ECANCELED;
    if (reader->seen == watch->version)
        return watch->closed ? -EPIPE : -EAGAIN;
    memcpy(self->value, watch->value, watch->value_size);
    reader->seen = watch->version;
    return 0;
}

static enum poll_state changed_poll(struct future *future, struct context *context)
{
    struct watch_changed *self = container_of(future, struct watch_changed, future);
    struct watch *watch = self->reader->watch;
    pthread_mutex_lock(&watch->queue.lock);
    self->result = look(self);
    self->waiter.grant = 0;
    bool waits = self->result == -EAGAIN;
    struct waker old = waits ? waiter_wait(&watch->queue, &self->waiter, context)
                             : waiter_leave(&self->waiter);
    pthread_mutex_unlock(&watch->queue.lock);
    waker_drop(&old);
    return waits ? POLL_PENDING : POLL_READY;
}

static void changed_cancel(struct future *future)
{
    container_of(future, struct watch_changed, future)->cancelled = true;
}

static const struct future_ops watch_changed_ops = {
    .name = "change of a watched value",
    .size = FUTURE_SIZE(struct watch_changed),
    .poll = changed_poll,
    .cancel = changed_cancel,
};

struct watch_changed watch_changed(struct watch_reader *reader, void *value)
{
    return (struct watch_changed){ .future = { &watch_changed_ops },
                                   .reader = reader,
                                   .value = value };
}
