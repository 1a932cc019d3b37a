/* waker_cell: the second correct solution of exercise 2.1.
 *
 * Another design than the lesson's: one bit is a lock, the other a note. Whoever is
 * inside has BUSY. The waiting side waits until it gets in, for the others stay inside
 * for two words' copying only. The waking side never waits: it finds somebody inside,
 * leaves NOTE, and goes. The waiting side acts on a note that came while it was inside;
 * a waking side wipes one out, since it is about to wake anyway. */
#include "lesson02_wakers/waker_cell.h"

#include <sched.h>

enum { FREE = 0, BUSY = 1, NOTE = 2 };

void waker_cell_init(struct waker_cell *cell)
{
    atomic_init(&cell->state, FREE);
    cell->waker = (struct waker){ 0 };
}

void waker_cell_finish(struct waker_cell *cell)
{
    waker_drop(&cell->waker);
}

/* From FREE to BUSY, or else what it was. */
static bool get_in(struct waker_cell *cell, unsigned *seen)
{
    *seen = FREE;
    /* acquire: pairs with the release of whoever was inside before */
    return atomic_compare_exchange_strong_explicit(
        &cell->state, seen, BUSY, memory_order_acquire, memory_order_acquire);
}

void waker_cell_register(struct waker_cell *cell, const struct context *context)
{
    unsigned seen;
    while (!get_in(cell, &seen))
        sched_yield();
    struct waker old = { 0 };
    if (!context->waker || !waker_same(&cell->waker, context->waker)) {
        struct waker mine = waker_clone(context->waker);
        old = waker_take(&cell->waker);
        cell->waker = mine;
    }
    struct waker noted = { 0 };
    seen = BUSY;
    /* release: pairs with the acquire in get_in; acquire: pairs with the release of the
     * one who left a note */
    while (!atomic_compare_exchange_strong_explicit(
        &cell->state, &seen, FREE, memory_order_acq_rel, memory_order_acquire)) {
        noted = waker_take(&cell->waker);
        seen = BUSY | NOTE;
    }
    waker_wake(&noted);
    waker_drop(&old);
}

struct waker waker_cell_take(struct waker_cell *cell)
{
    unsigned seen;
    while (!get_in(cell, &seen)) {
        /* release: what we announce is seen by the one who finds the note */
        if (seen != FREE && atomic_compare_exchange_strong_explicit(
                                &cell->state, &seen, BUSY | NOTE, memory_order_acq_rel,
                                memory_order_relaxed))
            return (struct waker){ 0 };
    }
    struct waker taken = waker_take(&cell->waker);
    /* acq_rel: release what we did inside, and hand on what a note announced */
    atomic_exchange_explicit(&cell->state, FREE, memory_order_acq_rel);
    return taken;
}

void waker_cell_wake(struct waker_cell *cell)
{
    struct waker taken = waker_cell_take(cell);
    waker_wake(&taken);
}
