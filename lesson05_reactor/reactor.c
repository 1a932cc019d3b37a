/* reactor: edges in, wakes out.
 *
 * Problem: an edge is reported once. Whoever throws it away waits for ever; whoever
 * believes an old one spins. Idea: remember it in a ready bit for each direction, let the
 * task try the syscall while the bit is set, and clear the bit only when the syscall said
 * EAGAIN - and only if no newer edge came meanwhile, which the tick tells (RULES R1, R2).
 * A short read on a stream drained it as well, so it clears the bit without the extra
 * syscall - unless the peer has hung up: data and FIN may share one edge, and then there
 * is still an end to be read (R12).
 *
 * Invariant: if an operation is armed, its direction's ready bit is off, the descriptor
 * is registered, and the next edge takes its waker out under the source's lock. Wakes
 * happen after unlocking (W6).
 *
 * An event carries the source's address and 16 bits of its generation: an event for an
 * earlier tenant of that memory is dropped (R4). */
#include "lesson05_reactor/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lesson05_reactor/epoll_source.h"

enum { EMPTY = 0, TOKEN = 1, PARKED = 2 };

#define DEFAULT_EVENTS 256
#define DEFAULT_LENT_SIZE 2048
#define ADDRESS_BITS 48
#define WATCHED (POLLER_READABLE | POLLER_WRITABLE | POLLER_RDHUP | POLLER_EDGE)
#define HANGUP (POLLER_RDHUP | POLLER_HUP | POLLER_ERR)

static struct reactor *reactor_of(struct io_driver *driver)
{
    return container_of(driver, struct reactor, driver);
}

static struct epoll_source *source_of(struct io_source *source)
{
    return container_of(source, struct epoll_source, base);
}

/* ---- events */

static void *event_tag(const struct epoll_source *source)
{
    uint64_t address = (uint64_t)(uintptr_t)source;
    CHECK(address >> ADDRESS_BITS == 0, "an address with more than 48 bits");
    uint64_t generation = (uint64_t)source->base.generation << ADDRESS_BITS;
    return (void *)(uintptr_t)(generation | address);
}

static struct epoll_source *event_source(const void *tag)
{
    uint64_t bits = (uint64_t)(uintptr_t)tag;
    uint64_t address = bits & ((UINT64_C(1) << ADDRESS_BITS) - 1);
    return (struct epoll_source *)(uintptr_t)address;
}

/* With the source's lock held: notes an edge and takes the waiter's waker. */
static struct waker note_edge(struct direction *direction)
{
    struct waker waker = { 0 };
    direction->ready = true;
    direction->tick++;
    if (direction->waits) {
        waker = waker_take(&direction->waits->completion.waker);
        direction->waits = NULL;
    }
    return waker;
}

static void handle_event(struct reactor *self, const struct poller_event *event)
{
    void *tag = poller_event_user(event);
    uint32_t bits = poller_event_bits(event);
    if (!tag)
        return; /* the notifier: edge-triggered, so it needs no drain (R8) */
    struct epoll_source *source = event_source(tag);
    struct waker reader = { 0 };
    struct waker writer = { 0 };
    source_lock(self, source);
    if (event_tag(source) == tag && source->registered) {
        source->hung_up |= (bits & HANGUP) != 0;
        if (bits & (POLLER_READABLE | HANGUP)) /* R3: an end or an error is news, too */
            reader = note_edge(&source->directions[READING]);
        if (bits & (POLLER_WRITABLE | POLLER_HUP | POLLER_ERR))
            writer = note_edge(&source->directions[WRITING]);
    }
    source_unlock(self, source);
    waker_wake(&reader);
    waker_wake(&writer);
}

/* ---- parker_ops */

/* Says whether we may sleep; a token that is there is taken. */
static bool fall_asleep(struct reactor *self)
{
    unsigned seen = EMPTY;
    /* acquire: pairs with the release in reactor_unpark */
    if (atomic_compare_exchange_strong_explicit(
            &self->token, &seen, PARKED, memory_order_acquire, memory_order_acquire))
        return true;
    atomic_exchange_explicit(&self->token, EMPTY, memory_order_acquire);
    return false;
}

static int reactor_park(struct parker *parker, int64_t timeout_ns)
{
    struct reactor *self = container_of(parker, struct reactor, parker);
    int64_t sleep = timeout_ns;
    if (sleep != 0 && !fall_asleep(self))
        sleep = 0;
    bool parked = sleep != 0;
    if (parked)
        sleep = timers_sleep_for(&self->timers, sleep);
    io_count_syscall();
    int n = poller_wait(&self->poller, self->events, (int)self->capacity, sleep);
    if (parked) /* acquire: pairs with the release in reactor_unpark */
        atomic_exchange_explicit(&self->token, EMPTY, memory_order_acquire);
    for (int i = 0; i < n; i++)
        handle_event(self, &self->events[i]);
    timers_fire(&self->timers);
    return n < 0 ? n : 0;
}

static void reactor_unpark(struct parker *parker)
{
    struct reactor *self = container_of(parker, struct reactor, parker);
    /* release: pairs with the acquires above; a swap, so that merged unparks all publish */
    if (atomic_exchange_explicit(&self->token, TOKEN, memory_order_release) == PARKED)
        notifier_notify(&self->notifier);
}

