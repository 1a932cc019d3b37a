/* ring: the corner cases of io_uring, each handled once.
 *
 * Problem: every corner of the interface has lost somebody's request. A full SQ returns
 * no SQE (C6); a submit may take part of what was queued, or nothing for the moment
 * (C7); a full CQ moves completions to a list that only the next enter looks at (C8);
 * with deferred completions nothing appears until this thread asks (C12). Idea: four
 * small functions that the rest of the course goes through. Invariants:
 *   - started counts SQEs with an op, finished counts CQEs without F_MORE that have
 *     one; each such SQE posts exactly one of those, so the difference is in flight.
 *   - A sleep is always an enter with GETEVENTS, so the kernel runs deferred work and
 *     flushes the overflow before it lets us sleep.
 *
 * Source: io_uring(7); liburing's own tests for each corner. */
#include "lesson03_iouring/ring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/errname.h"
#include "common/thread_local.h"

/* How many completions one ring_reap delivers before it lets others run (S8). */
#define REAP_LIMIT 4096

/* Its address is a thread's name. */
static TLS_DEFINE(char, this_thread);

/* Before each enter. The kernel would only notice a foreign thread if it had to look the
 * descriptor up; a registered one is looked up in the table of the calling thread. */
static void count_enter(struct ring *ring)
{
    CHECK(!ring->owner || ring->owner == &TLS(this_thread),
          "a RING_SINGLE ring was used by a thread that did not make it");
    atomic_fetch_add_explicit(&ring->enters, 1, memory_order_relaxed);
}

/* ---- making and releasing */

/* liburing maps and unmaps by bare system calls, which TSan does not see: it would take
 * two rings that lived at one address, one after the other, for a race. */
static char mapping_order;

static void unmap(struct ring *ring)
{
    io_uring_queue_exit(&ring->uring);
    memset(ring, 0, sizeof *ring);
    MEM_HANDED_OVER(&mapping_order); /* pairs with try_init */
}

/* A filter may let the setup pass and refuse the rest (C14): send one NOP round. */
static int try_round_trip(struct ring *ring)
{
    struct io_uring_cqe *cqe = NULL;
    struct __kernel_timespec limit = { .tv_sec = 10 };
    io_uring_prep_nop(io_uring_get_sqe(&ring->uring));
    int err;
    do
        err = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &limit, NULL);
    while (err == -EINTR);
    if (err >= 0 && io_uring_peek_cqe(&ring->uring, &cqe) == 0) {
        io_uring_cqe_seen(&ring->uring, cqe);
        return 0;
    }
    return err < 0 ? err : -EIO;
}

static int try_init(struct ring *ring, const struct ring_config *config, unsigned flags)
{
    struct io_uring_params params = { .flags = flags | IORING_SETUP_CLAMP };
    if (config->cq_entries) {
        params.flags |= IORING_SETUP_CQSIZE;
        params.cq_entries = config->cq_entries;
    }
    if (config->sqpoll) {
        params.flags |= IORING_SETUP_SQPOLL;
        params.sq_thread_idle = config->sqpoll_idle_ms;
    }
    memset(ring, 0, sizeof *ring);
    int err = io_uring_queue_init_params(config->entries, &ring->uring, &params);
    if (err) {
        memset(ring, 0, sizeof *ring);
        return err;
    }
    MEM_TAKEN_OVER(&mapping_order); /* pairs with unmap */
    ring->deferred = flags & IORING_SETUP_DEFER_TASKRUN;
#if defined(RUNNING_ON_VALGRIND)
    ring->sleeps_in_poll = RUNNING_ON_VALGRIND != 0;
#endif
    if (!(params.features & IORING_FEAT_NODROP) ||
        !(params.features & IORING_FEAT_EXT_ARG))
        err =
            -EOPNOTSUPP; /* it would drop completions, or could not wait with a limit */
    else
        err = try_round_trip(ring);
    if (!err) {
        /* Saves each enter a look-up of the descriptor. Per thread, so only here; a
         * refusal costs nothing but that. */
        if (config->mode == RING_SINGLE) {
            io_uring_register_ring_fd(&ring->uring);
            ring->owner = &TLS(this_thread);
        }
        return 0;
    }
    unmap(ring);
    return err;
}

int ring_init(struct ring *ring, const struct ring_config *config)
{
    /* TASKRUN_FLAG: a bit in shared memory says that deferred completions wait, so that
     * looking whether there are any costs no system call. */
    const unsigned single = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                            IORING_SETUP_TASKRUN_FLAG;
    if (config->mode == RING_SINGLE && !config->sqpoll) {
        int err = try_init(ring, config, single);
        if (err != -EINVAL) /* -EINVAL: the kernel is older than these flags */
            return err;
    }
    return try_init(ring, config, 0);
}

