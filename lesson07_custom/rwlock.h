/* rwlock: many readers or one writer, as futures.
 *
 *     AWAIT(self->lock, rwlock_read(self->table_lock));
 *     if (self->lock.result == 0) { ...look...; rwlock_unlock_read(self->table_lock); }
 *
 * Fair in the order of arrival: a reader that comes after a waiting writer waits behind
 * it, so that writers do not starve; readers next to each other in line go in together.
 * A cancelled waiter holds nothing, and what it was in the way of goes on (RULES W9).
 * discard unlocks.
 *
 * Ownership: caller-owned memory. The lock belongs to the task, not to the thread: it may
 * be held across an await, and released on another thread. Threads: any. */
#ifndef LESSON07_RWLOCK_H
#define LESSON07_RWLOCK_H

#include "lesson02_wakers/wait_queue.h"

struct rwlock {
    struct wait_queue queue;
    /* guarded by queue.lock */
    size_t readers; /* that hold it */
    bool writer;    /* one holds it */
};

void rwlock_init(struct rwlock *lock);

/* Nobody may hold it or wait for it (CHECK). Accepts NULL and zeroed. */
void rwlock_finish(struct rwlock *lock);

/* 0, or -EAGAIN: held, or others wait in line. */
int rwlock_try_read(struct rwlock *lock);
int rwlock_try_write(struct rwlock *lock);

void rwlock_unlock_read(struct rwlock *lock);
void rwlock_unlock_write(struct rwlock *lock);

/* The writer becomes a reader, with no other writer in between. */
void rwlock_downgrade(struct rwlock *lock);

struct rwlock_wait {
    struct future future;
    struct rwlock *lock; /* borrows */
    struct waiter waiter;
    bool writes;
    bool cancelled;
    int result; /* output: 0: it is yours; -ECANCELED */
};

struct rwlock_wait rwlock_read(struct rwlock *lock);
struct rwlock_wait rwlock_write(struct rwlock *lock);

#endif
