/* mutex: a lock that is waited for by tasks, not by threads.
 *
 * For state that must stay locked across an AWAIT. (State that is locked for a few
 * instructions wants a pthread mutex, which is cheaper and cannot be held across an
 * AWAIT by mistake: the task may go on on another thread, and only the locking thread
 * may unlock.)
 *
 *     AWAIT(self->lock, async_mutex_lock(&shared->mutex));
 *     if (self->lock.result < 0)
 *         ASYNC_RETURN;                     // cancelled, the lock is not ours
 *     ...
 *     async_mutex_unlock(&shared->mutex);
 *
 * Fair: unlock hands the lock to the one that waits longest; nobody can overtake. A
 * waiter that was handed the lock and is cancelled before its next poll keeps it as its
 * real result (F6): result is 0, and it must unlock. So look at result, always. A READY
 * lock that nobody can look at (a panic's sibling) is unlocked by discard.
 *
 * A frame that panics with the lock held leaves it locked for ever.
 *
 * Ownership: caller-owned memory; borrows its waiters. Threads: any. */
#ifndef LESSON02_MUTEX_H
#define LESSON02_MUTEX_H

#include "lesson02_wakers/wait_queue.h"

struct async_mutex {
    struct wait_queue queue;
    bool locked; /* guarded by queue.lock */
};

void async_mutex_init(struct async_mutex *mutex);

/* Neither locked nor waited for any more. Accepts NULL and zeroed. */
void async_mutex_finish(struct async_mutex *mutex);

/* True: the lock is the caller's. */
bool async_mutex_try_lock(struct async_mutex *mutex);

/* By whoever holds the lock, on any thread. */
void async_mutex_unlock(struct async_mutex *mutex);

struct async_mutex_lock {
    struct future future;
    struct async_mutex *mutex; /* borrows */
    struct waiter waiter;
    bool cancelled;
    bool locked; /* READY with the lock: what discard gives back */
    int result;  /* output: 0, the lock is the caller's; or -ECANCELED */
};

struct async_mutex_lock async_mutex_lock(struct async_mutex *mutex);

#endif
