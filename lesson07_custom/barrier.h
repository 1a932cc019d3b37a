/* barrier: nobody goes on until everybody has arrived.
 *
 *     AWAIT(self->all, barrier_wait(self->barrier));
 *     if (self->all.result == 1) ...     // exactly one of them: the last to arrive
 *
 * Reusable: the next ones to arrive make up the next round. A cancelled wait takes its
 * arrival back, unless the round was complete by then; then it reports 0, as the others.
 *
 * Ownership: caller-owned memory. Threads: any. */
#ifndef LESSON07_BARRIER_H
#define LESSON07_BARRIER_H

#include "lesson02_wakers/wait_queue.h"

struct barrier {
    struct wait_queue queue;
    unsigned parties; /* immutable */
    /* guarded by queue.lock */
    unsigned arrived; /* in this round */
    uint64_t round;
};

/* -EINVAL: a barrier for nobody. */
int barrier_init(struct barrier *barrier, unsigned parties);

/* Nobody may be waiting (CHECK). Accepts NULL and zeroed. */
void barrier_finish(struct barrier *barrier);

struct barrier_wait {
    struct future future;
    struct barrier *barrier; /* borrows */
    struct waiter waiter;
    uint64_t round; /* that it arrived in */
    bool cancelled;
    int result; /* output: 1 for the last to arrive, 0 for the others; -ECANCELED */
};

struct barrier_wait barrier_wait(struct barrier *barrier);

#endif
