/* Every order of steps of a task's run against those who wake, join, cancel and let go
 * of it on another thread. */
#include "lesson02_wakers/explore_testing.h"

static struct single *single;
static struct gate gate;
static struct task_handle handle;
static struct waker_probe probe, newer;

/* A task that has been polled once and waits at the gate. */
static void spawn_waiting(struct task_handle *mine)
{
    single = single_begin();
    SPAWN(&single->scheduler, mine, gate_wait(&gate));
    single_run_one(single);
}

static void *open_twice(void *unused)
{
    explore_name("waker");
    struct waker another = waker_clone(&gate.waker);
    gate_open(&gate);
    waker_wake(&another);
    return unused;
}

static void *drop_a_waker(void *unused)
{
    explore_name("dropper");
    waker_drop(&gate.waker);
    return unused;
}

static void *cancel(void *unused)
{
    explore_name("canceller");
    task_cancel(&handle);
    return unused;
}

static void *cancel_and_let_go(void *unused)
{
    explore_name("canceller");
    task_cancel(&handle);
    task_detach(&handle);
    return unused;
}

static void *let_go(void *unused)
{
    explore_name("handle");
    task_detach(&handle);
    return unused;
}

static void check_discarded_once(void)
{
    EXPLORE_RULE("W4", gate.discards == 1, "the output was discarded %d times",
                 gate.discards);
}

/* ---- wakes */

/* Two wakes, one after the other, while the task is polled, pauses, ends and is freed.
 * The scheduler goes as soon as the task is done. */
static void wakes_against_run(void)
{
    pthread_t other;
    explore_name("runner");
    spawn_waiting(NULL);
    pthread_create(&other, NULL, open_twice, NULL);
    single_run(single);
    single_end(single);
    pthread_join(other, NULL);
    check_discarded_once();
}

/* A waker that is dropped when everything is over, scheduler and all, or before. */
static void drop_against_end(void)
{
    pthread_t other;
    explore_name("runner");
    spawn_waiting(&handle);
    task_cancel(&handle);
    pthread_create(&other, NULL, drop_a_waker, NULL);
    single_run(single);
    single_end(single);
    task_detach(&handle);
    pthread_join(other, NULL);
}

static void *open_and_run(void *unused)
{
    explore_name("second");
    gate_open(&gate);
    single_run_one(single);
    return unused;
}

/* The task pauses here, is woken and runs on another thread: never on both at once. */
static void two_runners(void)
{
    pthread_t other;
    explore_name("first");
    spawn_waiting(NULL);
    waker_wake_by_ref(&gate.waker);
    pthread_create(&other, NULL, open_and_run, NULL);
    single_run_one(single);
    pthread_join(other, NULL);
    single_run(single);
    single_end(single);
}

/* ---- join */

/* The waiting side: registers, is woken, looks again. Its frame goes as soon as it is
 * READY. */
static bool poll_join(struct waker_probe *mine, struct task_join **join)
{
    if (probe_poll(mine, &(*join)->future) == POLL_PENDING)
        return false;
    free(*join);
    *join = NULL;
    return true;
}

static struct task_join *new_join(void)
{
    struct task_join *join = malloc(sizeof *join);
    *join = task_join(&handle);
    return join;
}

/* After the runner's end. */
static void check_joined(struct waker_probe *mine, struct task_join **join)
{
    if (*join) {
        EXPLORE_RULE("W1", probe_read(&mine->wakes) > 0,
                     "the joiner sleeps, and the task that ended found no waker");
        EXPLORE_RULE("W1", poll_join(mine, join), "the task has ended, the join waits");
    }
    EXPLORE_RULE("W8", TASK_OUTPUT(&handle, gate_wait)->result == 7,
                 "joined, and the output is not there");
    task_detach(&handle);
    waker_drop(&gate.waker);
    single_end(single);
    long live = probe_read(&probe.live) + probe_read(&newer.live);
    EXPLORE_RULE("W8", live == 0, "%ld of the joiner's wakers are left over", live);
}

/* A task that will find the gate open. */
static void spawn_ready(void)
{
    explore_name("joiner");
    spawn_waiting(&handle);
    gate.open = true;
    gate.news = 7;
    waker_wake_by_ref(&gate.waker);
}