static const struct parker_ops reactor_parker_ops = {
    .name = "reactor",
    .park = reactor_park,
    .unpark = reactor_unpark,
};

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
    source->hung_up = false;
    source->directions[READING] = (struct direction){ 0 };
    source->directions[WRITING] = (struct direction){ .ready = true };
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
    CHECK(!source->directions[READING].waits && !source->directions[WRITING].waits,
          "fd %d is closed or detached while an operation waits on it", fd);
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
    if (direction->waits && direction->waits != op)
        return -EBUSY;
    if (!source->registered) {
        io_count_syscall();
        int err =
            poller_add(&self->poller, source->base.fd, WATCHED, event_tag(source));
        if (err < 0)
            return err;
        source->registered = true;
    }
    waker_store(&op->completion.waker, context);
    direction->waits = op;
    return 0;
}

static void disarm(struct epoll_source *source, struct io_op *op)
{
    struct direction *direction = &source->directions[epoll_op_direction(op)];
    if (direction->waits == op)
        direction->waits = NULL;
    waker_drop(&op->completion.waker);
}

/* Did this result say that nothing more is to be had until the next edge? */
static bool drained(const struct epoll_source *source, const struct io_op *op, int n,
                    size_t lent_size)
{
    if (n == -EAGAIN)
        return true;
    size_t asked = op->kind == IO_RECV_LENT ? lent_size : op->length;
    bool reads = op->kind == IO_RECV || op->kind == IO_READ || op->kind == IO_RECV_LENT;
    return reads && source->base.type == IO_TYPE_STREAM && n > 0 && (size_t)n < asked &&
           !source->hung_up; /* R12 */
}

/* Tries while the ready bit is on; arms when it is off. */
static enum poll_state try_or_arm(struct reactor *self, struct io_op *op,
                                  struct context *context)
{
    struct epoll_source *source = source_of(op->source);
    struct direction *direction = &source->directions[epoll_op_direction(op)];
    source_lock(self, source);
    for (;;) {
        if (!direction->ready) {
            op->result = arm(self, source, op, context);
            source_unlock(self, source);
            return op->result < 0 ? POLL_READY : POLL_PENDING;
        }
        uint32_t tick = direction->tick;
        source_unlock(self, source);
        int n = epoll_op_attempt(self, op);
        source_lock(self, source);
        if (direction->tick == tick && drained(source, op, n, self->lent.size))
            direction->ready = false; /* R2: only if no newer edge came */
        if (n != -EAGAIN) {
            disarm(source, op);
            source_unlock(self, source);
            op->result = n;
            return POLL_READY;
        }
    }
}

/* ---- what epoll cannot do */

static void run_job(struct offload_job *job)
{
    struct io_op *op = container_of(job, struct io_op, via.job);
    epoll_op_run_blocking(op);
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
    int err = offload->ops->submit(offload, &op->via.job);
    if (err == 0)
        return POLL_PENDING;
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
    struct epoll_source *source = source_of(op->source);
    source_lock(self, source);
    disarm(source, op);
    source_unlock(self, source);
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

static const struct io_driver_ops reactor_driver_ops = {
    .name = "epoll",
    .attach = reactor_attach,
    .detach = reactor_detach,
    .start = reactor_start,
    .poll = reactor_poll,
    .cancel = reactor_cancel,
    .give_back = reactor_give_back,
};

/* ---- life */

int reactor_init(struct reactor *reactor, const struct reactor_config *config)
{
    *reactor = (struct reactor){
        .driver = { &reactor_driver_ops },
        .parker = { &reactor_parker_ops },
        .shared = config->shared,
        .capacity = config->events ? config->events : DEFAULT_EVENTS,
    };
    size_t lent_size = config->lent_size ? config->lent_size : DEFAULT_LENT_SIZE;
    int err =
        timers_init(&reactor->timers, config->shared, config->clock, &reactor->parker);
    if (err < 0)
        return err;
    err = source_pool_init(&reactor->sources, sizeof(struct epoll_source));
    if (err < 0)
        goto fail_sources;
    err = lent_pool_init(&reactor->lent, lent_size, config->shared);
    if (err < 0)
        goto fail_lent;
    err = poller_init(&reactor->poller);
    if (err < 0)
        goto fail_poller;
    err = notifier_init(&reactor->notifier);
    if (err < 0)
        goto fail_notifier;
    err = poller_add(&reactor->poller, reactor->notifier.fd,
                     POLLER_READABLE | POLLER_EDGE, NULL);
    if (err < 0)
        goto fail_events;
    reactor->events = calloc(reactor->capacity, sizeof *reactor->events);
    if (reactor->events)
        return 0;
    err = -ENOMEM;
fail_events:
    notifier_finish(&reactor->notifier);
fail_notifier:
    poller_finish(&reactor->poller);
fail_poller:
    lent_pool_finish(&reactor->lent);
fail_lent:
    source_pool_finish(&reactor->sources);
fail_sources:
    timers_finish(&reactor->timers);
    return err;
}

static void finish_lock(struct io_source *base)
{
    struct epoll_source *source = source_of(base);
    if (source->has_lock)
        pthread_mutex_destroy(&source->lock);
    source->has_lock = false;
}

void reactor_finish(struct reactor *reactor)
{
    if (!reactor || !reactor->events)
        return;
    free(reactor->events);
    reactor->events = NULL;
    notifier_finish(&reactor->notifier);
    poller_finish(&reactor->poller);
    lent_pool_finish(&reactor->lent);
    source_pool_each(&reactor->sources, finish_lock);
    source_pool_finish(&reactor->sources);
    timers_finish(&reactor->timers);
}
