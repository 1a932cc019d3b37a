/* waker_cell: one waker, handed over without a lock and without a lost wake-up.
 *
 * Problem: the waiter stores its waker while another thread announces the event. If the
 * event comes between "look" and "store", nobody is woken and nobody looks again.
 * Idea: two bits say who is inside. Only the one who set a bit on an idle cell touches
 * the waker; who finds the other bit set leaves a note and goes. Invariant: the note
 * (WAKING seen by the registering side, or REGISTERING seen by the waking side) is
 * acted on by whoever was inside first, so an event after the start of a registration
 * always ends in a wake.
 *
 * Source: futures::task::AtomicWaker (Rust), read and written anew. */
#include "lesson02_wakers/waker_cell.h"

enum { IDLE = 0, REGISTERING = 1, WAKING = 2 };

void waker_cell_init(struct waker_cell *cell)
{
    atomic_init(&cell->state, IDLE);
    cell->waker = (struct waker){ 0 };
}

void waker_cell_finish(struct waker_cell *cell)
{
    waker_drop(&cell->waker);
}

void waker_cell_register(struct waker_cell *cell, const struct context *context)
{
    /* exercise 2.1 { */
    unsigned seen = IDLE;
    /* acquire: pairs with the release that ended the last use of `waker` */
    if (!atomic_compare_exchange_strong_explicit(&cell->state, &seen, REGISTERING,
                                                 memory_order_acquire,
                                                 memory_order_acquire)) {
        /* Somebody is waking this very moment: what they announce is for us. */
        CHECK(seen == WAKING, "two registrations at once in one waker_cell");
        waker_wake_by_ref(context->waker);
        return;
    }
    struct waker old = { 0 };
    if (!context->waker || !waker_same(&cell->waker, context->waker)) {
        old = waker_take(&cell->waker);
        cell->waker = waker_clone(context->waker);
    }
    seen = REGISTERING;
    /* release: pairs with the acquire of the next who takes `waker`; acquire: pairs
     * with the release in take, whose note we may find here */
    if (!atomic_compare_exchange_strong_explicit(
            &cell->state, &seen, IDLE, memory_order_acq_rel, memory_order_acquire)) {
        struct waker mine = waker_take(&cell->waker);
        /* acq_rel: as above; WAKING is dropped with REGISTERING, we deliver it */
        atomic_exchange_explicit(&cell->state, IDLE, memory_order_acq_rel);
        waker_wake(&mine);
    }
    waker_drop(&old);
    /* } exercise 2.1: (cell, context) the waiting side */
}

struct waker waker_cell_take(struct waker_cell *cell)
{
    /* exercise 2.1 { */
    /* acq_rel: release the event's data to a registering thread that finds our note;
     * acquire pairs with the release that ended its use of `waker` */
    unsigned seen =
        atomic_fetch_or_explicit(&cell->state, WAKING, memory_order_acq_rel);
    if (seen != IDLE)
        return (
            struct waker){ 0 }; /* they will deliver, or another wake is on its way */
    struct waker taken = waker_take(&cell->waker);
    /* release: pairs with the acquire of whoever enters next */
    atomic_fetch_and_explicit(&cell->state, ~(unsigned)WAKING, memory_order_release);
    return taken;
    /* } exercise 2.1: (cell) the waking side; {0}: nobody to wake, or others will */
}

void waker_cell_wake(struct waker_cell *cell)
{
    /* exercise 2.1 { */
    struct waker taken = waker_cell_take(cell);
    waker_wake(&taken);
    /* } exercise 2.1: (cell) take, then wake */
}
