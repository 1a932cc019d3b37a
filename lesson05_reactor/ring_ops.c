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

/* The operation's share of its source's in_flight. */
static uint8_t share_of(const struct io_op *op)
{
    if (op->source->type == IO_TYPE_FILE || op->kind == IO_FSYNC)
        return ONE_MORE;
    return io_op_writes(op) ? WRITER_BUSY : READER_BUSY;
}

bool ring_op_enter(struct io_op *op)
{
    if (!op->source)
        return true;
    _Atomic uint32_t *in_flight = &ring_source_of(op->source)->in_flight;
    uint8_t share = op->share = share_of(op);
    uint32_t before;
    /* relaxed: only "is it zero" and "is it mine" are asked, nothing is published. A ring
     * of one thread needs no read-modify-write. */
    if (!ring_driver_of(op->driver)->shared) {
        before = atomic_load_explicit(in_flight, memory_order_relaxed);
        if (share == ONE_MORE || !(before & share))
            atomic_store_explicit(in_flight, before + share, memory_order_relaxed);
    } else if (share == ONE_MORE) {
        before = atomic_fetch_add_explicit(in_flight, share, memory_order_relaxed);
    } else {
        before = atomic_fetch_or_explicit(in_flight, share, memory_order_relaxed);
    }
    return share == ONE_MORE || !(before & share);
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
    if (op->source->type == IO_TYPE_FILE) {
        struct ring_driver *self = ring_driver_of(op->driver);
        ring_files_use(self, ring_source_of(op->source), sqe);
        ring_memory_use(self, op, sqe);
    }
    if (!io_op_writes(op))
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

COLD static void prepare_poll(const struct io_op *op, struct io_uring_sqe *sqe)
{
    io_uring_prep_poll_add(sqe, op->source->fd, io_op_writes(op) ? POLLOUT : POLLIN);
}

COLD static void prepare_other(struct io_op *op, struct io_uring_sqe *sqe)
{
    switch ((enum io_kind)op->kind) {
    case IO_READ:
    case IO_WRITE:
    case IO_RECV:
    case IO_RECV_LENT:
    case IO_SEND:
        break; /* prepare_bytes */
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

COLD static void join_backlog(struct ring_driver *self, struct io_op *op)
{
    op->next = NULL; /* at the end: first come, first served */
    struct io_op **at = &self->backlog;
    while (*at)
        at = &(*at)->next;
    *at = op;
}

void ring_op_submit(struct ring_driver *self, struct io_op *op)
{
    struct io_uring_sqe *sqe =
        UNLIKELY(self->backlog) ? NULL : ring_get_sqe(&self->ring);
    if (UNLIKELY(!sqe)) {
        join_backlog(self, op);
        return;
    }
    fill(op, RING_FILLS_NOTHING, NULL, 0);
    if (UNLIKELY(op->driver_use == A_POLL))
        prepare_poll(op, sqe);
    else if (op->kind <= IO_SEND)
        prepare_bytes(op, sqe);
    else
        prepare_other(op, sqe);
    op->via.ring.complete = ring_op_completed;
    ring_op_attach(sqe, &op->via.ring);
}

void ring_op_pass_cancel_on(struct ring_driver *self, struct io_op *op)
{
    op->cancel_waits = ring_cancel(&self->ring, &op->via.ring) < 0;
    if (!op->cancel_waits)
        return; /* a request: C1, C2, C17 */
    op->next = self->cancels;
    self->cancels = op;
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

/* Was the operation asked to stop? Exact inside the brackets. */
static bool asked_to_stop(struct io_op *op)
{
    return atomic_load_explicit(&op->cancel, memory_order_relaxed) == CANCEL_ASKED;
}

/* It may wait in the driver's list for room on the ring, which has become pointless. */
COLD static void forget_cancel(struct ring_driver *self, struct io_op *op)
{
    ring_driver_sq_begin(self);
    if (op->cancel_waits)
        ring_op_unlist(&self->cancels, op);
    ring_driver_sq_end(self);
}

/* From now on a cancel does nothing. */
static void no_more_cancel(struct ring_driver *self, struct io_op *op)
{
    uint8_t before = atomic_load_explicit(&op->cancel, memory_order_relaxed);
    if (!self->shared) /* the canceller is this thread */
        atomic_store_explicit(&op->cancel, CANCEL_OVER, memory_order_relaxed);
    else /* acq_rel: pairs with the swap in ring_driver_cancel. Either it sees OVER, or we
            see ASKED and wait for its brackets to close. */
        before =
            atomic_exchange_explicit(&op->cancel, CANCEL_OVER, memory_order_acq_rel);
    if (UNLIKELY(before == CANCEL_ASKED))
        forget_cancel(self, op);
}

void ring_op_finish(struct io_op *op, int result)
{
    op->result = result;
    no_more_cancel(ring_driver_of(op->driver), op);
    ring_op_leave(op);
    completion_complete(&op->completion);
}

/* Sends it round again, unless it was asked to stop: the request may have passed the
 * operation on its way here, and would not come a second time. */
static bool again(struct io_op *op, int what)
{
    struct ring_driver *self = ring_driver_of(op->driver);
    ring_driver_sq_begin(self);
    bool stop = asked_to_stop(op);
    if (!stop) {
        op->driver_use = (uint8_t)what;
        ring_op_submit(self, op);
    }
    ring_driver_sq_end(self);
    return !stop;
}

static bool goes_on_with_the_rest(struct io_op *op, int result)
{
    op->moved += (uint32_t)result;
    if (again(op, THE_OPERATION))
        return true;
    op->moved -= (uint32_t)result;
    return false;
}

/* A result that is no end; true when the operation went round again. */
static bool goes_on(struct io_op *op, int result)
{
    bool waits = op->source && op->source->type != IO_TYPE_FILE &&
                 op->kind != IO_CONNECT; /* whose EAGAIN is no readiness */
    if (op->driver_use == A_POLL && result >= 0)
        return again(op, THE_OPERATION);
    if ((result == -EINTR && op->kind != IO_CLOSE) ||
        (result == -ECONNABORTED && op->kind == IO_ACCEPT))
        return again(op, op->driver_use);
    if (result == -EAGAIN && waits)
        return again(op, A_POLL);
    if ((op->kind == IO_WRITE || op->kind == IO_SEND) && result > 0 &&
        op->moved + (uint32_t)result < op->length)
        return goes_on_with_the_rest(op, result);
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

/* Beside what it reads or fills, an operation may have been given a name, or where to put
 * a name's size. */
static void take_name_back(const struct io_op *op, int result)
{
    bool filled = result >= 0 && op->kind != IO_SENDTO;
    if (op->kind == IO_ACCEPT) {
        ring_op_take_back(&op->via.ring, "address's size", op->with.address.size,
                          sizeof *op->with.address.size, filled);
    } else if (op->kind == IO_RECVFROM || op->kind == IO_SENDTO) {
        const struct io_packet *packet = container_of_const(op, struct io_packet, op);
        socklen_t size = packet->header.msg_namelen; /* 0: the peer has none */
        ring_op_take_back(&op->via.ring, "address", packet->name, size ? size : 1,
                          filled && size);
    }
}

/* Did it read something, or write all that was left? */
static bool is_usual_end(const struct io_op *op, int result)
{
    if (result <= 0 || op->kind > IO_SEND || op->driver_use != THE_OPERATION)
        return false;
    return !io_op_writes(op) || op->moved + (uint32_t)result == op->length;
}

COLD static void settle(struct io_op *op, int result)
{
    if (goes_on(op, result))
        return;
    bool stop = asked_to_stop(op);
    if (op->kind == IO_CLOSE && result == -EINTR)
        result = 0; /* the number is free all the same, and may be somebody else's */
    if (stop && (result == -EINTR || result == -EAGAIN ||
                 (op->driver_use == A_POLL && result >= 0)))
        result = -ECANCELED; /* the readiness came, but nobody wants it any more */
    if ((op->kind == IO_WRITE || op->kind == IO_SEND) && result >= 0) {
        op->moved += (uint32_t)result;
        result = op->moved == op->length ? (int)op->length : stop ? -ECANCELED : -EIO;
    }
    if (op->kind == IO_RECV_LENT)
        settle_lent(op, result);
    if (MEM_IS_WATCHED)
        take_name_back(op, result);
    ring_op_finish(op, result);
}

void ring_op_completed(struct ring_op *ring_op, int result, unsigned flags)
{
    struct io_op *op = container_of(ring_op, struct io_op, via.ring);
    (void)flags;
    if (UNLIKELY(!is_usual_end(op, result))) {
        settle(op, result);
        return;
    }
    op->moved += (uint32_t)result; /* nothing before, unless a write went round again */
    ring_op_finish(op, (int)op->moved);
}
