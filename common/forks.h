/* forks: how many forks deep is this process?
 *
 * The child of a fork shares the kernel objects of its parent: what it does to an epoll set
 * or a ring, it does to its parent's. Whoever made one notes forks_count(), and refuses to
 * use it when the count has changed (RULES R11). A load, where getpid(2) would be a system
 * call. _Fork and raw clone run no handlers: exec after those, as one should.
 *
 * Threads: any. */
#ifndef COMMON_FORKS_H
#define COMMON_FORKS_H

#include <stdatomic.h>

extern _Atomic unsigned forks_seen; /* read it by forks_count() */

/* Counts from now on; once is enough, more does no harm. 0 or negative errno (-ENOMEM: ask
 * again later). */
int forks_watch(void);

static inline unsigned forks_count(void)
{
    return atomic_load_explicit(&forks_seen, memory_order_relaxed);
}

#endif