/* A poll of the join while the task ends elsewhere: the first one, or, with `before`,
 * the next one after it was registered with that waker. */
static void poll_against_end(struct waker_probe *before, struct waker_probe *mine,
                             bool cancelled)
{
    pthread_t runner;
    spawn_ready();
    struct task_join *join = new_join();
    if (before)
        poll_join(before, &join);
    pthread_create(&runner, NULL, single_run_thread, single);
    if (cancelled)
        future_cancel(&join->future);
    poll_join(mine, &join);
    pthread_join(runner, NULL);
    check_joined(mine, &join);
}

static void join_against_end(void)
{
    poll_against_end(NULL, &probe, false);
}

/* The joiner is polled again, with another waker (W7). */
static void renewed_join_against_end(void)
{
    poll_against_end(&probe, &newer, false);
}

/* The joiner gives up waiting, and its frame goes. */
static void cancelled_join_against_end(void)
{
    poll_against_end(&probe, &probe, true);
}

/* The handle is given up while the task ends: its output is discarded, once. */
static void detach_against_end(void)
{
    pthread_t other;
    spawn_ready();
    explore_name("runner");
    pthread_create(&other, NULL, let_go, NULL);
    single_run(single);
    single_end(single);
    waker_drop(&gate.waker);
    pthread_join(other, NULL);
    check_discarded_once();
}

/* ---- cancel */

/* It waits, or is in its poll, or about to pause: a cancel always arrives. */
static void cancel_against_run(void)
{
    pthread_t other;
    explore_name("runner");
    spawn_waiting(&handle);
    waker_wake_by_ref(&gate.waker);
    pthread_create(&other, NULL, cancel, NULL);
    single_run(single);
    pthread_join(other, NULL);
    EXPLORE_RULE("W12", task_status(&handle) == JOIN_CANCELLED, "it was not cancelled");
    task_detach(&handle);
    waker_drop(&gate.waker);
    single_end(single);
}

/* And the handle is given up as well, by the one who cancels. */
static void cancel_and_detach_against_run(void)
{
    pthread_t other;
    explore_name("runner");
    spawn_waiting(&handle);
    pthread_create(&other, NULL, cancel_and_let_go, NULL);
    single_run(single);
    single_end(single);
    waker_drop(&gate.waker);
    pthread_join(other, NULL);
    check_discarded_once();
}

/* What it waits for comes at the same time. */
static void cancel_against_wake(void)
{
    pthread_t canceller, waker;
    explore_name("runner");
    spawn_waiting(&handle);
    pthread_create(&canceller, NULL, cancel, NULL);
    pthread_create(&waker, NULL, gate_open_thread, &gate);
    single_run(single);
    pthread_join(canceller, NULL);
    pthread_join(waker, NULL);
    task_detach(&handle);
    single_end(single);
}

EXPLORE_MAIN({ .name = "wakes_against_run",
               .scenario = wakes_against_run,
               .rules = "W2, W3, W4, W5",
               .hang_rule = "W2",
               .models = 7 },
             { .name = "drop_against_end",
               .scenario = drop_against_end,
               .rules = "W4, W5",
               .hang_rule = "W2",
               .models = 7 },
             { .name = "two_runners",
               .scenario = two_runners,
               .rules = "W2, W3",
               .hang_rule = "W2",
               .models = 7 },
             { .name = "join_against_end",
               .scenario = join_against_end,
               .rules = "W1, W8",
               .models = 7 },
             { .name = "renewed_join_against_end",
               .scenario = renewed_join_against_end,
               .rules = "W7, W8",
               .models = 7 },
             { .name = "cancelled_join_against_end",
               .scenario = cancelled_join_against_end,
               .rules = "W8",
               .models = 7 },
             { .name = "detach_against_end",
               .scenario = detach_against_end,
               .rules = "W4",
               .models = 7 },
             { .name = "cancel_against_run",
               .scenario = cancel_against_run,
               .rules = "W12",
               .hang_rule = "W12",
               .models = 7 },
             { .name = "cancel_and_detach_against_run",
               .scenario = cancel_and_detach_against_run,
               .rules = "W4, W12",
               .hang_rule = "W12",
               .models = 7 },
             { .name = "cancel_against_wake",
               .scenario = cancel_against_wake,
               .rules = "W3, W12",
               .hang_rule = "W12" }, )
