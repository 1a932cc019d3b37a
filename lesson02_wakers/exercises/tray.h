/* tray: orders from many hands to one cook.
 *
 * Any thread puts an order on the tray. One task, the cook, takes them off, in the
 * order in which they were put there, and sleeps while there are none. A tray that is
 * closed is emptied first; then take ends with -EPIPE.
 *
 * Orders come in rushes, and most of them find the cook awake. So the cook says when it
 * sleeps (`asleep`), and a put that finds it awake wakes nobody.
 *
 * Ownership: the tray borrows an order until it is taken; it owns the cook's waker.
 * Threads: put and close from any; take, init and finish from the cook. No put may come
 * after a close. */
#ifndef LESSON02_EXERCISES_TRAY_H
#define LESSON02_EXERCISES_TRAY_H

#include <stdatomic.h>

#include "lesson02_wakers/waker_cell.h"

struct order {
    struct order *next; /* the tray's, while it lies there */
    int number;
};

struct tray {
    _Atomic(struct order *) newest; /* any thread puts one on top; the cook takes all */
    _Atomic bool closed;            /* any thread */
    _Atomic bool asleep;            /* set by the cook, cleared by whoever wakes it */
    struct waker_cell cook;
    struct order *oldest; /* the cook's: taken off, and not handed out yet */
};

void tray_init(struct tray *tray);

/* No take may be in flight, and nobody may use the tray any more. */
void tray_finish(struct tray *tray);

/* Borrows the order until it is taken. */
void tray_put(struct tray *tray, struct order *order);

void tray_close(struct tray *tray);

struct tray_take {
    struct future future;
    struct tray *tray; /* borrows */
    bool cancelled;
    int result;          /* output: 0, -EPIPE: closed and empty, or -ECANCELED */
    struct order *order; /* output, when result is 0 */
};

/* One at a time. A cancelled one takes nothing. */
CONSTRUCTOR struct tray_take tray_take(struct tray *tray);

#endif
