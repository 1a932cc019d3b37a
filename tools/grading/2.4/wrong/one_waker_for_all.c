/* Rule: W7
 * Why: one probe for every poll, and it does nothing but count: which waker is woken, and what it may do, is never asked. */
/* Explored cases for notify: what it promises, in every order of steps.
 *
 * A case is a function: it sets up a notify, lets one thread or several use it, and says
 * with EXPLORE_RULE what must hold. The explorer runs it in every order of steps, and
 * finds by itself what no rule need say: a deadlock, a leak, a use after free, a race. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
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

static void a_permit_is_kept_and_two_are_one(void)
{
    notify_init(&notify);
    struct notify_wait first = notify_wait(&notify), second = notify_wait(&notify);
    notify_one(&notify);
    notify_one(&notify);
    EXPLORE_RULE("W1", ask(&first, 0) && first.result == 0, "the permit is lost");
    EXPLORE_RULE("W3", !ask(&second, 1), "two permits are two");
    notify_one(&notify);
    EXPLORE_RULE("W1", ask(&second, 1), "notified, and it waits");
    end();
}

static void the_longest_waiting_one_goes_first(void)
{
    notify_init(&notify);
    struct notify_wait first = notify_wait(&notify), second = notify_wait(&notify);
    ask(&first, 0);
    ask(&second, 1);
    ask(&first, 0); /* keeps its place */
    notify_one(&notify);
    EXPLORE_RULE("W1", wakes(0) == 1 && wakes(1) == 0, "the wrong one is woken");
    notify_one(&notify);
    EXPLORE_RULE("W1", wakes(1) == 1, "the second is not woken");
    EXPLORE_RULE("W1", ask(&first, 0) && ask(&second, 1), "woken for nothing");
    end();
}

static void a_cancelled_one_passes_its_permit_on(void)
{
    notify_init(&notify);
    struct notify_wait first = notify_wait(&notify), second = notify_wait(&notify);
    ask(&first, 0);
    ask(&second, 1);
    notify_one(&notify);
    future_cancel(&first.future);
    EXPLORE_RULE("W12", ask(&first, 0), "cancelled, and it waits");
    EXPLORE_RULE("W9", wakes(1) == 1, "the permit is lost with its waiter");
    EXPLORE_RULE("W9", ask(&second, 1), "woken for nothing");
    end();
}

static void what_all_gave_is_not_passed_on(void)
{
    notify_init(&notify);
    struct notify_wait first = notify_wait(&notify);
    ask(&first, 0);
    notify_all(&notify);
    EXPLORE_RULE("W1", wakes(0) == 1, "notify_all wakes nobody");
    future_cancel(&first.future);
    EXPLORE_RULE("W12", ask(&first, 0), "cancelled, and it waits");
    struct notify_wait later = notify_wait(&notify);
    EXPLORE_RULE("W9", !ask(&later, 1), "notify_all left a permit");
    future_cancel(&later.future);
    ask(&later, 1);
    end();
}

static void a_ticket_is_good_before_the_first_poll(void)
{
    notify_init(&notify);
    struct notify_wait before = notify_wait(&notify);
    notify_all(&notify);
    struct notify_wait after = notify_wait(&notify);
    EXPLORE_RULE("W1", ask(&before, 0), "notify_all is missed");
    EXPLORE_RULE("W1", !ask(&after, 1), "notify_all is seen by who came later");
    notify_all(&notify);
    EXPLORE_RULE("W1", ask(&after, 1), "notify_all is missed in line");
    end();
}

static void a_discarded_permit_is_given_back(void)
{
    struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
    notify_init(&notify);
    struct notify_wait first = notify_wait(&notify), second = notify_wait(&notify);
    notify_one(&notify);
    enum poll_state state = future_poll_discarding(&first.future, &context);
    EXPLORE_RULE("W1", state == POLL_READY, "the permit is lost");
    EXPLORE_RULE("W9", ask(&second, 1), "the permit is lost with a discarded wait");
    end();
}

/* A waker that uses the notify when it is woken. */
static struct waker meddler_clone(void *data);

static void meddler_wake(void *data)
{
    probe_waker_wake(data);
    (void)data;
}

static const struct waker_ops meddler_ops = {
    .clone = meddler_clone,
    .wake = meddler_wake,
    .wake_by_ref = probe_waker_wake_by_ref,
    .drop = probe_waker_drop,
};

static struct waker meddler_clone(void *data)
{
    probe_waker_clone(data);
    return (struct waker){ &meddler_ops, data };
}

static void a_waker_may_use_the_notify(void)
{
    struct waker meddler = { &meddler_ops, &probes[0] };
    struct context context = { .waker = &meddler, .budget = CONTEXT_BUDGET };
    notify_init(&notify);
    struct notify_wait first = notify_wait(&notify), second = notify_wait(&notify);
    future_poll(&first.future, &context);
    ask(&second, 1);
    notify_one(&notify);
    notify_one(&notify);
    ask(&first, 0);
    ask(&second, 1);
    end();
}

/* The frame of a wait is freed as soon as it is READY, while notify_one still runs. */
static void *tell_one(void *unused)
{
    explore_name("teller");
    notify_one(&notify);
    return unused;
}

static void the_frame_goes_when_it_is_ready(void)
{
    pthread_t teller;
    notify_init(&notify);
    struct notify_wait *wait = malloc(sizeof *wait);
    *wait = notify_wait(&notify);
    ask(wait, 0);
    pthread_create(&teller, NULL, tell_one, NULL);
    bool ready = ask(wait, 0);
    if (ready)
        free(wait);
    pthread_join(teller, NULL);
    if (!ready) {
        EXPLORE_RULE("W1", wakes(0) == 1 && ask(wait, 0), "told, and it waits");
        free(wait);
    }
    end();
}

static void a_case_of_yours(void)
{
    a_permit_is_kept_and_two_are_one();
}

EXPLORE_MAIN({ .name = "a_cancelled_wait_ends", .scenario = a_cancelled_wait_ends },
             { .name = "longest_first",
               .scenario = the_longest_waiting_one_goes_first },
             { .name = "pass_on", .scenario = a_cancelled_one_passes_its_permit_on },
             { .name = "all", .scenario = what_all_gave_is_not_passed_on },
             { .name = "ticket", .scenario = a_ticket_is_good_before_the_first_poll },
             { .name = "discard", .scenario = a_discarded_permit_is_given_back },
             { .name = "meddler", .scenario = a_waker_may_use_the_notify },
             { .name = "frame", .scenario = the_frame_goes_when_it_is_ready },
             { .name = "a_case_of_yours", .scenario = a_case_of_yours }, )
