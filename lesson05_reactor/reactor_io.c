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

#define WATCHED (POLLER_READABLE | POLLER_WRITABLE | POLLER_RDHUP | POLLER_EDGE)

/* ---- io_driver_ops */

static int reactor_attach(struct io_driver *driver, int fd, enum io_type type,
                          struct io_source **out)
{
    struct reactor *self = reactor_of(driver);
    struct io_source *base = source_pool_take(&self->sources, driver, fd, type);
    if (!base)
        return -ENOMEM;
    struct epoll_source *source = source_of(base);
    if (!source->has_lock) {
        int err = pthread_mutex_init(&source->lock, NULL);
        if (err != 0) {
            source_pool_give_back(&self->sources, base);
            return -err;
        }
        source->has_lock = true;
    }
    source_lock(self, source);
    source->registered = false;
    readiness_reset(&source->directions[READING].readiness, false);
    readiness_reset(&source->directions[WRITING].readiness, true);
    source_unlock(self, source);
    *out = base;
    return 0;
}

static int reactor_detach(struct io_driver *driver, struct io_source *base)
{
    struct reactor *self = reactor_of(driver);
    struct epoll_source *source = source_of(base);
    int fd = base->fd;
    source_lock(self, source);
    CHECK(!direction_waits(&source->directions[READING]) &&
              !direction_waits(&source->directions[WRITING]),
          "fd %d is closed or detached while an operation waits on it", fd);
    /* relaxed: the task that closes has seen each of its jobs complete */
    CHECK(atomic_load_explicit(&source->jobs, memory_order_relaxed) == 0,
          "fd %d is closed or detached while an operation is in the offload", fd);
    bool registered = source->registered;
    source->registered = false;
    source_unlock(self, source);
    if (registered) {
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

/* With the lock held: arms the operation. 0 or negative errno. */
static int arm(struct reactor *self, struct epoll_source *source, struct io_op *op,
               struct context *context)
{
    struct direction *direction = &source->directions[epoll_op_direction(op)];
    if (!source->registered) {
        io_count_syscall();
        int err =
            poller_add(&self->poller, source->base.fd, WATCHED, event_tag(source));
        if (err < 0)
            return err;
        source->registered = true;
    }
    waker_store(&direction->waker, context);
    /* relaxed, both: read by this operation, and under the lock */
    atomic_store_explicit(&direction->armed, true, memory_order_relaxed);
    atomic_store_explicit(&direction->waits, op, memory_order_relaxed);
    return 0;
}

/* The operation is over: the direction is free. Needs the lock only while a waker is
 * there; after the edge that woke us there is none. */
static void leave(const struct reactor *self, struct epoll_source *source,
                  const struct io_op *op)
{
    struct direction *direction = &source->directions[epoll_op_direction(op)];
    if (direction_waits(direction) != op)
        return;
    if (direction_is_armed(direction)) {
        source_lock(self, source);
        struct waker waker = direction_take_waker(direction);
        source_unlock(self, source);
        waker_drop(&waker);
    }
    /* relaxed: see direction_waits */
    atomic_store_explicit(&direction->waits, NULL, memory_order_relaxed);
}

/* Did this result say that nothing more is to be had until the next edge? `seen`: the
 * readiness before the try. */
static bool drained(const struct io_op *op, int n, size_t lent_size, uint32_t seen)
{
    if (n == NOT_READY)
        return true;
    size_t asked = op->kind == IO_RECV_LENT ? lent_size : op->length;
    bool reads = op->kind == IO_RECV || op->kind == IO_READ || op->kind == IO_RECV_LENT;
    return reads && op->source->type == IO_TYPE_STREAM && n > 0 && (size_t)n < asked &&
           !(seen & READINESS_HUNG_UP); /* R12 */
}

/* The ready bit was off. Looks again under the lock, for an edge may have come: edges are
 * noted under it. True: PENDING, or over with op->result; false: try again. */
static bool wait_for_edge(struct reactor *self, struct io_op *op,
                          struct context *context, enum poll_state *state)
{
    struct epoll_source *source = source_of(op->source);
    struct direction *direction = &source->directions[epoll_op_direction(op)];
    source_lock(self, source);
    const struct io_op *other = direction_waits(direction);
    bool ready = readiness_is_ready(&direction->readiness);
    if (other && other != op)
        op->result = -EBUSY;
    else
        op->result = ready ? 0 : arm(self, source, op, context);
    source_unlock(self, source);
    *state = op->result < 0 ? POLL_READY : POLL_PENDING;
    return op->result < 0 || !ready;
}

/* Tries while the ready bit is on; arms when it is off. */
static enum poll_state try_or_arm(struct reactor *self, struct io_op *op,
                                  struct context *context)
{
    struct epoll_source *source = source_of(op->source);
    struct direction *direction = &source->directions[epoll_op_direction(op)];
    const struct io_op *other = direction_waits(direction);
    if (other && other != op) {
        op->result = -EBUSY;
        return POLL_READY;
    }
    for (;;) {
        uint32_t seen = readiness_look(&direction->readiness);
        enum poll_state state;
        if (!(seen & READINESS_READY)) {
            if (wait_for_edge(self, op, context, &state))
                return state;
            continue;
        }
        int n = epoll_op_attempt(self, op);
        if (drained(op, n, self->lent.size, seen))
            readiness_clear(&direction->readiness, seen, self->shared); /* R2 */
        if (n != NOT_READY) {
            leave(self, source, op);
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

static enum poll_state poll_blocking(struct io_op *op, struct context *context)
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

static enum poll_state reactor_start(struct io_driver *driver, struct io_op *op,
                                     struct context *context)
{
    struct reactor *self = reactor_of(driver);
    if (op->kind == IO_CLOSE)
        return close_source(self, op);
    if (epoll_op_blocks(op))
        return start_blocking(op, context);
    if (op->kind == IO_RECV || op->kind == IO_RECV_LENT)
        op->with.bytes.offset = IO_NO_OFFSET;
    return try_or_arm(self, op, context);
}

static enum poll_state reactor_poll(struct io_driver *driver, struct io_op *op,
                                    struct context *context)
{
    struct reactor *self = reactor_of(driver);
    if (epoll_op_blocks(op))
        return poll_blocking(op, context);
    if (!op->cancelled)
        return try_or_arm(self, op, context);
    leave(self, source_of(op->source), op);
    op->result = -ECANCELED;
    return POLL_READY;
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
