/* ring_lent: one multishot receive a connection, into buffers that the kernel picks.
 *
 * Problem: a receive that is armed needs a buffer, and ten thousand idle connections
 * would need ten thousand. And a receive for every request is an SQE for every request.
 * Idea: one multishot receive stays armed; when data comes, the kernel takes a buffer of
 * the group, and the completion says which. Data may come faster than it is asked for:
 * the buffers of a connection form a queue, linked by buffer id, which costs no
 * allocation.
 *
 * A plain receive that comes after a lent one finds its bytes in that queue, too; it gets
 * a copy of them, for they come first.
 *
 * Two limits keep one connection from taking everything. A connection with WAITING_MAX
 * buffers in its queue loses its multishot receive until it asks again. And when the
 * group is empty (-ENOBUFS), whoever waits gets a plain receive into a buffer of its own
 * (C10), so that a slow reader elsewhere cannot starve it.
 *
 * Invariant: the multishot op is the kernel's while `armed`; the source is not given
 * back before (C1, C4). */
#include <errno.h>
#include <string.h>

#include "lesson05_reactor/ring_source.h"

#define WAITING_MAX 16

void ring_lent_reset(struct ring_source *source)
{
    source->armed = false;
    source->stopping = false;
    source->stop_waits = false;
    source->ended = false;
    source->orphan = false;
    source->head = NO_SEGMENT;
    source->tail = NO_SEGMENT;
    source->waiting = 0;
    source->consumed = 0;
    source->end = 0;
    source->receiver = NULL;
    source->closer = NULL;
}

static void push_segment(struct ring_driver *self, struct ring_source *source,
                         uint16_t id, int size)
{
    self->segments[id] = (struct lent_segment){ NO_SEGMENT, (uint16_t)size };
    if (source->head == NO_SEGMENT)
        source->head = id;
    else
        self->segments[source->tail].next = id;
    source->tail = id;
    source->waiting++;
}

static uint16_t pop_segment(struct ring_driver *self, struct ring_source *source)
{
    uint16_t id = source->head;
    source->head = self->segments[id].next;
    source->waiting--;
    source->consumed = 0;
    return id;
}

/* What waits goes to the operation: the buffer itself, or a copy of its bytes. */
static void take_segment(struct ring_driver *self, struct ring_source *source,
                         struct io_op *op)
{
    uint16_t id = source->head;
    char *bytes = (char *)ring_buffers_at(&self->group, id) + source->consumed;
    uint32_t left = (uint32_t)(self->segments[id].size - source->consumed);
    if (op->kind == IO_RECV_LENT) {
        op->with.bytes.buffer = bytes;
        op->result = (int)left;
        pop_segment(self, source);
        return;
    }
    uint32_t n = op->length < left ? op->length : left;
    memcpy(op->with.bytes.buffer, bytes, n);
    op->result = (int)n;
    source->consumed = (uint16_t)(source->consumed + n);
    if (n == left)
        ring_buffers_recycle(&self->group, pop_segment(self, source));
}

/* Gives the operation what is there: true when it has its result. */
static bool take(struct ring_driver *self, struct ring_source *source, struct io_op *op)
{
    if (source->head != NO_SEGMENT) {
        take_segment(self, source, op);
        return true;
    }
    if (source->ended)
        op->result = source->end;
    return source->ended;
}

static void on_multishot(struct ring_op *ring_op, int result, unsigned flags);

/* Arms the multishot receive; false when the ring takes nothing now. */
static bool arm(struct ring_driver *self, struct ring_source *source)
{
    struct io_uring_sqe *sqe = ring_get_sqe(&self->ring);
    if (!sqe)
        return false;
    io_uring_prep_recv_multishot(sqe, source->base.fd, NULL, 0, 0);
    ring_buffers_select(&self->group, sqe);
    source->multishot = (struct ring_op){ .complete = on_multishot,
                                          .target = &self->group,
                                          .fills = RING_FILLS_PROVIDED };
    ring_op_attach(sqe, &source->multishot);
    source->armed = true;
    source->stopping = false;
    return true;
}

/* A receive that is no multishot; a lent one into a buffer of its own. */
static void receive_plainly(struct ring_driver *self, struct io_op *op)
{
    if (op->kind == IO_RECV_LENT) {
        op->with.bytes.buffer = lent_pool_lend(&self->lent);
        op->length = (uint32_t)self->lent.size;
        if (!op->with.bytes.buffer) {
            ring_op_finish(op, -ENOBUFS);
            return;
        }
    }
    op->with.bytes.offset = IO_NO_OFFSET;
    ring_driver_sq_begin(self);
    ring_op_submit(self, op);
    ring_driver_sq_end(self);
}

/* It ended by itself, so its cancel need not be sent any more. */
static void forget_stop(struct ring_driver *self, struct ring_source *source)
{
    struct ring_source **at = &self->stops;
    if (!source->stop_waits)
        return;
    while (*at != source)
        at = &(*at)->next_stop;
    *at = source->next_stop;
    source->stop_waits = false;
}

