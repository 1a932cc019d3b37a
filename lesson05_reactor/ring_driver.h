/* ring_driver: io_uring as an I/O driver, and as a parker.
 *
 * An operation is written down as an SQE, with the address of its ring_op as user_data;
 * the completion stores the result in the frame that awaits it, and wakes. Nothing is
 * ever "ready": the kernel waits for us, also for files.
 *
 * Two forms:
 *   - a ring a thread (config.shared false): SINGLE_ISSUER and DEFER_TASKRUN, no lock.
 *     recv_lent is one multishot receive a connection, into buffers that the kernel
 *     picks from a group (ring_lent.c).
 *   - one ring for several threads (shared true): SQ and CQ each under a lock; whoever
 *     parks reaps for all. A ring a worker would strand completions behind a worker that
 *     is busy (RULES S9).
 *
 * Ownership: owns ring, sources, timers, buffers. Threads: not shared: init, park, polls
 * and finish on one thread. Shared: polls and unpark from any thread that outlives its
 * operations (RULES C16), park from one at a time. After fork the child shares the ring's
 * memory with its parent and may not touch it: park and operations are -ESTALE (R11), also
 * those in flight when they are polled there, and the driver is not to be finished there. */
#ifndef LESSON05_RING_DRIVER_H
#define LESSON05_RING_DRIVER_H

#include <pthread.h>

#include "common/notifier.h"
#include "lesson02_wakers/parker.h"
#include "lesson03_iouring/ring.h"
#include "lesson03_iouring/ring_buffers.h"
#include "lesson05_reactor/io.h"
#include "lesson05_reactor/lent_pool.h"
#include "lesson05_reactor/source_pool.h"
#include "lesson05_reactor/timers.h"

struct ring_driver_config {
    bool shared;
    unsigned entries;    /* of the SQ; 0: 256 */
    unsigned cq_entries; /* 0: 16 times the SQ's */
    bool sqpoll;         /* a kernel thread submits */
    unsigned sqpoll_idle_ms;
    unsigned lent_buffers;       /* in the group, a power of two; 0: 1024 */
    unsigned lent_size;          /* bytes; 0: 2048 */
    struct virtual_clock *clock; /* borrows; NULL: real time */
};

struct ring_driver {
    struct io_driver driver;
    struct parker parker;
    struct timers timers;
    bool shared;
    int64_t slack;    /* immutable: how late a sleep may end, nanoseconds */
    unsigned forks;   /* immutable: how many forks deep the process was that made it */
    bool group_works; /* the kernel has buffer rings, and we are not shared */
    bool multishot_refused; /* but no multishot receives */
    /* any thread, atomic */
    _Atomic unsigned token; /* as thread_parker: EMPTY, TOKEN, PARKED */
    /* locked inside */
    struct source_pool sources;
    struct lent_pool lent;
    struct notifier notifier;
    /* whoever parks */
    bool kick_armed;
    unsigned skipped;    /* turns without an enter, in a row */
    uint64_t entered;    /* when the last enter came back */
    struct ring_op kick; /* the watch on the notifier */
    /* guarded by sq_lock when shared */
    pthread_mutex_t sq_lock;
    struct ring ring; /* its CQ side: guarded by cq_lock when shared */
    struct io_op
        *backlog; /* borrows: started, but the SQ took nothing; linked by next */
    uint64_t files_vacant;   /* slots of the ring's file table, a bit each */
    struct iovec registered; /* borrows: memory that the kernel has pinned; or empty */
    struct io_op *cancels;   /* borrows: in flight, and their cancel found no room */
    struct ring_source *stops; /* borrows: likewise, of multishot receives */
    pthread_mutex_t cq_lock;
    /* not shared only: the buffer group */
    struct ring_buffers group;
    struct lent_segment *segments; /* owns: one for each buffer of the group */
};

/* 0, or why io_uring is refused (ring_explain in lesson 3 puts it in a sentence). */
int ring_driver_init(struct ring_driver *driver,
                     const struct ring_driver_config *config);

/* Every source must be closed and every lent buffer given back (CHECK). Cancels and
 * awaits what is still in flight of its own. Accepts NULL and zeroed. */
void ring_driver_finish(struct ring_driver *driver);

#endif