void ring_finish(struct ring *ring)
{
    if (!ring || ring->uring.ring_fd <= 0)
        return;
    uint64_t left = ring_in_flight(ring);
    CHECK(left == 0,
          "a ring was finished with %llu operations in flight: the kernel still owns "
          "their memory (rule C3: cancel them and wait, or ring_drain)",
          (unsigned long long)left);
    unmap(ring);
}

int ring_drain(struct ring *ring)
{
    while (ring_in_flight(ring) > 0) {
        struct io_uring_sqe *sqe = ring_get_sqe(ring);
        if (sqe) {
            io_uring_prep_cancel64(sqe, 0,
                                   IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
            ring_sqe_forget(ring, sqe);
        }
        /* The request's own completion ends this wait at the latest. */
        int err = ring_wait(ring, -1);
        if (err && err != -EAGAIN && err != -EBUSY)
            return err;
        ring_reap(ring);
    }
    return 0;
}

/* ---- the SQ side */

/* What an enter says, as one of: 0, a reason to try again later, a reason to give up.
 */
static int judge(int err)
{
    if (err >= 0 || err == -ETIME || err == -EINTR)
        return 0;
    return err;
}

int ring_submit(struct ring *ring)
{
    while (io_uring_sq_ready(&ring->uring) > 0) {
        count_enter(ring);
        int taken = io_uring_submit(&ring->uring);
        if (judge(taken))
            return taken;
        if (ring->uring.flags & IORING_SETUP_SQPOLL)
            return 0; /* the kernel's thread has been told; it takes them by itself */
        if (taken == 0)
            return -EAGAIN;
        /* C7: fewer than asked (it stops behind an SQE that it refuses): go on. */
    }
    return 0;
}

/* Gets the kernel to take at least some of a full queue. */
static int make_room(struct ring *ring)
{
    int err = ring_submit(ring);
    if (!err && (ring->uring.flags & IORING_SETUP_SQPOLL))
        err = io_uring_sqring_wait(&ring->uring) < 0 ? -EAGAIN : 0;
    return err;
}

struct io_uring_sqe *ring_get_sqe_full(struct ring *ring)
{
    make_room(ring); /* also a submit that failed half-way may have made room */
    return io_uring_get_sqe(&ring->uring);
}

int ring_reserve(struct ring *ring, unsigned count)
{
    if (count > ring->uring.sq.ring_entries)
        return -EINVAL;
    if (io_uring_sq_space_left(&ring->uring) >= count)
        return 0;
    make_room(ring);
    return io_uring_sq_space_left(&ring->uring) >= count ? 0 : -EAGAIN;
}

int ring_cancel(struct ring *ring, struct ring_op *op)
{
    struct io_uring_sqe *sqe = ring_get_sqe(ring);
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_cancel(sqe, op, 0);
    ring_sqe_forget(ring, sqe); /* its answer tells us nothing that we rely on (C17) */
    return 0;
}

int ring_cancel_fd(struct ring *ring, int fd)
{
    struct io_uring_sqe *sqe = ring_get_sqe(ring);
    if (!sqe)
        return -EAGAIN;
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    ring_sqe_forget(ring, sqe);
    return 0;
}

/* ---- waiting */

/* Does the kernel hold completions back, overflowed or deferred? */
static bool kernel_holds_some(const struct ring *ring)
{
    const unsigned bits = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;
    return IO_URING_READ_ONCE(*ring->uring.sq.kflags) & bits;
}

/* Submits without sleeping; deferred completions are posted in the same enter. */
static int submit_and_look(struct ring *ring)
{
    if (ring->deferred &&
        (io_uring_sq_ready(&ring->uring) || kernel_holds_some(ring))) {
        count_enter(ring);
        int err = judge(io_uring_submit_and_get_events(&ring->uring));
        if (err)
            return err;
    }
    return ring_submit(ring); /* the rest, if the kernel took only a part (C7) */
}

static struct __kernel_timespec timespec_of(int64_t ns)
{
    return (struct __kernel_timespec){ .tv_sec = ns / (int64_t)NS_PER_S,
                                       .tv_nsec = ns % (int64_t)NS_PER_S };
}

/* valgrind runs one thread at a time and does not know that io_uring_enter may sleep: it
 * would keep its lock there, and the thread that is to wake us could never run. So under
 * valgrind the enter only looks, and the sleep is poll(2) on the ring's descriptor, in
 * slices, since deferred completions do not make the descriptor readable. */
static int wait_in_poll(struct ring *ring, int64_t timeout_ns)
{
    const int64_t slice = (int64_t)NS_PER_MS;
    if (!ring->sleeps_in_poll)
        return 0;
    while (timeout_ns != 0 && io_uring_cq_ready(&ring->uring) == 0 &&
           !kernel_holds_some(ring)) {
        int64_t now = timeout_ns < 0 || timeout_ns > slice ? slice : timeout_ns;
        struct pollfd readable = { .fd = ring->uring.ring_fd, .events = POLLIN };
        struct timespec limit = { .tv_nsec = (long)now };
        if (ppoll(&readable, 1, &limit, NULL) < 0)
            return errno == EINTR ? 0 : -errno;
        if (timeout_ns > 0)
            timeout_ns -= now;
    }
    return 0;
}

int ring_wait(struct ring *ring, int64_t timeout_ns)
{
    if (timeout_ns == 0 || io_uring_cq_ready(&ring->uring) > 0)
        return submit_and_look(ring);
    bool forever = timeout_ns < 0 && !ring->sleeps_in_poll;
    struct __kernel_timespec limit = timespec_of(ring->sleeps_in_poll ? 0 : timeout_ns);
    struct io_uring_cqe *first = NULL;
    count_enter(ring);
    int err = judge(io_uring_submit_and_wait_timeout(&ring->uring, &first, 1,
                                                     forever ? NULL : &limit, NULL));
    if (err || io_uring_sq_ready(&ring->uring) > 0) /* nobody would submit the rest */
        return err;
    return wait_in_poll(ring, timeout_ns);
}

int ring_sleep(struct ring *ring, int64_t timeout_ns)
{
    bool forever = timeout_ns < 0 && !ring->sleeps_in_poll;
    struct __kernel_timespec limit = timespec_of(ring->sleeps_in_poll ? 0 : timeout_ns);
    struct io_uring_cqe *first = NULL;
    count_enter(ring);
    int err = judge(
        io_uring_wait_cqes(&ring->uring, &first, 1, forever ? NULL : &limit, NULL));
    return err ? err : wait_in_poll(ring, timeout_ns);
}

/* ---- the CQ side */

static unsigned take_visible(struct ring *ring, struct ring_completion *completions,
                             unsigned max)
{
    const struct io_uring_cq *cq = &ring->uring.cq;
    unsigned head = *cq->khead, ended = 0;
    /* acquire, inside: pairs with the kernel's release of the tail; one for them all */
    unsigned taken = io_uring_cq_ready(&ring->uring);
    if (taken > max)
        taken = max;
    if (!taken)
        return 0;
    for (unsigned i = 0; i < taken; i++) {
        /* no CQE32: this ring never asks for it */
        const struct io_uring_cqe *cqe = &cq->cqes[(head + i) & cq->ring_mask];
        completions[i] = (struct ring_completion){ io_uring_cqe_get_data(cqe), cqe->res,
                                                   cqe->flags };
        ended += cqe->user_data && !(cqe->flags & IORING_CQE_F_MORE);
    }
    /* release, inside: pairs with the kernel's acquire of the head. The slots are free
     * before anybody is called, so that what they submit finds room to complete. */
    io_uring_cq_advance(&ring->uring, taken);
    uint64_t finished = atomic_load_explicit(&ring->finished, memory_order_relaxed);
    atomic_store_explicit(&ring->finished, finished + ended, memory_order_relaxed);
    return taken;
}

/* Overflowed completions are fetched always. Deferred ones only if there is nothing else:
 * they come with the enter that the next wait makes anyway, in a bigger batch (C12: that
 * wait does not sleep on them). */
static bool worth_asking(const struct ring *ring, unsigned taken)
{
    unsigned held = IO_URING_READ_ONCE(*ring->uring.sq.kflags);
    return held &
           (taken ? IORING_SQ_CQ_OVERFLOW : IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN);
}

unsigned ring_take(struct ring *ring, struct ring_completion *completions, unsigned max)
{
    unsigned taken = take_visible(ring, completions, max);
    while (taken < max && worth_asking(ring, taken)) {
        count_enter(ring);
        if (io_uring_get_events(&ring->uring) < 0)
            break; /* the flag stays set: the next take asks again */
        unsigned more = take_visible(ring, completions + taken, max - taken);
        if (!more)
            break;
        taken += more;
    }
    return taken;
}

unsigned ring_reap(struct ring *ring)
{
    struct ring_completion batch[64];
    unsigned total = 0, taken;
    do {
        taken = ring_take(ring, batch, ARRAY_SIZE(batch));
        for (unsigned i = 0; i < taken; i++)
            ring_op_deliver(&batch[i]);
        total += taken;
    } while (taken == ARRAY_SIZE(batch) && total < REAP_LIMIT);
    return total;
}
