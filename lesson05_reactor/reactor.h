/* reactor: epoll as an I/O driver, and as a parker.
 *
 * The reactor pattern: one place waits for events, notes "this descriptor became
 * readable", and wakes the task that waits for that. The task then makes the syscall
 * itself, in its own poll: the bytes go straight into its frame, on its own core.
 *
 *   op polled --not ready--> armed (waker stored)
 *        ^                        |
 *        |                 epoll_wait: edge -> ready bit, tick + 1, waker taken
 *        +-------- wake ----------+
 *
 * Each descriptor is registered, edge-triggered, when an operation first has to wait: for
 * reading, and from the first write that has to wait on for both. Its source holds, for
 * each direction, a ready bit, a tick (how many edges came), and the operation that waits.
 * Rules R1-R12 live here.
 *
 * The reactor is a parker, too: an executor that sleeps in it wakes for I/O, for timers
 * and for unpark. It may be shared by the workers of a pool (config.shared); then one of
 * them at a time parks in it.
 *
 * Ownership: owns the poller, the sources, the timers. Threads: not shared: one; shared:
 * operations and unpark from any, park from one at a time. */
#ifndef LESSON05_REACTOR_H
#define LESSON05_REACTOR_H

#include "common/notifier.h"
#include "lesson02_wakers/parker.h"
#include "lesson04_epoll/poller.h"
#include "lesson05_reactor/io.h"
#include "lesson05_reactor/lent_pool.h"
#include "lesson05_reactor/source_pool.h"
#include "lesson05_reactor/timers.h"

struct reactor_config {
    bool shared;                 /* used by several threads */
    unsigned events;             /* taken per epoll_wait; 0: 256 */
    unsigned lent_size;          /* bytes of a lent buffer; 0: 2048 */
    struct virtual_clock *clock; /* borrows; NULL: real time */
};

struct reactor {
    struct io_driver driver;
    struct parker parker;
    struct timers timers;
    bool shared;
    unsigned capacity;
    /* any thread, atomic */
    _Atomic unsigned token; /* as thread_parker: EMPTY, TOKEN, PARKED */
    /* locked inside */
    struct source_pool sources;
    struct lent_pool lent;
    struct poller poller;
    struct notifier notifier;
    /* whoever parks */
    struct poller_event *events; /* owns */
};

/* 0 or negative errno; nothing is left behind on failure. */
int reactor_init(struct reactor *reactor, const struct reactor_config *config);

/* Every source must be closed and every lent buffer given back (CHECK). Accepts NULL and
 * zeroed. */
void reactor_finish(struct reactor *reactor);

#endif
