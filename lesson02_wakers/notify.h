/* notify: "something has changed, look again", without saying what.
 *
 * The smallest thing to wait on. notify_one wakes the one that waits longest; when
 * nobody waits, it leaves one permit, and the next wait ends at once. Two permits are
 * one (as two unparks are one token). notify_all wakes those that wait now, and leaves
 * nothing.
 *
 * So a condition is waited for like this, and no change is missed (W1):
 *     while (!changed)                                   // notify_one
 *         AWAIT(self->wait, notify_wait(self->notify));
 * For notify_all take the ticket before you look, for a notify_all that comes between
 * the look and the wait leaves no permit, but ends each wait that was constructed before:
 *     self->ticket = notify_wait(self->notify);
 *     if (!changed)
 *         AWAIT(self->wait, self->ticket);
 *
 * A waiter that notify_one chose and that is cancelled before it could act passes its
 * permit on (RULES W9), and so does one whose READY result nobody will look at (discard).
 *
 * Ownership: caller-owned memory; borrows its waiters. Threads: any. */
#ifndef LESSON02_NOTIFY_H
#define LESSON02_NOTIFY_H

#include <stdatomic.h>

#include "lesson02_wakers/wait_queue.h"

struct notify {
    struct wait_queue queue;
    bool permit;             /* guarded by queue.lock */
    _Atomic unsigned rounds; /* calls of notify_all; written with the lock held */
};

void notify_init(struct notify *notify);

/* Nobody may be waiting any more. Accepts NULL and zeroed. */
void notify_finish(struct notify *notify);

/* notify_one does not touch the notify any more once a waiter can be READY by it.
 * notify_all does, so keep the notify in place until it has returned. */
void notify_one(struct notify *notify);
void notify_all(struct notify *notify);

struct notify_wait {
    struct future future;
    struct notify *notify; /* borrows */
    struct waiter waiter;
    unsigned round; /* of notify->rounds, when it was constructed */
    bool cancelled;
    bool permit; /* READY by notify_one: what discard gives back */
    int result;  /* output: 0 or -ECANCELED */
};

CONSTRUCTOR struct notify_wait notify_wait(struct notify *notify);

#endif
