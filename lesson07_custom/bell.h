/* bell: tells one waiter that something changed, for the price of a load when nobody
 * waits.
 *
 * A waker_cell alone is enough, but each wake of it costs two atomic read-modify-writes,
 * also when no one listens. A bell adds a flag: the waiter arms it before it goes to
 * sleep, the ringer looks at the flag first.
 *
 *     waiter                              ringer
 *     bell_arm:  armed = true             publish the change     (seq_cst store)
 *     look again (seq_cst load)           bell_ring: armed?      (seq_cst load)
 *
 * Each side stores first and looks at the other's word afterwards, all four seq_cst: in
 * the one order of these operations one of the two looks comes last, and sees the other's
 * store. So either the waiter sees the change, or the ringer sees the waiter (RULES W1).
 * The same argument as Dekker's algorithm; weaker orders allow both to look too early.
 *
 * Ownership: embedded; owns the stored waker. Threads: arm and disarm from one at a time
 * (the one that polls); ring from any. */
#ifndef LESSON07_BELL_H
#define LESSON07_BELL_H

#include "lesson02_wakers/waker_cell.h"

/* {0} is a bell that nobody waits for. */
struct bell {
    _Atomic bool armed;
    struct waker_cell cell;
};

/* Afterwards look at the condition once more, with seq_cst; only then return
 * POLL_PENDING. */
static inline void bell_arm(struct bell *bell, const struct context *context)
{
    waker_cell_register(&bell->cell, context);
    /* seq_cst: pairs with the load in bell_ring, see above */
    atomic_store_explicit(&bell->armed, true, memory_order_seq_cst);
}

/* The waiter waits no more; its waker is given up. */
static inline void bell_disarm(struct bell *bell)
{
    atomic_store_explicit(&bell->armed, false, memory_order_relaxed);
    struct waker left = waker_cell_take(&bell->cell);
    waker_drop(&left);
}

/* Call it after the change was published with a seq_cst store. Whoever turns the flag
 * off wakes, so no arming goes without its wake. */
static inline void bell_ring(struct bell *bell)
{
    /* seq_cst: pairs with the store in bell_arm, see above */
    if (atomic_load_explicit(&bell->armed, memory_order_seq_cst) &&
        atomic_exchange_explicit(&bell->armed, false, memory_order_relaxed))
        waker_cell_wake(&bell->cell);
}

#endif
