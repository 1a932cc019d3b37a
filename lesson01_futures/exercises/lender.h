/* lender: a depot that lends out buffers, and customers who wait for one only so long.
 *
 * A depot owns a number of buffers, which it counts and no more. A loan is a leaf:
 * READY when a buffer was handed over. Who waits stands in a queue; a buffer that comes
 * back goes to the first of the queue at once, before anybody polls. A lapse is a leaf
 * as well: READY when so many ticks have passed since its first poll; whoever runs the
 * program moves the ticks on.
 *
 * A customer is an async function. It asks for a buffer, but waits at most `patience`
 * ticks; then it is late, and asks anew. With the buffer it works for `work` ticks and
 * gives it back. It ends when it was served `visits` times, or when it is cancelled;
 * then it ends soon, with -ECANCELED. Whatever happens, it ends without a buffer.
 *
 * When buffer and limit come in the same moment, the visit may count either way, but
 * the buffer is there. Ownership: loans and customers borrow depot and clock, which
 * outlive them. Threads: one. */
#ifndef LESSON01_EXERCISES_LENDER_H
#define LESSON01_EXERCISES_LENDER_H

#include "lesson01_futures/async.h"
#include "lesson01_futures/combine.h"

struct loan;

struct depot {
    unsigned free;      /* buffers that lie there */
    struct loan *first; /* borrows: who waits, in the order in which they came */
};

/* From the customer's hand into the depot, or into the hand of the first who waits. */
void depot_give_back(struct depot *depot);

unsigned depot_waiting(const struct depot *depot);

struct loan {
    struct future future;
    struct depot *depot; /* borrows */
    struct loan *next;   /* borrows: the one behind, while it waits */
    int result;          /* output: 0, a buffer is yours; or -ECANCELED */
    bool waits, handed_over, cancelled;
};

struct loan depot_loan(struct depot *depot);

struct lapse {
    struct future future;
    const uint64_t *now; /* borrows: the ticks so far */
    uint64_t ticks, deadline;
    int result; /* output: 0, or -ECANCELED */
    bool started, cancelled;
};

struct lapse lapse(const uint64_t *now, uint64_t ticks);

struct customer {
    ASYNC_FRAME;
    struct depot *depot; /* borrows */
    const uint64_t *now; /* borrows */
    unsigned visits, patience, work;
    struct lapse limit;
    struct loan loan;
    struct future *both[2];
    struct race race;
    struct lapse working;
    unsigned served; /* output: visits in which it had a buffer */
    unsigned late;   /* output: how often the limit ended its waiting */
    int result;      /* output: 0, or -ECANCELED */
};

struct customer customer(struct depot *depot, const uint64_t *now, unsigned visits,
                         unsigned patience, unsigned work);

#endif