/* The last completion of the multishot receive of a source that is on its way out. */
static void multishot_over(struct ring_driver *self, struct ring_source *source)
{
    if (source->closer) {
        struct io_op *op = source->closer;
        source->closer = NULL;
        ring_lent_drop_segments(self, source);
        source_pool_give_back(&self->sources, &source->base);
        ring_op_submit(self, op);
    } else if (source->orphan) {
        ring_lent_drop_segments(self, source);
        source_pool_give_back(&self->sources, &source->base);
    }
}

/* Somebody waits, and the multishot receive has ended without a result for it. */
static void go_on(struct ring_driver *self, struct ring_source *source, int why)
{
    struct io_op *op = source->receiver;
    bool lent = op->kind == IO_RECV_LENT && !self->multishot_refused;
    if (lent && why != -ENOBUFS && arm(self, source))
        return;
    source->receiver = NULL;
    receive_plainly(self, op);
}

/* Whatever else a completion of the multishot receive may mean. */
COLD static void sort_out(struct ring_source *source, int result, unsigned flags)
{
    struct ring_driver *self = ring_driver_of(source->base.driver);
    bool harmless = result == -ENOBUFS || result == -ECANCELED || result == -EINTR;
    if (result ==
        -EINVAL) { /* buffer rings came with 5.19, multishot receives with 6.0 */
        self->multishot_refused = true;
        harmless = true;
    }
    if (!(flags & IORING_CQE_F_MORE)) {
        source->armed = false;
        forget_stop(self, source);
    }
    if (result > 0)
        push_segment(self, source, (uint16_t)ring_buffers_id(flags), result);
    else if (!harmless) {
        source->ended = true;
        source->end = result;
    }
    struct io_op *op = source->receiver;
    if (op && take(self, source, op)) {
        source->receiver = NULL;
        ring_op_finish(op, op->result);
    }
    if (source->waiting >= WAITING_MAX)
        ring_lent_stop(self, source);
    if (source->armed)
        return;
    if (source->receiver)
        go_on(self, source, result);
    else
        multishot_over(self, source);
}

/* Mostly an operation waits, nothing is before it, and it takes the buffer as it is. */
static void on_multishot(struct ring_op *ring_op, int result, unsigned flags)
{
    struct ring_source *source = container_of(ring_op, struct ring_source, multishot);
    struct ring_driver *self = ring_driver_of(source->base.driver);
    struct io_op *op = source->receiver;
    if (UNLIKELY(!op || op->kind != IO_RECV_LENT || source->head != NO_SEGMENT ||
                 result <= 0 || !(flags & IORING_CQE_F_MORE))) {
        sort_out(source, result, flags);
        return;
    }
    source->receiver = NULL;
    op->with.bytes.buffer = ring_buffers_at(&self->group, ring_buffers_id(flags));
    ring_op_finish(op, result);
}

enum poll_state ring_lent_start(struct ring_driver *self, struct io_op *op,
                                struct context *context)
{
    struct ring_source *source = ring_source_of(op->source);
    if (self->group_works && take(self, source, op)) {
        ring_op_leave(op);
        return POLL_READY;
    }
    completion_arm(&op->completion, context);
    bool multishot = source->armed || (op->kind == IO_RECV_LENT && self->group_works &&
                                       !self->multishot_refused);
    if (!multishot) {
        receive_plainly(self, op);
        return POLL_PENDING;
    }
    source->receiver = op;
    if (!source->armed && !arm(self, source)) {
        source->receiver = NULL;
        receive_plainly(self, op);
    }
    return POLL_PENDING;
}

bool ring_lent_withdraw(struct io_op *op)
{
    struct ring_source *source = ring_source_of(op->source);
    if (source->receiver != op)
        return false;
    source->receiver = NULL; /* the multishot goes on: what it brings is not lost */
    ring_op_leave(op);
    completion_disarm(&op->completion);
    op->result = -ECANCELED;
    return true;
}

bool ring_lent_stop(struct ring_driver *self, struct ring_source *source)
{
    if (source->armed && !source->stopping && ring_driver_is_ours(self)) {
        source->stopping = true;
        source->stop_waits = ring_cancel(&self->ring, &source->multishot) < 0;
        if (source->stop_waits) {
            source->next_stop = self->stops;
            self->stops = source;
        }
    }
    return !source->armed;
}

void ring_lent_retry_stops(struct ring_driver *self)
{
    struct ring_source *source = self->stops;
    self->stops = NULL;
    while (source) {
        struct ring_source *next = source->next_stop;
        source->stopping = false;
        ring_lent_stop(self, source); /* or back into the list */
        source = next;
    }
}

void ring_lent_drop_segments(struct ring_driver *self, struct ring_source *source)
{
    while (source->head != NO_SEGMENT)
        ring_buffers_recycle(&self->group, pop_segment(self, source));
}

void ring_lent_give_back(struct ring_driver *self, void *buffer)
{
    uintptr_t first = (uintptr_t)self->group.memory;
    size_t bytes = (size_t)self->group.count * self->group.size;
    if ((uintptr_t)buffer - first < bytes)
        ring_buffers_recycle(
            &self->group, (unsigned)(((uintptr_t)buffer - first) / self->group.size));
    else
        lent_pool_give_back(&self->lent, buffer);
}
