/* ring_ops: an operation as an SQE, and what its completion means.
 *
 * Problem: a completion is not always the end. A write may have taken a part only (C9),
 * and a descriptor with O_NONBLOCK set answers -EAGAIN instead of waiting. Idea: the
 * operation goes round again - with the rest, or behind a poll that waits for readiness -
 * until it has a result that the task can use. Invariant: exactly one SQE of an operation
 * is in flight or in the backlog while it is STARTED; so its memory is the kernel's until
 * ring_op_finish, and never after (C1, C15). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "lesson05_reactor/ring_source.h"

/* driver_use: what the SQE in flight is. */
enum { THE_OPERATION, A_POLL };

static void fill(struct io_op *op, enum ring_fill fills, void *target, uint32_t size)
{
    op->via.ring.fills = (uint8_t)fills;
    op->via.ring.target = target;
    op->via.ring.size = size;
}

static bool writes(const struct io_op *op)
{
    return op->kind == IO_WRITE || op->kind == IO_SEND || op->kind == IO_SENDTO ||
           op->kind == IO_CONNECT;
}

/* What goes to the kernel for reads and writes: the part that is still to be moved. */
static void prepare_bytes(struct io_op *op, struct io_uring_sqe *sqe)
{
    int fd = op->source->fd;
    char *from = (char *)op->with.bytes.buffer + op->moved;
    uint32_t left = op->length - op->moved;
    uint64_t offset = op->with.bytes.offset;
    if (op->kind == IO_SEND)
        io_uring_prep_send(sqe, fd, from, left, MSG_NOSIGNAL | MSG_WAITALL);
    else if (op->kind == IO_WRITE)
        io_uring_prep_write(sqe, fd, from, left,
                            offset == IO_NO_OFFSET ? offset : offset + op->moved);
    else if (op->kind == IO_READ)
        io_uring_prep_read(sqe, fd, from, left, offset);
    else
        io_uring_prep_recv(sqe, fd, from, left, 0);
    if (!writes(op))
        fill(op, RING_FILLS_RESULT, op->with.bytes.buffer, op->length);
}

static void prepare_packet(struct io_op *op, struct io_uring_sqe *sqe)
{
    struct msghdr *header = io_packet_header(op);
    if (op->kind == IO_RECVFROM) {
        io_uring_prep_recvmsg(sqe, op->source->fd, header, 0);
        fill(op, RING_FILLS_RESULT, header->msg_iov->iov_base, op->length);
    } else {
        io_uring_prep_sendmsg(sqe, op->source->fd, header, MSG_NOSIGNAL);
    }
}

