/* ring_io: operations on top of completions.
 *
 * To start an operation is to write an SQE down; the next park, or the next full queue,
 * hands it over. To end one takes its own completion (C1, C17), so a cancel is a request
 * to the kernel, and close waits for what the driver itself has armed (C4).
 *
 * Shared, the task that cancels and the thread that reaps may meet at the same operation.
 * Invariant: op->cancel goes from NONE to OVER directly, or through ASKED; who asks
 * passes the cancel on only while it is ASKED, inside the brackets; who ends an operation
 * that was ASKED goes through the brackets, too. So no cancel is passed on for memory that
 * has gone back to its frame. */
#include <errno.h>

#include "lesson05_reactor/ring_source.h"

/* ---- io_driver_ops */

static int ring_driver_attach(struct io_driver *driver, int fd, enum io_type type,
                              struct io_source **out)
{
    struct ring_driver *self = ring_driver_of(driver);
    struct io_source *base = source_pool_take(&self->sources, driver, fd, type);
    if (!base)
        return -ENOMEM;
    struct ring_source *source = ring_source_of(base);
    ring_lent_reset(source);
    source->slot = -1;
    source->operations = 0;
    *out = base;
    return 0;
}

static void check_idle(const struct ring_source *source)
{
    CHECK(atomic_load_explicit(&source->in_flight, memory_order_relaxed) == 0,
          "fd %d is closed or detached while an operation is in flight on it",
          source->base.fd);
}

/* The source is idle: nothing changes its slot meanwhile. */
static void leave_table(struct ring_driver *self, struct ring_source *source)
{
    if (source->slot < 0)
        return;
    ring_driver_sq_begin(self);
    ring_files_leave(self, source);
    ring_driver_sq_end(self);
}

static int ring_driver_detach(struct io_driver *driver, struct io_source *base)
{
    struct ring_driver *self = ring_driver_of(driver);
    struct ring_source *source = ring_source_of(base);
    int fd = base->fd;
    check_idle(source);
    leave_table(self, source);
    if (ring_lent_stop(self, source)) {
        ring_lent_drop_segments(self, source);
        source_pool_give_back(&self->sources, base);
    } else {
        source->orphan = true; /* the memory stays until the last completion (C4) */
        io_source_keep_at_stop(base); /* the descriptor is not ours any more */
    }
    return fd;
}

/* Close is an operation of its own: the multishot receive first, then the descriptor. */
COLD static enum poll_state start_close(struct ring_driver *self, struct io_op *op,
                                        struct context *context)
{
    struct ring_source *source = ring_source_of(op->source);
    check_idle(source);
    if (!ring_driver_is_ours(self)) {
        op->result = -ESTALE;
        return POLL_READY;
    }
    leave_table(self, source);
    completion_arm(&op->completion, context);
    op->length = (uint32_t)op->source->fd;
    op->source = NULL;
    if (!ring_lent_stop(self, source)) {
        source->closer = op;
        return POLL_PENDING;
    }
    ring_lent_drop_segments(self, source);
    source_pool_give_back(&self->sources, &source->base);
    ring_driver_sq_begin(self);
    ring_op_submit(self, op);
    ring_driver_sq_end(self);
    return POLL_PENDING;
}

static enum poll_state ring_driver_start(struct io_driver *driver, struct io_op *op,
                                         struct context *context)
{
    struct ring_driver *self = ring_driver_of(driver);
    if (UNLIKELY(op->kind == IO_CLOSE))
        return start_close(self, op, context);
    if (UNLIKELY(!ring_driver_is_ours(self))) {
        op->result = -ESTALE;
        return POLL_READY;
    }
    if (UNLIKELY(!ring_op_enter(op))) {
        op->result = -EBUSY;
        return POLL_READY;
    }
    bool receives = op->kind == IO_RECV || op->kind == IO_READ;
    if (op->kind == IO_RECV_LENT ||
        (receives && ring_lent_interferes(ring_source_of(op->source))))
        return ring_lent_start(self, op, context);
    if (op->kind == IO_RECV)
        op->with.bytes.offset = IO_NO_OFFSET;
    completion_arm(&op->completion, context);
    ring_driver_sq_begin(self);
    ring_op_submit(self, op);
    ring_driver_sq_end(self);
    return POLL_PENDING;
}

/* R11: in the child of a fork. The operation itself goes on in the parent. */
COLD static void abandon(struct io_op *op)
{
    if (!op->source || !ring_lent_withdraw(op)) {
        completion_disarm(&op->completion);
        ring_op_leave(op);
    }
    op->result = -ESTALE;
}

static enum poll_state ring_driver_poll(struct io_driver *driver, struct io_op *op,
                                        struct context *context)
{
    if (op->cancelled && op->source && ring_lent_withdraw(op))
        return POLL_READY;
    if (completion_poll(&op->completion, context))
        return POLL_READY;
    if (ring_driver_is_ours(ring_driver_of(driver)))
        return POLL_PENDING;
    abandon(op);
    return POLL_READY;
}

static void ring_driver_cancel(struct io_driver *driver, struct io_op *op)
{
    struct ring_driver *self = ring_driver_of(driver);
    uint8_t seen = CANCEL_NONE;
    if (op->source && ring_source_of(op->source)->receiver == op)
        return; /* the poll that follows withdraws it */
    if (!ring_driver_is_ours(self))
        return; /* R11: the ring's memory is the parent's, too */
    /* acq_rel: pairs with the swap in ring_op_finish */
    if (!atomic_compare_exchange_strong_explicit(&op->cancel, &seen, CANCEL_ASKED,
                                                 memory_order_acq_rel,
                                                 memory_order_acquire))
        return; /* it has its result */
    ring_driver_sq_begin(self);
    bool never_started = ring_op_unlist(&self->backlog, op);
    /* relaxed: who ends it after this look takes the lock that we hold */
    if (!never_started &&
        atomic_load_explicit(&op->cancel, memory_order_relaxed) == CANCEL_ASKED)
        ring_op_pass_cancel_on(self, op);
    ring_driver_sq_end(self);
    if (never_started)
        ring_op_completed(&op->via.ring, -ECANCELED, 0);
}

static void ring_driver_give_back(struct io_driver *driver, struct io_op *op)
{
    ring_lent_give_back(ring_driver_of(driver), op->with.bytes.buffer);
}

const struct io_driver_ops ring_driver_ops = {
    .name = "io_uring",
    .attach = ring_driver_attach,
    .detach = ring_driver_detach,
    .start = ring_driver_start,
    .poll = ring_driver_poll,
    .cancel = ring_driver_cancel,
    .give_back = ring_driver_give_back,
    .register_memory = ring_memory_register,
    .unregister_memory = ring_memory_unregister,
};
