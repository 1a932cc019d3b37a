/* Rule: none
 * Why: it runs everything and asks nothing, apart from what the explorer sees by itself. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/notify.h"
#include "lesson02_wakers/waker_probe.h"

static struct notify notify;
static struct waker_probe probe;

static void a_wait_is_told(void)
{
    notify_init(&notify);
    struct notify_wait wait = notify_wait(&notify);
    probe_poll(&probe, &wait.future);
    notify_one(&notify);
    if (probe_poll(&probe, &wait.future) == POLL_PENDING)
        explore_outcome(1);
    notify_finish(&notify);
}

EXPLORE_MAIN({ .name = "a_wait_is_told", .scenario = a_wait_is_told }, )
