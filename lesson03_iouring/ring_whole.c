/* ring_whole: the loop that every program around read and write needs.
 *
 * Invariant: bytes [0, done) are transferred, and the step in flight covers the rest,
 * at most STEP_MAX of it. A write that takes nothing and reports no error would loop
 * for ever; it is -EIO here. */
#include "lesson03_iouring/ring_whole.h"

#include <errno.h>

/* A length is 32 bits in the SQE, and a result is a signed int. */
#define STEP_MAX ((size_t)1 << 30)

static struct ring_future next_step(const struct ring_whole *self)
{
    size_t left = self->size - self->done;
    unsigned size = (unsigned)(left < STEP_MAX ? left : STEP_MAX);
    char *from = self->buffer + self->done;
    uint64_t offset =
        self->offset == RING_NO_OFFSET ? RING_NO_OFFSET : self->offset + self->done;
    return self->writing ? ring_write(self->ring, self->fd, from, size, offset)
                         : ring_read(self->ring, self->fd, from, size, offset);
}

static enum poll_state ring_whole_poll(struct future *future, struct context *context)
{
    struct ring_whole *self = ASYNC_SELF(ring_whole, future);
    ASYNC_BEGIN(self, context);
    while (self->done < self->size) {
        AWAIT(self->step, next_step(self));
        if (self->step.result == -EINTR)
            continue;
        if (self->step.result == 0 && self->writing)
            self->step.result = -EIO;
        if (self->step.result < 0) {
            self->result = self->step.result;
            ASYNC_RETURN;
        }
        if (self->step.result == 0)
            break; /* end of file */
        self->done += (size_t)self->step.result;
    }
    self->result = (int64_t)self->done;
    ASYNC_END;
}

#define RING_WHOLE_OPS(function)                                                       \
    static const struct future_ops function##_ops = {                                  \
        .name = #function,                                                             \
        .size = FUTURE_SIZE(struct ring_whole),                                        \
        .poll = ring_whole_poll,                                                       \
        .cancel = async_cancel,                                                        \
        .child = async_child,                                                          \
        .file = __FILE__,                                                              \
    }

RING_WHOLE_OPS(ring_read_full);
RING_WHOLE_OPS(ring_write_all);

struct ring_whole ring_read_full(struct ring *ring, int fd, void *buffer, size_t size,
                                 uint64_t offset)
{
    return (struct ring_whole){ .future = { &ring_read_full_ops },
                                .ring = ring,
                                .fd = fd,
                                .buffer = buffer,
                                .size = size,
                                .offset = offset };
}

struct ring_whole ring_write_all(struct ring *ring, int fd, const void *buffer,
                                 size_t size, uint64_t offset)
{
    return (struct ring_whole){ .future = { &ring_write_all_ops },
                                .ring = ring,
                                .fd = fd,
                                .buffer = (char *)(uintptr_t)buffer,
                                .size = size,
                                .offset = offset,
                                .writing = true };
}
