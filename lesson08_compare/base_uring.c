/* base_uring: the raw completion loop.
 *
 * One thread, one ring. One multishot accept brings every connection, one multishot
 * receive a connection brings all its bytes, in buffers that the kernel takes from a
 * pool that we gave it; nothing is submitted for the next request, and one system call
 * (io_uring_enter) submits all answers of a round and waits for the next one. That call
 * is the only one on the way of a request, shared by all that arrived together.
 *
 * The kernel decides when bytes arrive, so they may come while an answer is on its way.
 * Two sends in flight on one socket could be reordered, so a connection keeps a queue
 * of filled buffers and answers one at a time. A buffer is a number; the queue's links
 * are an array of numbers (`next`), which allocates nothing.
 *
 * A peer that sends and never receives would collect the whole pool: a connection that
 * has HOARD_LIMIT buffers has its receive cancelled until its queue is shorter again.
 * If the pool runs dry all the same (the kernel says ENOBUFS and ends that receive),
 * the connection waits in `starving` until buffers came back. Pool and limit together
 * mean that POOL_BUFFERS / HOARD_LIMIT such peers can still starve the rest; a real
 * server copies.
 *
 * Invariant: a connection is freed only when nothing of it is in flight any more
 * (receive armed, send, cancel), and its descriptor is closed after that, not before:
 * close does not cancel (RULES C4). */
#include "lesson08_compare/base_uring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/container.h"
#include "lesson08_compare/base_connection.h"

#define SQ_ENTRIES 1024
#define CQ_ENTRIES 16384

struct io_uring_sqe *base_loop_sqe(struct base_loop *loop)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&loop->ring))) {
        int n = io_uring_submit(&loop->ring); /* full: flush, never drop (RULES C6) */
        loop->base->served.syscalls++;
        CHECK(n >= 0 || n == -EAGAIN || n == -EINTR || n == -EBUSY,
              "the ring takes no submissions: %d", n);
    }
    return sqe;
}

void base_loop_tag(struct base_loop *loop, struct io_uring_sqe *sqe,
                   struct base_connection *c, enum base_kind kind)
{
    loop->in_flight++;
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)c | kind);
}

static void arm_accept(struct base_loop *loop)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_multishot_accept(sqe, loop->base->listener, NULL, NULL, SOCK_CLOEXEC);
    base_loop_tag(loop, sqe, NULL, ON_ACCEPT);
}

static void on_accept(struct base_loop *loop, int result, bool more)
{
    if (result >= 0)
        base_connection_open(loop, result);
    else if (result == -EMFILE || result == -ENFILE)
        loop->accept_paused = true; /* arming it again now would spin (RULES R5) */
    else if (result == -EINVAL)
        loop->failure = base_fail("this kernel has no multishot accept", result);
    if (!more && !loop->accept_paused && !loop->failure)
        arm_accept(loop);
}

static void on_completion(struct base_loop *loop, const struct io_uring_cqe *cqe)
{
    struct base_connection *c =
        (struct base_connection *)(uintptr_t)(cqe->user_data & ~KIND_MASK);
    bool more = cqe->flags & IORING_CQE_F_MORE;
    if (!more)
        loop->in_flight--;
    switch ((enum base_kind)(cqe->user_data & KIND_MASK)) {
    case ON_SIGNAL:
        loop->leaving = true;
        return;
    case ON_ACCEPT:
        on_accept(loop, cqe->res, more);
        return;
    case ON_CLOSE:
        if (loop->accept_paused) {
            loop->accept_paused = false;
            arm_accept(loop);
        }
        return;
    case ON_RECEIVE:
        base_connection_received(loop, c, cqe);
        break;
    case ON_SEND:
        base_connection_sent(loop, c, cqe->res);
        break;
    case ON_CANCEL:
        c->cancelling = false;
        break;
    case ON_SHUTDOWN:
        c->shutting = false;
        break;
    }
    base_connection_advance(loop, c);
}

/* Publishes the buffers that came back, and feeds those who had none. */
static void refill(struct base_loop *loop)
{
    struct list *node;
    if (base_pool_publish(&loop->pool) == 0)
        return;
    while ((node = list_pop_front(&loop->starving))) {
        struct base_connection *c = container_of(node, struct base_connection, hunger);
        base_connection_advance(loop, c);
    }
}

/* One round: submit what is prepared, wait, take every completion that is there. */
static int turn(struct base_loop *loop,
                void (*handle)(struct base_loop *loop, const struct io_uring_cqe *cqe))
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    int n = io_uring_submit_and_wait(&loop->ring, 1);
    loop->base->served.syscalls++;
    if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY)
        return base_fail("cannot wait for completions", n);
    io_uring_for_each_cqe (&loop->ring, head, cqe) {
        handle(loop, cqe);
        seen++;
    }
    io_uring_cq_advance(&loop->ring, seen);
    return 0;
}

static int run(struct base_loop *loop)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_poll_add(sqe, loop->base->signals, POLLIN);
    base_loop_tag(loop, sqe, NULL, ON_SIGNAL);
    arm_accept(loop);
    base_announce(loop->base);
    while (!loop->leaving && !loop->failure) {
        refill(loop);
        int err = turn(loop, on_completion);
        if (err < 0)
            return err;
    }
    return loop->failure;
}

static void only_count(struct base_loop *loop, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        loop->in_flight--;
    bool accepted = (cqe->user_data & KIND_MASK) == ON_ACCEPT && cqe->res >= 0;
    if (accepted)
        close(cqe->res);
}

/* Nothing may be freed that the kernel still writes to: cancel everything, then
 * wait until everything has been answered (RULES C3). */
static void wind_down(struct base_loop *loop)
{
    struct io_uring_sqe *sqe = base_loop_sqe(loop);
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    base_loop_tag(loop, sqe, NULL, ON_CANCEL);
    while (loop->in_flight > 0 && turn(loop, only_count) == 0)
        ;
    while (!list_empty(&loop->connections)) {
        struct base_connection *c =
            container_of(loop->connections.next, struct base_connection, link);
        close(c->fd);
        base_connection_free(loop, c);
    }
}

static int open_ring(struct base_loop *loop)
{
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER |
                                               IORING_SETUP_DEFER_TASKRUN |
                                               IORING_SETUP_CQSIZE,
                                      .cq_entries = CQ_ENTRIES };
    int err = io_uring_queue_init_params(SQ_ENTRIES, &loop->ring, &params);
    if (err == -EPERM || err == -ENOSYS)
        return base_fail("this machine refuses io_uring; use base_epoll instead", err);
    if (err == -EINVAL)
        return base_fail("this kernel's io_uring is too old (6.1 has what it takes)",
                         err);
    if (err < 0)
        return base_fail("cannot make a ring", err);
    io_uring_register_ring_fd(&loop->ring); /* saves a little; not having it is fine */
    return 0;
}

int base_uring_serve(struct base *base)
{
    struct base_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return base_fail("cannot make the loop", -ENOMEM);
    loop->base = base;
    list_init(&loop->connections);
    list_init(&loop->starving);
    int err = open_ring(loop);
    if (err < 0)
        goto free_loop;
    err = base_pool_init(&loop->pool, &loop->ring);
    if (err < 0) {
        base_fail("cannot register the receive buffers", err);
        goto close_ring;
    }
    err = run(loop);
    wind_down(loop);
close_ring:
    io_uring_queue_exit(&loop->ring);
    base_pool_finish(&loop->pool);
free_loop:
    free(loop);
    return err;
}
