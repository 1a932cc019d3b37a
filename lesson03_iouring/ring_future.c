/* ring_future: thirteen system calls, one future.
 *
 * Problem: a completion comes back to a bare address, on its own schedule, and the task
 * that waits may by then want something else. Idea: the op lies in the future, the
 * future in the frame, and the frame stays until the op's last completion. Invariants:
 *   - IN_FLIGHT exactly from the SQE to the CQE without F_MORE.
 *   - complete() moves the waker out, then stores DONE, then wakes: after DONE it does
 *     not touch the future again, whose memory belongs to the frame (C15).
 *   - The cancel's own answer is thrown away: -ENOENT and -EALREADY say nothing about
 *     when the target is over (C17). */
#include "lesson03_iouring/ring_future.h"

#include <errno.h>
#include <unistd.h>

#include "common/clock.h"

static void complete(struct ring_op *op, int result, unsigned flags)
{
    struct ring_future *self = container_of(op, struct ring_future, op);
    if (MEM_IS_WATCHED && self->opcode == IORING_OP_STATX) { /* beside what it fills */
        char *path = (char *)(uintptr_t)self->address;
        ring_op_take_back(op, "path", path, 1, false);
    }
    /* The notification of a zero-copy send brings no result, only the buffer. */
    if (!(flags & IORING_CQE_F_NOTIF))
        self->result = result;
    if (flags & IORING_CQE_F_MORE)
        return; /* the kernel still reads the buffer (C11) */
    if (self->opcode == IORING_OP_TIMEOUT && self->result == -ETIME)
        self->result = 0; /* for a timer, time is up is success */
    struct waker waker = waker_take(&self->waker);
    self->state = RING_FUTURE_DONE;
    waker_wake(&waker);
}

static void prepare(struct ring_future *self, struct io_uring_sqe *sqe)
{
    if (self->opcode == IORING_OP_TIMEOUT) /* the limit lies in us: we are pinned now */
        io_uring_prep_rw(self->opcode, sqe, -1, &self->limit, 1, 0);
    else
        io_uring_prep_rw(self->opcode, sqe, self->fd,
                         (const void *)(uintptr_t)self->address, self->length,
                         self->offset);
    sqe->rw_flags = (int)self->flags; /* a union: open, message, statx, accept flags */
    self->op.complete = complete;
    ring_op_attach(sqe, &self->op);
}

static void send_cancel(struct ring_future *self)
{
    self->cancel_sent = ring_cancel(self->ring, &self->op) == 0;
}

static enum poll_state come_back(const struct context *context)
{
    /* The kernel takes nothing at the moment: let the executor reap, then try again. */
    waker_wake_by_ref(context->waker);
    return POLL_PENDING;
}

static enum poll_state start(struct ring_future *self, struct context *context)
{
    if (self->cancelled) {
        self->result = -ECANCELED;
        self->state = RING_FUTURE_DONE;
        return POLL_READY;
    }
    struct io_uring_sqe *sqe = ring_get_sqe(self->ring);
    if (!sqe)
        return come_back(context);
    prepare(self, sqe);
    self->state = RING_FUTURE_IN_FLIGHT;
    waker_store(&self->waker, context);
    return POLL_PENDING;
}

static enum poll_state ring_future_poll(struct future *future, struct context *context)
{
    struct ring_future *self = container_of(future, struct ring_future, future);
    if (self->state == RING_FUTURE_DONE)
        return POLL_READY;
    if (self->state == RING_FUTURE_NEW)
        return start(self, context);
    waker_store(&self->waker, context);
    if (self->cancelled && !self->cancel_sent) {
        send_cancel(self);
        if (!self->cancel_sent)
            return come_back(context);
    }
    return POLL_PENDING;
}

static void ring_future_cancel(struct future *future)
{
    struct ring_future *self = container_of(future, struct ring_future, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    if (self->state == RING_FUTURE_IN_FLIGHT)
        send_cancel(self);
}

/* The output is a descriptor that nobody will look at. */
static void close_result(struct future *future)
{
    struct ring_future *self = container_of(future, struct ring_future, future);
    if (self->state == RING_FUTURE_DONE && self->result >= 0)
        close(self->result);
}

#define RING_FUTURE_OPS(operation, release)                                            \
    static const struct future_ops operation##_ops = {                                 \
        .name = #operation,                                                            \
        .size = FUTURE_SIZE(struct ring_future),                                       \
        .poll = ring_future_poll,                                                      \
        .cancel = ring_future_cancel,                                                  \
        .discard = (release),                                                          \
    }

RING_FUTURE_OPS(ring_nop, NULL);
RING_FUTURE_OPS(ring_read, NULL);
RING_FUTURE_OPS(ring_write, NULL);
RING_FUTURE_OPS(ring_fsync, NULL);
RING_FUTURE_OPS(ring_openat, close_result);
RING_FUTURE_OPS(ring_close, NULL);
RING_FUTURE_OPS(ring_statx, NULL);
RING_FUTURE_OPS(ring_timeout, NULL);
RING_FUTURE_OPS(ring_accept, close_result);
RING_FUTURE_OPS(ring_connect, NULL);
RING_FUTURE_OPS(ring_recv, NULL);
RING_FUTURE_OPS(ring_send, NULL);
RING_FUTURE_OPS(ring_send_zc, NULL);

