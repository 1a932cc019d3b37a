/* forks: a handler that counts.
 *
 * Why no pthread_once: it would remember a failure for ever, and the next try may find
 * memory. Two threads that both come first register two handlers, and a fork counts twice,
 * which is as different from before as once. */
#include "common/forks.h"

#include <pthread.h>
#include <stdbool.h>

_Atomic unsigned forks_seen;
static _Atomic bool watched;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&forks_seen, 1, memory_order_relaxed);
}

int forks_watch(void)
{
    if (atomic_load_explicit(&watched, memory_order_relaxed))
        return 0;
    int err = pthread_atfork(NULL, NULL, count_fork);
    if (err == 0)
        atomic_store_explicit(&watched, true, memory_order_relaxed);
    return -err;
}
