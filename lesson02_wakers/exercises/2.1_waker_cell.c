/* Exercise 2.1: A slot for one waker. What to do stands in 2.1_waker_cell.md. */
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

#include "common/todo.h"

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
    /* Yours: the waiting side */
    EXERCISE_TODO("2.1", cell, context);
}

struct waker waker_cell_take(struct waker_cell *cell)
{
    /* Yours: the waking side; {0}: nobody to wake, or others will */
    EXERCISE_TODO("2.1", cell);
}

void waker_cell_wake(struct waker_cell *cell)
{
    /* Yours: take, then wake */
    EXERCISE_TODO("2.1", cell);
}
