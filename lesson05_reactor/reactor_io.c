/* reactor_io: operations on top of edges.
 *
 * The task tries the syscall in its own poll while the ready bit is set, and clears the
 * bit only when the syscall said EAGAIN - and only if no newer edge came meanwhile, which
 * the tick tells (RULES R1, R2). A short read on a stream drained it as well, so it clears
 * the bit without the extra syscall - unless the peer has hung up: data and FIN may share
 * one edge, and then there is still an end to be read (R12). Two things end a read early
 * without draining the stream, TCP's urgent mark and a passed descriptor; who uses those
 * attaches as IO_TYPE_ANY.
 *
 * What epoll cannot wait for, regular files, goes to the offload and comes back through a
 * completion. */
#include <errno.h>
#include <unistd.h>

#include "lesson05_reactor/epoll_source.h"

/* ---- io_driver_ops */

static int reactor_attach(struct io_driver *driver, int fd, enum io_type type,
                          struct io_source **out)
{
    struct reactor *self = reactor_of(driver);
    struct io_source *base = source_pool_take(&self->sources, driver, fd, type);
    if (!base)
        return -ENOMEM;
    struct epoll_source *source = source_of(base);
    readiness_reset(&source->directions[READING].readiness, false);
    readiness_reset(&source->directions[WRITING].readiness, true);
    *out = base;
    return 0;
}

static int reactor_detach(struct io_driver *driver, struct io_source *base)
{
    struct reactor *self = reactor_of(driver);
    struct epoll_source *source = source_of(base);
    int fd = base->fd;
    CHECK(!direction_waits(&source->directions[READING]) &&
              !direction_waits(&source->directions[WRITING]),
          "fd %d is closed or detached while an operation waits on it", fd);
    /* relaxed, all: who closes comes after every operation, by what ordered their tasks */
    CHECK(atomic_load_explicit(&source->jobs, memory_order_relaxed) == 0,
          "fd %d is closed or detached while an operation is in the offload", fd);
    if (atomic_load_explicit(&source->watched, memory_order_relaxed) != 0) {
        atomic_store_explicit(&source->tag, NULL, memory_order_relaxed);
        atomic_store_explicit(&source->watched, 0, memory_order_relaxed);
        /* Before close(2): while a duplicate lives, close would leave it watched (R4). */
        io_count_syscall();
        int err = poller_remove(&self->poller, fd);
        CHECK(err == 0 || err == -ESTALE,
              "fd %d was closed behind its source's back (epoll says errno %d)", fd,
              -err);
    }
    source_pool_give_back(&self->sources, base);
    return fd;
}

/* ---- waiting for an edge */

/* Tells epoll that this direction, too, has somebody who waits. Reading always: who writes
 * will read. Writing only once a write had to wait, which most never have to: each message
 * that arrives would be an edge for them as well. 0, negative errno, or -EALREADY: the
 * other direction is telling it this very moment.
 *
 * relaxed, all: the set is the kernel's, and nothing of ours is behind these. The tag is
 * there before epoll_ctl; whoever is given an event comes after that, by the kernel's
 * own locks. */
static SELDOM int watch_more(struct reactor *self, struct epoll_source *source,
                             unsigned seen, unsigned needed)
{
    if (seen & WATCH_CHANGES || !atomic_compare_exchange_strong_explicit(
                                    &source->watched, &seen, seen | WATCH_CHANGES,
                                    memory_order_relaxed, memory_order_relaxed))
        return -EALREADY;
    unsigned next = needed | WATCHED_READS;
    uint32_t events = POLLER_READABLE | POLLER_RDHUP | POLLER_EDGE;
    if (next & WATCHED_WRITES)
        events |= POLLER_WRITABLE;
    void *tag = event_tag(source);
    atomic_store_explicit(&source->tag, tag, memory_order_relaxed);
    io_count_syscall();
    int err = seen ? poller_modify(&self->poller, source->base.fd, events, tag)
                   : poller_add(&self->poller, source->base.fd, events, tag);
    atomic_store_explicit(&source->watched, err < 0 ? seen : next,
                          memory_order_relaxed);
    return err;
}

