/* ring_whole, written by hand: no async function, but a future that polls the step
 * itself until it is through. It asks for nearly two gigabytes a step at most. */
#include "lesson03_iouring/ring_whole.h"

#include <errno.h>

enum { PIECE = 0x7ffff000 }; /* the most that Linux moves at once */

static void start(struct ring_whole *self)
{
    char *from = self->buffer + self->done;
    size_t left = self->size - self->done;
    unsigned size = left < PIECE ? (unsigned)left : PIECE;
    uint64_t offset = self->offset;
    if (offset != RING_NO_OFFSET)
        offset += self->done;
    if (self->writing)
        self->step = ring_write(self->ring, self->fd, from, size, offset);
    else
        self->step = ring_read(self->ring, self->fd, from, size, offset);
    self->async.child = &self->step.future;
}

static enum poll_state end(struct ring_whole *self, int64_t result)
{
    self->result = result;
    return POLL_READY;
}

static enum poll_state whole_poll(struct future *future, struct context *context)
{
    struct ring_whole *self = container_of(future, struct ring_whole, future);
    while (self->done < self->size) {
        if (!self->async.child) {
            start(self);
            if (self->async.cancelled)
                future_cancel(&self->step.future);
        }
        if (future_poll(&self->step.future, context) == POLL_PENDING)
            return POLL_PENDING;
        self->async.child = NULL;
        int moved = self->step.result;
        if (moved == 0)
            return end(self, self->writing ? -EIO : (int64_t)self->done);
        if (moved > 0)
            self->done += (size_t)moved;
        else if (moved != -EINTR)
            return end(self, moved);
    }
    return end(self, (int64_t)self->done);
}

static void whole_cancel(struct future *future)
{
    struct ring_whole *self = container_of(future, struct ring_whole, future);
    self->async.cancelled = true;
    if (self->async.child)
        future_cancel(self->async.child);
}

static struct future *whole_child(const struct future *future, unsigned i)
{
    const struct async *base =
        (const struct async *)future; /* it is the first member */
    return i == 0 ? base->child : NULL;
}

static const struct future_ops whole_ops = {
    .name = "ring_whole",
    .size = FUTURE_SIZE(struct ring_whole),
    .poll = whole_poll,
    .cancel = whole_cancel,
    .child = whole_child,
};

struct ring_whole ring_read_full(struct ring *ring, int fd, void *buffer, size_t size,
                                 uint64_t offset)
{
    struct ring_whole whole = { .future = { &whole_ops } };
    whole.ring = ring;
    whole.fd = fd;
    whole.buffer = buffer;
    whole.size = size;
    whole.offset = offset;
    return whole;
}

struct ring_whole ring_write_all(struct ring *ring, int fd, const void *buffer,
                                 size_t size, uint64_t offset)
{
    struct ring_whole whole =
        ring_read_full(ring, fd, (char *)(uintptr_t)buffer, size, offset);
    whole.writing = true;
    return whole;
}
