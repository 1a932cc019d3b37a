/* waker_cell: a slot for one waker, between one who waits and many who may wake.
 *
 * The waiting side registers on each poll; any thread takes the waker and wakes it. The
 * slot is an atomic state, no lock: a wake that comes while a registration is under way
 * is not lost, the registering thread delivers it.
 *
 *   EMPTY_OR_SET --register--> REGISTERING --done--> EMPTY_OR_SET
 *   EMPTY_OR_SET --wake------> WAKING ------done---> EMPTY_OR_SET
 *   REGISTERING  --wake------> REGISTERING|WAKING: the registering side wakes
 *   WAKING       --register--> the registering side wakes itself and is polled again
 *
 * Source: the algorithm of AtomicWaker in the futures crate.
 * Ownership: the cell owns the stored waker. Threads: register from one at a time (the
 * polling one); wake from any. */
#ifndef LESSON02_WAKER_CELL_H
#define LESSON02_WAKER_CELL_H

#include <stdatomic.h>

#include "lesson02_wakers/waker.h"

struct waker_cell {
    _Atomic unsigned state;
    struct waker waker; /* guarded by state: whoever set REGISTERING or WAKING alone */
};

/* {0} is an empty cell as well. */
void waker_cell_init(struct waker_cell *cell);

/* Drops what is stored. No other thread may use the cell any more. */
void waker_cell_finish(struct waker_cell *cell);

/* Stores a clone of the context's waker, replacing an older one (W7). Look at the
 * condition you wait for after this call, not before: a wake that came earlier found no
 * waker (W1). */
void waker_cell_register(struct waker_cell *cell, const struct context *context);

/* Takes the stored waker and wakes it, if there is one. */
void waker_cell_wake(struct waker_cell *cell);

/* Takes the stored waker; the caller wakes or drops it. Empty when there was none or
 * when a registration under way will deliver the wake. */
struct waker waker_cell_take(struct waker_cell *cell);

#endif
