/* thread_parker: a parker for a thread that waits for other threads only.
 *
 * A futex: one 32-bit word in user space that holds the token, and the kernel's queue
 * of sleepers behind it, entered only when there is really nothing to do.
 *
 *   EMPTY  --unpark (1)----> TOKEN   --park (2)----> EMPTY
 *   EMPTY  --park (3)------> PARKED  --unpark (4)--> TOKEN, and the kernel wakes it
 *   PARKED --time-out (5)--> EMPTY
 *
 * Ownership: caller-owned memory. Threads: park from one thread at a time; unpark from
 * any thread and from a signal handler. */
#ifndef LESSON02_THREAD_PARKER_H
#define LESSON02_THREAD_PARKER_H

#include <stdatomic.h>

#include "lesson02_wakers/parker.h"

struct thread_parker {
    struct parker parker;
    _Atomic uint32_t state;
};

void thread_parker_init(struct thread_parker *parker);

#endif
