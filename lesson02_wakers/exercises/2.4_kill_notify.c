/* Exercise 2.4: Catch the broken notify. What to do stands in 2.4_kill_notify.md. */
/* Explored cases for notify: what it promises, in every order of steps.
 *
 * A case is a function: it sets up a notify, lets one thread or several use it, and says
 * with EXPLORE_RULE what must hold. The explorer runs it in every order of steps, and
 * finds by itself what no rule need say: a deadlock, a leak, a use after free, a race. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "common/todo.h"
#include "lesson02_wakers/notify.h"
#include "lesson02_wakers/waker_probe.h"

static struct notify notify;
static struct waker_probe probes[3];

/* Polls with the probe `which`; READY? */
static bool ask(struct notify_wait *wait, int which)
{
    return probe_poll(&probes[which], &wait->future) == POLL_READY;
}

static long wakes(int which)
{
    return probe_read(&probes[which].wakes);
}

/* Nobody waits any more, and nobody's waker is left. */
static void end(void)
{
    notify_finish(&notify);
    for (int i = 0; i < 3; i++)
        EXPLORE_RULE("W5", probe_read(&probes[i].live) == 0,
                     "%ld wakers of probe %d are left over",
                     probe_read(&probes[i].live), i);
}

/* An example: who waits and is cancelled leaves. It is true of every version. */
static void a_cancelled_wait_ends(void)
{
    notify_init(&notify);
    struct notify_wait wait = notify_wait(&notify);
    EXPLORE_RULE("F2", !ask(&wait, 0), "nothing happened, and the wait is READY");
    EXPLORE_RULE("F2", wakes(0) == 0, "nobody notified: expected 0 wakes, got %ld",
                 wakes(0));
    future_cancel(&wait.future);
    EXPLORE_RULE("F6", ask(&wait, 0), "cancelled, and it waits");
    EXPLORE_RULE("F6", wait.result == -ECANCELED, "cancelled: expected %d, got %d",
                 -ECANCELED, wait.result);
    end();
}

static void a_case_of_yours(void)
{
    /* Yours: a promise of notify.h; then more cases, each with its row below */
    EXERCISE_TODO("2.4");
}

EXPLORE_MAIN({ .name = "a_cancelled_wait_ends", .scenario = a_cancelled_wait_ends },
             { .name = "a_case_of_yours", .scenario = a_case_of_yours }, )
