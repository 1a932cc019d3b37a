/* driver_testing: a driver on the test's own thread, and futures driven by hand.
 *
 * No executor and no tasks: a test makes an operation on its stack and drives it, so that
 * it may assert between any two steps. drive() polls only when it was woken: an operation
 * that is PENDING and wakes nobody fails the test. Header only, for test programs. */
#ifndef LESSON05_DRIVER_TESTING_H
#define LESSON05_DRIVER_TESTING_H

#include "common/testing/testing.h"

#include <netinet/in.h>
#include <sched.h>
#include <unistd.h>

#include "common/clock.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson03_iouring/ring_testing.h"
#include "lesson05_reactor/net.h"
#include "lesson05_reactor/reactor.h"
#include "lesson05_reactor/ring_driver.h"

/* An offload without threads: its jobs run when the test turns the world. */
struct fake_offload {
    struct offload offload;
    struct offload_job *queue;
    int refuse; /* what submit answers; 0: takes the job */
};

static inline int fake_submit(struct offload *offload, struct offload_job *job)
{
    struct fake_offload *self = container_of(offload, struct fake_offload, offload);
    if (self->refuse)
        return self->refuse;
    job->next = self->queue;
    self->queue = job;
    return 0;
}

static inline bool fake_withdraw(struct offload *offload, struct offload_job *job)
{
    struct fake_offload *self = container_of(offload, struct fake_offload, offload);
    struct offload_job **at = &self->queue;
    while (*at && *at != job)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = job->next;
    return true;
}

static const struct offload_ops fake_offload_ops = { "fake", fake_submit,
                                                     fake_withdraw };

struct driver_world;

/* What a contract needs to know about a driver. */
struct driver_subject {
    const char *name;
    /* 0, or why there is no such driver here: then the case is skipped. */
    int (*open)(struct driver_world *world);
    void (*close)(struct driver_world *world);
    bool shared;
    bool keeps_buffers; /* data may wait in the driver's own buffers (multishot) */
    unsigned
        lent_size; /* the smallest sensible, so that the limits are met; 0: default */
    unsigned lent_buffers;
};

struct driver_world {
    const struct driver_subject *subject;
    /* set by open */
    struct io_driver *driver;
    struct parker *parker;
    struct timers *timers;
    struct source_pool *sources;
    /* the world's own */
    struct virtual_clock *clock; /* borrows; may be set before open */
    struct fake_offload offload;
    struct io_stats stats;
    struct io_services services;
    const struct io_services *before;
    struct wake_count wakes;
    struct waker waker;
    int fds;
    union {
        struct reactor reactor;
        struct ring_driver ring;
    } memory;
};

static inline int open_reactor(struct driver_world *world)
{
    struct reactor_config config = { .shared = world->subject->shared,
                                     .lent_size = world->subject->lent_size,
                                     .clock = world->clock };
    struct reactor *reactor = &world->memory.reactor;
    int err = reactor_init(reactor, &config);
    world->driver = &reactor->driver;
    world->parker = &reactor->parker;
    world->timers = &reactor->timers;
    world->sources = &reactor->sources;
    return err;
}

static inline void close_reactor(struct driver_world *world)
{
    reactor_finish(&world->memory.reactor);
}

static inline int open_ring_driver(struct driver_world *world)
{
    struct ring_driver_config config = { .shared = world->subject->shared,
                                         .entries = 8,
                                         .cq_entries = 16,
                                         .lent_size = world->subject->lent_size,
                                         .lent_buffers = world->subject->lent_buffers,
                                         .clock = world->clock };
    struct ring_driver *ring = &world->memory.ring;
    int err = ring_driver_init(ring, &config);
    world->driver = &ring->driver;
    world->parker = &ring->parker;
    world->timers = &ring->timers;
    world->sources = &ring->sources;
    return err;
}

static inline void close_ring_driver(struct driver_world *world)
{
    ring_driver_finish(&world->memory.ring);
}

static inline void enter_world(struct driver_world *world)
{
    world->offload.offload.ops = &fake_offload_ops;
    world->services = (struct io_services){ world->driver, world->timers,
                                            &world->offload.offload, &world->stats };
    world->before = io_services_enter(&world->services);
    world->waker = wake_count_clone(&world->wakes);
}

/* Opens the subject's driver for this thread. False: this machine has none. */
static inline bool open_world(struct driver_world *world,
                              const struct driver_subject *subject)
{
    struct virtual_clock *clock = world->clock;
    memset(world, 0, sizeof *world);
    world->clock = clock;
    world->subject = subject;
    world->fds = open_fds();
    int err = subject->open(world);
    if (err < 0) {
        fprintf(stderr, "left out, for there is no %s driver here: errno %d\n",
                subject->name, -err);
        return false;
    }
    enter_world(world);
    return true;
}

/* Every source must be closed by now. Nothing may be left: wakers, descriptors. */
static inline void close_world(struct driver_world *world)
{
    io_services_leave(world->before);
    waker_drop(&world->waker);
    world->subject->close(world);
    assert_int_equal(world->wakes.references, 0);
    assert_int_equal(open_fds(), world->fds);
}

/* ---- driving */

