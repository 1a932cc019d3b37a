/* pool_inside: what the pool's own files share. */
#ifndef LESSON06_POOL_INSIDE_H
#define LESSON06_POOL_INSIDE_H

#include "lesson06_worksteal/pool.h"

/* The calling thread, if it is a worker of this pool. */
static inline struct worker *pool_worker_here(struct pool *pool)
{
    struct worker *worker = TLS(worker_here);
    return worker && worker->pool == pool ? worker : NULL;
}

/* The pool as a scheduler: pool_schedule.c. */
extern const struct scheduler_ops pool_ops;

/* The clock's time at which a limit of timeout_ns (PARK_FOREVER: none) is over. */
uint64_t pool_deadline(int64_t timeout_ns);

/* Waits for pool->changed; the lock is held. false: the deadline is over. */
bool pool_wait(struct pool *pool, uint64_t deadline);

/* Sets a flag in pool->attention and sees to it that every worker looks at it. */
void pool_wake_all(struct pool *pool, unsigned flag);

/* Tells the threads in pool_block_on that nothing can happen any more (W10). */
void pool_tell_blocked(struct pool *pool);

#endif