struct ring_future ring_nop(struct ring *ring)
{
    return (struct ring_future){ .future = { &ring_nop_ops },
                                 .ring = ring,
                                 .opcode = IORING_OP_NOP };
}

struct ring_future ring_read(struct ring *ring, int fd, void *buffer, unsigned size,
                             uint64_t offset)
{
    return (struct ring_future){ .future = { &ring_read_ops },
                                 .ring = ring,
                                 .op = { .target = buffer, .fills = RING_FILLS_RESULT },
                                 .opcode = IORING_OP_READ,
                                 .fd = fd,
                                 .address = (uintptr_t)buffer,
                                 .length = size,
                                 .offset = offset };
}

struct ring_future ring_write(struct ring *ring, int fd, const void *buffer,
                              unsigned size, uint64_t offset)
{
    return (struct ring_future){ .future = { &ring_write_ops },
                                 .ring = ring,
                                 .opcode = IORING_OP_WRITE,
                                 .fd = fd,
                                 .address = (uintptr_t)buffer,
                                 .length = size,
                                 .offset = offset };
}

struct ring_future ring_fsync(struct ring *ring, int fd)
{
    return (struct ring_future){
        .future = { &ring_fsync_ops }, .ring = ring, .opcode = IORING_OP_FSYNC, .fd = fd
    };
}

struct ring_future ring_openat(struct ring *ring, int folder, const char *path,
                               int flags, mode_t mode)
{
    return (struct ring_future){ .future = { &ring_openat_ops },
                                 .ring = ring,
                                 .opcode = IORING_OP_OPENAT,
                                 .fd = folder,
                                 .address = (uintptr_t)path,
                                 .length = mode,
                                 .flags = (uint32_t)(flags | O_CLOEXEC) };
}

struct ring_future ring_close(struct ring *ring, int fd)
{
    return (struct ring_future){
        .future = { &ring_close_ops }, .ring = ring, .opcode = IORING_OP_CLOSE, .fd = fd
    };
}

struct ring_future ring_statx(struct ring *ring, int folder, const char *path,
                              int flags, unsigned mask, struct statx *out)
{
    return (struct ring_future){
        .future = { &ring_statx_ops },
        .ring = ring,
        .op = { .target = out, .size = sizeof *out, .fills = RING_FILLS_SIZE },
        .opcode = IORING_OP_STATX,
        .fd = folder,
        .address = (uintptr_t)path,
        .length = mask,
        .offset = (uintptr_t)out,
        .flags = (uint32_t)flags
    };
}

struct ring_future ring_timeout(struct ring *ring, uint64_t delay_ns)
{
    return (struct ring_future){
        .future = { &ring_timeout_ops },
        .ring = ring,
        .opcode = IORING_OP_TIMEOUT,
        .limit = { .tv_sec = (int64_t)(delay_ns / NS_PER_S),
                   .tv_nsec = (int64_t)(delay_ns % NS_PER_S) },
    };
}

struct ring_future ring_accept(struct ring *ring, int fd)
{
    return (struct ring_future){ .future = { &ring_accept_ops },
                                 .ring = ring,
                                 .opcode = IORING_OP_ACCEPT,
                                 .fd = fd,
                                 .flags = SOCK_CLOEXEC };
}

struct ring_future ring_connect(struct ring *ring, int fd,
                                const struct sockaddr *address, socklen_t size)
{
    return (struct ring_future){ .future = { &ring_connect_ops },
                                 .ring = ring,
                                 .opcode = IORING_OP_CONNECT,
                                 .fd = fd,
                                 .address = (uintptr_t)address,
                                 .offset = size };
}

struct ring_future ring_recv(struct ring *ring, int fd, void *buffer, unsigned size,
                             int flags)
{
    return (struct ring_future){ .future = { &ring_recv_ops },
                                 .ring = ring,
                                 .op = { .target = buffer, .fills = RING_FILLS_RESULT },
                                 .opcode = IORING_OP_RECV,
                                 .fd = fd,
                                 .address = (uintptr_t)buffer,
                                 .length = size,
                                 .flags = (uint32_t)flags };
}

struct ring_future ring_send(struct ring *ring, int fd, const void *buffer,
                             unsigned size, int flags)
{
    return (struct ring_future){ .future = { &ring_send_ops },
                                 .ring = ring,
                                 .opcode = IORING_OP_SEND,
                                 .fd = fd,
                                 .address = (uintptr_t)buffer,
                                 .length = size,
                                 .flags = (uint32_t)(flags | MSG_NOSIGNAL) };
}

struct ring_future ring_send_zc(struct ring *ring, int fd, const void *buffer,
                                unsigned size, int flags)
{
    struct ring_future send = ring_send(ring, fd, buffer, size, flags);
    send.future.ops = &ring_send_zc_ops;
    send.opcode = IORING_OP_SEND_ZC;
    return send;
}