static inline enum poll_state poll_in(struct driver_world *world, struct future *future)
{
    struct context context = { .waker = &world->waker, .budget = CONTEXT_BUDGET };
    return future_poll(future, &context);
}

static inline void turn_for(struct driver_world *world, int64_t ns)
{
    while (world->offload.queue) {
        struct offload_job *job = world->offload.queue;
        world->offload.queue = job->next;
        job->run(job);
    }
    int err = parker_park(world->parker, ns);
    if (err < 0)
        fail_msg("%s: park says errno %d", world->subject->name, -err);
}

/* Lets the driver notice what has happened. */
static inline void turn(struct driver_world *world)
{
    for (int i = 0; i < 4; i++)
        turn_for(world, 0);
}

static inline void wait_for_wake(struct driver_world *world, unsigned long before)
{
    uint64_t give_up = testing_deadline();
    while (world->wakes.wakes == before) {
        turn_for(world, 50 * (int64_t)NS_PER_MS);
        if (testing_expired(give_up))
            fail_msg("%s: pending, and no wake within %d s", world->subject->name,
                     TEST_PATIENCE_S);
    }
}

/* Polls until READY, and only when woken. */
static inline void drive(struct driver_world *world, struct future *future)
{
    for (;;) {
        unsigned long before = world->wakes.wakes;
        if (poll_in(world, future) == POLL_READY)
            return;
        wait_for_wake(world, before);
    }
}

/* The same, while another one, which may be READY already, goes on beside it. */
static inline void drive_beside(struct driver_world *world, struct future *future,
                                struct future *other)
{
    for (;;) {
        unsigned long before = world->wakes.wakes;
        if (!future_is_done(other))
            poll_in(world, other);
        if (poll_in(world, future) == POLL_READY)
            return;
        wait_for_wake(world, before);
    }
}

static inline int drive_op(struct driver_world *world, struct io_op *op)
{
    drive(world, &op->future);
    return op->result;
}

/* The first poll of an operation that has nothing to finish with yet. */
static inline void start_pending(struct driver_world *world, struct io_op *op)
{
    assert_int_equal(poll_in(world, &op->future), POLL_PENDING);
    turn(world);
}

static inline int send_bytes(struct driver_world *world, struct io_source *source,
                             const void *bytes, size_t size)
{
    struct io_op op = io_send(source, bytes, size);
    return drive_op(world, &op);
}

static inline int recv_bytes(struct driver_world *world, struct io_source *source,
                             void *bytes, size_t size)
{
    struct io_op op = io_recv(source, bytes, size);
    return drive_op(world, &op);
}

/* Polls only when woken, by another thread; false: no wake came. A wake may still be going
 * on when its effect is seen, so this waits until no waker of the probe lives; and the
 * probe is static, for a failed test's operation keeps one. From one thread at a time. */
static inline bool drive_from_afar(struct future *future)
{
    static struct waker_probe probe;
    struct waker waker = probe_waker_clone(&probe);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    uint64_t give_up = testing_deadline();
    long seen = probe_read(&probe.wakes);
    bool woken = true;
    for (; woken && future_poll(future, &context) == POLL_PENDING; seen++)
        while (woken && probe_read(&probe.wakes) <= seen) {
            sched_yield();
            woken = !testing_expired(give_up);
        }
    waker_drop(&waker);
    while (woken && probe_read(&probe.live) > 0) {
        sched_yield();
        woken = !testing_expired(give_up);
    }
    return woken;
}

/* ---- descriptors */

static inline struct io_source *attach_fd(int fd, enum io_type type)
{
    struct io_source *source = NULL;
    int err = io_attach(fd, type, &source);
    if (err < 0)
        fail_msg("io_attach: errno %d", -err);
    return source;
}

static inline void close_source_in(struct driver_world *world, struct io_source *source)
{
    struct io_op op = io_close(source);
    assert_int_equal(drive_op(world, &op), 0);
}

/* One end attached, the other one the test's own: a raw descriptor. */
static inline struct io_source *half_pair(int *peer)
{
    int fds[2];
    assert_int_equal(net_pair(fds), 0);
    *peer = fds[1];
    return attach_fd(fds[0], IO_TYPE_STREAM);
}

static inline void whole_pair(struct io_source *sources[2])
{
    int fds[2];
    assert_int_equal(net_pair(fds), 0);
    sources[0] = attach_fd(fds[0], IO_TYPE_STREAM);
    sources[1] = attach_fd(fds[1], IO_TYPE_STREAM);
}

static inline int listen_locally(struct net_address *address)
{
    struct net_listen_options options = { .backlog = 16 };
    assert_int_equal(net_parse("127.0.0.1:0", address), 0);
    int fd = net_listen(address, &options);
    assert_true(fd >= 0);
    assert_int_equal(net_local_address(fd, address), 0);
    return fd;
}

/* A blocking TCP client of the test's own, connected; the server's side is attached. */
static inline struct io_source *tcp_half(int *peer)
{
    struct net_address address;
    int listener = listen_locally(&address);
    *peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(*peer, &address.any, address.size), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(listener);
    return attach_fd(fd, IO_TYPE_STREAM);
}

static inline void write_raw(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

#endif
