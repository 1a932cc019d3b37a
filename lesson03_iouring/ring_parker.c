/* ring_parker: a token beside the ring, and an eventfd inside it.
 *
 * Problem: io_uring_enter sleeps until there is a completion, and a wake from another
 * thread is none (C13). Idea: keep one poll operation on an eventfd in flight; then a
 * write to the eventfd is a completion. The write costs a system call, so it is made
 * only when the token's old value says that somebody may be asleep.
 *
 * Invariants:
 *   - PARKED is set only while the watch is armed, in flight or queued in the SQ that
 * the same enter submits. So who swaps PARKED out and writes, ends the sleep.
 *   - A sleep that could not submit does not happen: enter takes the SQEs first and
 * waits only when it took all of them.
 *   - The token is taken after the sleep, by a swap; so every unpark before that is
 * seen together with what it published, and one after it is a new token.
 *
 * The watch is a one-shot poll and not a read: a read of a non-blocking eventfd is
 * answered with -EAGAIN by older kernels instead of waiting. */
#include "lesson03_iouring/ring_parker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/container.h"

enum { EMPTY = 0, TOKEN = 1, PARKED = 2 };

enum { FINISH_TRIES = 1000 };

static void kicked(struct ring_op *op, int result, unsigned flags)
{
    struct ring_parker *self = container_of(op, struct ring_parker, kick);
    (void)flags;
    self->armed = false;
    if (result > 0)
        notifier_drain(&self->notifier);
}

/* False: the ring takes nothing at the moment, so nobody could kick us. */
static bool arm(struct ring_parker *self)
{
    if (self->armed)
        return true;
    struct io_uring_sqe *sqe = ring_get_sqe(self->ring);
    if (!sqe)
        return false;
    io_uring_prep_poll_add(sqe, self->notifier.fd, POLLIN);
    self->kick.complete = kicked;
    ring_op_attach(sqe, &self->kick);
    self->armed = true;
    return true;
}

/* May this park sleep? Only when it can be kicked and no token is there. */
static bool announce_sleep(struct ring_parker *self)
{
    uint32_t seen = EMPTY;
    if (!arm(self))
        return false;
    /* relaxed: the swap in ring_park takes the token, with acquire */
    return atomic_compare_exchange_strong_explicit(
        &self->state, &seen, PARKED, memory_order_relaxed, memory_order_relaxed);
}

static int ring_park(struct parker *base, int64_t timeout_ns)
{
    struct ring_parker *self = container_of(base, struct ring_parker, parker);
    if (timeout_ns != 0 && !announce_sleep(self))
        timeout_ns = 0;
    self->sleeps += timeout_ns != 0;
    int err = ring_wait(self->ring, timeout_ns);
    /* acquire: pairs with the release in ring_unpark */
    atomic_exchange_explicit(&self->state, EMPTY, memory_order_acquire);
    ring_reap(self->ring);
    return err == -EAGAIN || err == -EBUSY ? 0 : err; /* still queued (C7): next time */
}

static void ring_unpark(struct parker *base)
{
    struct ring_parker *self = container_of(base, struct ring_parker, parker);
    /* release: pairs with the acquire in ring_park */
    if (atomic_exchange_explicit(&self->state, TOKEN, memory_order_release) != PARKED)
        return;
    atomic_fetch_add_explicit(&self->kicks, 1, memory_order_relaxed);
    notifier_notify(&self->notifier);
}

static const struct parker_ops ring_parker_ops = {
    .name = "ring",
    .park = ring_park,
    .unpark = ring_unpark,
};

int ring_parker_init(struct ring_parker *parker, struct ring *ring)
{
    memset(parker, 0, sizeof *parker);
    parker->parker.ops = &ring_parker_ops;
    int err = notifier_init(&parker->notifier);
    if (!err)
        parker->ring = ring; /* from now on finish has something to undo */
    return err;
}

void ring_parker_finish(struct ring_parker *parker)
{
    if (!parker || !parker->ring)
        return;
    /* Our own kick ends the watch; no cancel needed. An enter that fails is made again; a
     * ring that never recovers is left to ring_finish, which says what is in flight. */
    notifier_notify(&parker->notifier);
    for (int failures = 0; parker->armed && failures < FINISH_TRIES;) {
        failures += ring_wait(parker->ring, -1) != 0;
        ring_reap(parker->ring);
    }
    notifier_finish(&parker->notifier);
    memset(parker, 0, sizeof *parker);
}
