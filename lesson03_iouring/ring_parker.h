/* ring_parker: sleeping in io_uring_enter.
 *
 * The executor of lesson 2 sleeps in its parker; with this one it sleeps where its I/O
 * completes. park submits what the tasks queued, waits, and delivers completions (which
 * wake tasks). A thread that sleeps in the ring hears only the ring, so unpark writes
 * to an eventfd that the ring watches (C13).
 *
 *   EMPTY  --unpark--> TOKEN    no system call: nobody sleeps
 *   EMPTY  --park----> PARKED   --unpark--> TOKEN, and the eventfd kicks the ring
 *   TOKEN  --park----> EMPTY    without sleeping
 *   PARKED --a completion, time-out--> EMPTY
 *
 * Ownership: owns its eventfd; borrows the ring, which outlives it. Threads: init, park
 * and finish on the ring's thread; unpark from any thread and from a signal handler,
 * not after finish. */
#ifndef LESSON03_RING_PARKER_H
#define LESSON03_RING_PARKER_H

#include <stdatomic.h>

#include "common/notifier.h"
#include "lesson02_wakers/parker.h"
#include "lesson03_iouring/ring.h"

struct ring_parker {
    struct parker parker;
    /* the ring's thread only */
    struct ring *ring;   /* borrows */
    struct ring_op kick; /* the watch on the eventfd; the kernel's while armed */
    bool armed;
    uint64_t sleeps; /* parks that could sleep, for the curious */
    /* any thread */
    struct notifier notifier; /* owns */
    _Atomic uint32_t state;
    _Atomic uint64_t kicks; /* unparks that cost a system call */
};

/* 0 or negative errno. */
int ring_parker_init(struct ring_parker *parker, struct ring *ring);

/* Takes its watch off the ring, delivering completions meanwhile; accepts zeroed. */
void ring_parker_finish(struct ring_parker *parker);

#endif
