/* Rule: every promise needs a case
 * Why: One reader and one writer that do all as they should, and nothing else: no line, no
 * cancel, no second thread. */
#include <errno.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson07_custom/rwlock.h"

static void a_reader_and_then_a_writer(void)
{
    struct rwlock lock;
    static struct waker_probe probe;
    rwlock_init(&lock);
    struct rwlock_wait reads = rwlock_read(&lock), writes = rwlock_write(&lock);
    EXPLORE_RULE("lock", probe_poll(&probe, &reads.future) == POLL_READY, "it is free");
    EXPLORE_RULE("lock", rwlock_try_write(&lock) == -EAGAIN, "a reader is in");
    rwlock_unlock_read(&lock);
    EXPLORE_RULE("lock", probe_poll(&probe, &writes.future) == POLL_READY,
                 "it is free");
    rwlock_unlock_write(&lock);
    rwlock_finish(&lock);
}

EXPLORE_MAIN({ .name = "a_reader_and_then_a_writer",
               .scenario = a_reader_and_then_a_writer }, )