static void prepare_operation(struct io_op *op, struct io_uring_sqe *sqe)
{
    switch ((enum io_kind)op->kind) {
    case IO_READ:
    case IO_WRITE:
    case IO_RECV:
    case IO_RECV_LENT:
    case IO_SEND:
        prepare_bytes(op, sqe);
        break;
    case IO_ACCEPT:
        io_uring_prep_accept(sqe, op->source->fd, op->with.address.name,
                             op->with.address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (op->with.address.name)
            fill(op, RING_FILLS_SIZE, op->with.address.name, *op->with.address.size);
        break;
    case IO_CONNECT:
        io_uring_prep_connect(sqe, op->source->fd, op->with.address.name,
                              (socklen_t)op->length);
        break;
    case IO_RECVFROM:
    case IO_SENDTO:
        prepare_packet(op, sqe);
        break;
    case IO_OPENAT:
        io_uring_prep_openat(sqe, op->with.open.folder, op->with.open.path,
                             op->with.open.flags | O_CLOEXEC, op->with.open.mode);
        break;
    case IO_FSYNC:
        io_uring_prep_fsync(sqe, op->source->fd, 0);
        break;
    case IO_CLOSE:
        io_uring_prep_close(sqe, (int)op->length);
        break;
    }
}

void ring_op_prepare(struct io_op *op, struct io_uring_sqe *sqe)
{
    fill(op, RING_FILLS_NOTHING, NULL, 0);
    if (op->driver_use == A_POLL)
        io_uring_prep_poll_add(sqe, op->source->fd, writes(op) ? POLLOUT : POLLIN);
    else
        prepare_operation(op, sqe);
    op->via.ring.complete = ring_op_completed;
    ring_op_attach(sqe, &op->via.ring);
}

void ring_op_submit(struct ring_driver *self, struct io_op *op)
{
    struct io_uring_sqe *sqe = self->backlog ? NULL : ring_get_sqe(&self->ring);
    if (sqe) {
        ring_op_prepare(op, sqe);
        return;
    }
    op->next = NULL; /* at the end: first come, first served */
    struct io_op **at = &self->backlog;
    while (*at)
        at = &(*at)->next;
    *at = op;
}

bool ring_op_unlist(struct io_op **list, struct io_op *op)
{
    struct io_op **at = list;
    while (*at && *at != op)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = op->next;
    return true;
}

/* A cancel that could not be passed on has become pointless, and its link with it. */
static void forget_cancel(struct io_op *op)
{
    struct ring_driver *self = ring_driver_of(op->driver);
    ring_driver_sq_begin(self);
    ring_op_unlist(&self->cancels, op);
    ring_driver_sq_end(self);
}

void ring_op_finish(struct io_op *op, int result)
{
    op->result = result;
    if (op->cancel_waits)
        forget_cancel(op);
    if (op->source)
        atomic_fetch_sub_explicit(&ring_source_of(op->source)->in_flight, 1,
                                  memory_order_relaxed);
    completion_complete(&op->completion);
}

static void again(struct io_op *op, int what)
{
    struct ring_driver *self = ring_driver_of(op->driver);
    op->driver_use = (uint8_t)what;
    ring_driver_sq_begin(self);
    ring_op_submit(self, op);
    ring_driver_sq_end(self);
}

/* A result that is no end; true when the operation went round again. */
static bool goes_on(struct io_op *op, int result)
{
    if (op->cancelled)
        return false;
    if (op->driver_use == A_POLL && result >= 0) {
        again(op, THE_OPERATION);
        return true;
    }
    if (result == -EINTR || (result == -ECONNABORTED && op->kind == IO_ACCEPT)) {
        again(op, op->driver_use);
        return true;
    }
    if (result == -EAGAIN && op->source && op->source->type != IO_TYPE_FILE) {
        again(op, A_POLL);
        return true;
    }
    if ((op->kind == IO_WRITE || op->kind == IO_SEND) && result > 0 &&
        op->moved + (uint32_t)result < op->length) {
        op->moved += (uint32_t)result;
        again(op, THE_OPERATION);
        return true;
    }
    return false;
}

/* A lent buffer that nothing came into goes back. */
static void settle_lent(struct io_op *op, int result)
{
    if (result > 0)
        return;
    lent_pool_give_back(&ring_driver_of(op->driver)->lent, op->with.bytes.buffer);
    op->with.bytes.buffer = NULL;
}

static void mark_name(const struct io_op *op)
{
    const struct io_packet *packet = container_of_const(op, struct io_packet, op);
    if (packet->name)
        MEM_KERNEL_FILLED(packet->name, packet->header.msg_namelen);
}

void ring_op_completed(struct ring_op *ring_op, int result, unsigned flags)
{
    struct io_op *op = container_of(ring_op, struct io_op, via.ring);
    (void)flags;
    if (goes_on(op, result))
        return;
    if (op->driver_use == A_POLL && result >= 0)
        result = -ECANCELED; /* the readiness came, but nobody wants it any more */
    if ((op->kind == IO_WRITE || op->kind == IO_SEND) && result >= 0) {
        op->moved += (uint32_t)result;
        result = op->moved == op->length ? (int)op->length
                 : op->cancelled         ? -ECANCELED
                                         : -EIO;
    }
    if (op->kind == IO_RECV_LENT)
        settle_lent(op, result);
    if (op->kind == IO_RECVFROM && result >= 0) /* the second thing that was filled */
        mark_name(op);
    ring_op_finish(op, result);
}