static int watch(struct reactor *self, struct epoll_source *source, int direction)
{
    unsigned needed = direction == READING ? WATCHED_READS : WATCHED_WRITES;
    /* relaxed: see watch_more */
    unsigned seen = atomic_load_explicit(&source->watched, memory_order_relaxed);
    return seen & needed ? 0 : watch_more(self, source, seen, needed);
}

/* Makes the direction the operation's own until it leaves; false: it is another's. */
static bool enter(const struct reactor *self, struct direction *direction,
                  const struct io_op *op)
{
    const struct io_op *waits = direction_waits(direction);
    if (waits)
        return waits == op;
    if (self->shared) /* acquire: pairs with the release in leave: the slot is ours */
        return atomic_compare_exchange_strong_explicit(
            &direction->waits, &waits, op, memory_order_acquire, memory_order_relaxed);
    atomic_store_explicit(&direction->waits, op, memory_order_relaxed);
    return true;
}

static SELDOM void disarm(const struct reactor *self, struct direction *direction)
{
    readiness_disarm(&direction->readiness, self->shared);
}

/* The operation is over: the direction is free. After the edge that woke us there is
 * nothing to disarm. */
static inline void leave(const struct reactor *self, struct direction *direction,
                         const struct io_op *op)
{
    if (direction_waits(direction) != op)
        return;
    if (direction_is_armed(direction))
        disarm(self, direction);
    /* release: pairs with the acquire in enter */
    atomic_store_explicit(&direction->waits, NULL, memory_order_release);
}

static enum poll_state try_or_wait(struct reactor *self, struct io_op *op,
                                   struct context *context);

/* Not ready, said `seen`. */
static SELDOM enum poll_state wait_for_edge(struct reactor *self, struct io_op *op,
                                            struct direction *direction, uint32_t seen,
                                            struct context *context)
{
    struct epoll_source *source = source_of(op->source);
    int err = enter(self, direction, op)
                  ? watch(self, source, (int)(direction - source->directions))
                  : -EBUSY;
    if (err == -EALREADY) { /* come again: this one may fail where the other did not */
        waker_wake_by_ref(context->waker);
        return POLL_PENDING;
    }
    if (err < 0) {
        leave(self, direction, op);
        op->result = err;
        return POLL_READY;
    }
    if (readiness_arm(&direction->readiness, seen, context, self->shared))
        return POLL_PENDING;
    return try_or_wait(self, op, context); /* an edge has come */
}

/* Did this result say that nothing more is to be had until the next edge? `seen`: the
 * readiness before the try. */
static inline bool drained(const struct epoll_kind *kind, const struct io_op *op, int n,
                           uint32_t seen)
{
    if (n == NOT_READY)
        return true;
    return kind->short_is_empty && op->source->type == IO_TYPE_STREAM && n > 0 &&
           (uint32_t)n < op->length && !(seen & READINESS_HUNG_UP); /* R12 */
}

/* Tries while the ready bit is on; waits when it is off. */
static enum poll_state try_or_wait(struct reactor *self, struct io_op *op,
                                   struct context *context)
{
    const struct epoll_kind *kind = &epoll_kinds[op->kind];
    struct direction *direction = &source_of(op->source)->directions[kind->direction];
    const struct io_op *other = direction_waits(direction);
    if (other && other != op) {
        op->result = -EBUSY;
        return POLL_READY;
    }
    for (;;) {
        uint32_t seen = readiness_look(&direction->readiness);
        if (!(seen & READINESS_READY))
            return wait_for_edge(self, op, direction, seen, context);
        int n = kind->attempt(self, op);
        if (drained(kind, op, n, seen))
            readiness_clear(&direction->readiness, seen, self->shared); /* R2 */
        if (n > TRY_AGAIN) {
            leave(self, direction, op);
            op->result = n;
            return POLL_READY;
        }
    }
}

/* ---- what epoll cannot do */

