/* ring: io_uring, made safe to build on.
 *
 * liburing hands out SQEs and CQEs and leaves the corner cases to the caller: a full
 * submission queue, a kernel that takes fewer than it was given, completions that
 * overflowed or are still deferred. Here each of them is handled once.
 *
 *   ring_get_sqe --> io_uring_prep_* --> ring_op_attach --> ring_submit or ring_wait
 *     --> kernel --> ring_reap --> op->complete
 *
 * Ownership: the struct owns the ring's descriptor and memory; it borrows each op until
 * its last completion, and is not finished before (C3).
 * Threads: RING_SINGLE belongs to the thread that made it, for every call. RING_SHARED
 * has two sides that may run at once, each guarded by a lock of the caller's: the SQ
 * side (get_sqe, reserve, submit, cancel) and the CQ side (take); sleep needs neither.
 * Whoever submits must outlive what it submitted: the kernel cancels a thread's
 * operations when it exits, at the latest when something happens to them (C16).
 * Errors: negative errno. Units: nanoseconds. */
#ifndef LESSON03_RING_H
#define LESSON03_RING_H

#include <liburing.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/check.h"
#include "lesson03_iouring/ring_op.h"

enum ring_mode {
    RING_SINGLE, /* one thread: SINGLE_ISSUER | DEFER_TASKRUN where the kernel has them
                  */
    RING_SHARED, /* plain flags: several threads, under the caller's locks */
};

struct ring_config {
    unsigned entries;    /* of the SQ; rounded up to a power of two, clamped */
    unsigned cq_entries; /* 0: twice the SQ's */
    enum ring_mode mode;
    bool sqpoll; /* a kernel thread submits; not with deferred completions */
    unsigned sqpoll_idle_ms;
};

struct ring {
    struct io_uring uring;
    const void
        *owner;    /* borrows: names the one thread of a RING_SINGLE; only compared */
    bool deferred; /* completions are posted only when this thread asks for them */
    bool sleeps_in_poll; /* under valgrind; see wait_in_poll in ring.c */

    /* In flight = started - finished. Two counters, one for each side, so that the two
     * sides share no counter; each is written by its side only. */
    _Atomic uint64_t started;  /* SQ side */
    _Atomic uint64_t finished; /* CQ side */
    _Atomic uint64_t enters; /* any thread: calls of io_uring_enter, for the curious */
};

/* 0, or why not (ring_explain of probe.h puts it in a sentence). */
int ring_init(struct ring *ring, const struct ring_config *config);

/* Releases the ring; a zeroed ring is fine. CHECKs that nothing is in flight: the
 * kernel would write into memory that its owner believes free (C3). */
void ring_finish(struct ring *ring);

/* Cancels everything in flight and delivers completions until nothing is. For the stop;
 * needs Linux 5.19 (ring_probe: cancel_any). Regular-file operations run to their end.
 */
int ring_drain(struct ring *ring);

static inline uint64_t ring_in_flight(const struct ring *ring)
{
    uint64_t finished = atomic_load_explicit(&ring->finished, memory_order_relaxed);
    return atomic_load_explicit(&ring->started, memory_order_relaxed) - finished;
}

/* ---- the SQ side */

/* Behind ring_get_sqe, for a full queue. */
struct io_uring_sqe *ring_get_sqe_full(struct ring *ring);

/* An SQE to fill, never a used-up excuse: a full queue is submitted and tried again
 * (C6). NULL only while the kernel takes nothing at all (out of memory, completions to
 * be reaped first): reap, and try again later. Whoever gets one must prepare it. */
static inline struct io_uring_sqe *ring_get_sqe(struct ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    if (UNLIKELY(!sqe)) {
        sqe = ring_get_sqe_full(ring);
        if (!sqe)
            return NULL;
    }
    /* relaxed, no read-modify-write: only the SQ side writes it */
    uint64_t started = atomic_load_explicit(&ring->started, memory_order_relaxed);
    atomic_store_explicit(&ring->started, started + 1, memory_order_relaxed);
    return sqe;
}

/* Nobody wants to know how this one ends, and it points to no memory that somebody might
 * free: it does not count as in flight. For cancel requests and the like; instead of
 * ring_op_attach. */
static inline void ring_sqe_forget(struct ring *ring, struct io_uring_sqe *sqe)
{
    io_uring_sqe_set_data(sqe, NULL);
    uint64_t started = atomic_load_explicit(&ring->started, memory_order_relaxed);
    atomic_store_explicit(&ring->started, started - 1, memory_order_relaxed);
}

/* Makes room for `count` SQEs in a row, so that a chain of linked ones is submitted as
 * a whole. -EAGAIN as ring_get_sqe; -EINVAL: more than the queue holds. */
int ring_reserve(struct ring *ring, unsigned count);

/* The next SQE starts when this one succeeded in full; if it fails, or is a short read
 * or write, the rest of the chain is cancelled. Call it after io_uring_prep_*. */
static inline void ring_link_next(struct io_uring_sqe *sqe)
{
    sqe->flags |= IOSQE_IO_LINK;
}

/* Hands every queued SQE to the kernel. -EAGAIN, -EBUSY: not all were taken, the rest
 * is still queued and goes with the next submit (C7). Does not wait. */
int ring_submit(struct ring *ring);

/* Asks the kernel to stop the operation / everything on the descriptor. A request: the
 * op is over at its own completion, whatever this one's says (C1, C17), and may still
 * succeed (C2). close(2) does not do this for you (C4). 0 or -EAGAIN (as ring_get_sqe).
 */
int ring_cancel(struct ring *ring, struct ring_op *op);
int ring_cancel_fd(struct ring *ring, int fd);

/* ---- waiting */

/* Submits, and sleeps until there is a completion or the time is over; 0 never sleeps,
 * -1 has no limit. Returns 0 then, and also early (a signal). -EAGAIN, -EBUSY as
 * ring_submit: it did not sleep. */
int ring_wait(struct ring *ring, int64_t timeout_ns);

/* The same without submitting: for RING_SHARED, while others submit. */
int ring_sleep(struct ring *ring, int64_t timeout_ns);

/* ---- the CQ side */

/* Takes up to max completions, also overflowed ones (C8), and deferred ones if there is
 * nothing else (C12); returns how many. Deliver each with ring_op_deliver, after unlocking. */
unsigned ring_take(struct ring *ring, struct ring_completion *completions,
                   unsigned max);

/* Takes and delivers all that is there; returns how many. May be called from within
 * complete(). */
unsigned ring_reap(struct ring *ring);

#endif