static void count_job(struct io_op *op, int change)
{
    if (op->source)
        atomic_fetch_add_explicit(&source_of(op->source)->jobs, change,
                                  memory_order_relaxed);
}

static void run_job(struct offload_job *job)
{
    struct io_op *op = container_of(job, struct io_op, via.job);
    epoll_op_run_blocking(op);
    count_job(op, -1);
    completion_complete(&op->completion);
}

static enum poll_state start_blocking(struct io_op *op, struct context *context)
{
    const struct io_services *services = TLS(io_services_here);
    struct offload *offload = services ? services->offload : NULL;
    if (!offload) {
        op->result = -EOPNOTSUPP;
        return POLL_READY;
    }
    completion_arm(&op->completion, context);
    op->via.job.run = run_job;
    op->via.job.offload = offload;
    count_job(op, 1);
    int err = offload->ops->submit(offload, &op->via.job);
    if (err == 0)
        return POLL_PENDING;
    count_job(op, -1);
    completion_disarm(&op->completion);
    op->result = err;
    return POLL_READY;
}

static SELDOM enum poll_state poll_blocking(struct io_op *op, struct context *context)
{
    if (op->cancelled && !op->driver_use) {
        op->driver_use = 1; /* one try: once a thread runs it, it can only be awaited */
        struct offload *offload = op->via.job.offload;
        if (offload->ops->withdraw(offload, &op->via.job)) {
            count_job(op, -1);
            completion_disarm(&op->completion);
            op->result = -ECANCELED;
            return POLL_READY;
        }
    }
    return completion_poll(&op->completion, context) ? POLL_READY : POLL_PENDING;
}

/* ---- the operations */

static enum poll_state close_source(struct reactor *self, struct io_op *op)
{
    int fd = reactor_detach(&self->driver, op->source);
    op->source = NULL;
    io_count_syscall();
    op->result = close(fd) < 0 && errno != EINTR ? -errno : 0;
    return POLL_READY;
}

static SELDOM enum poll_state start_otherwise(struct reactor *self, struct io_op *op,
                                              struct context *context)
{
    if (op->kind == IO_CLOSE)
        return close_source(self, op);
    if (epoll_op_blocks(op))
        return start_blocking(op, context);
    return try_or_wait(self, op, context);
}

/* Files may block, the rest may not: two looks tell what is most common. */
static inline bool is_plain(const struct io_op *op)
{
    return epoll_kinds[op->kind].attempt && op->source->type != IO_TYPE_FILE;
}

static enum poll_state reactor_start(struct io_driver *driver, struct io_op *op,
                                     struct context *context)
{
    struct reactor *self = reactor_of(driver);
    return is_plain(op) ? try_or_wait(self, op, context)
                        : start_otherwise(self, op, context);
}

static SELDOM enum poll_state end_cancelled(struct reactor *self, struct io_op *op)
{
    int direction = epoll_kinds[op->kind].direction;
    leave(self, &source_of(op->source)->directions[direction], op);
    op->result = -ECANCELED;
    return POLL_READY;
}

static enum poll_state reactor_poll(struct io_driver *driver, struct io_op *op,
                                    struct context *context)
{
    struct reactor *self = reactor_of(driver);
    if (!is_plain(op) && epoll_op_blocks(op))
        return poll_blocking(op, context);
    return op->cancelled ? end_cancelled(self, op) : try_or_wait(self, op, context);
}

static void reactor_cancel(struct io_driver *driver, struct io_op *op)
{
    (void)driver; /* nothing is in the kernel; the poll that follows sees the flag */
    (void)op;
}

static void reactor_give_back(struct io_driver *driver, struct io_op *op)
{
    lent_pool_give_back(&reactor_of(driver)->lent, op->with.bytes.buffer);
}

const struct io_driver_ops reactor_driver_ops = {
    .name = "epoll",
    .attach = reactor_attach,
    .detach = reactor_detach,
    .start = reactor_start,
    .poll = reactor_poll,
    .cancel = reactor_cancel,
    .give_back = reactor_give_back,
};
