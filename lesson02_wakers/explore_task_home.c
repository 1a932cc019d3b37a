/* Every order of steps of a LOCAL task: its home thread, and another one that wakes it,
 * clones and drops its wakers, through the home's mail. */
#include "lesson02_wakers/explore_testing.h"

static struct single *single;
static struct gate gate;
static struct task_handle handle;

/* A LOCAL task that has been polled once and waits at the gate; we are its home. */
static void spawn_waiting(struct task_handle *mine)
{
    explore_name("home");
    single = single_begin();
    task_home_enter(single->home);
    SPAWN_ON_THIS_THREAD(&single->scheduler, mine, gate_wait(&gate));
    single_run_one(single);
}

/* The home thread's loop: the mail, then the queue. */
static void run_until(int live, int stalled)
{
    while (single->live > live || single->stalled < stalled) {
        bool any = task_home_collect(single->home);
        if (!single_run_one(single) && !any)
            sched_yield();
    }
}

static void leave_and_end(void)
{
    task_home_leave(single->home, NULL);
    single_end(single);
}

static void *drop_a_waker(void *unused)
{
    explore_name("other");
    waker_drop(&gate.waker);
    return unused;
}

/* Three references pass through this thread's half of the count. */
static void *clone_and_drop(void *unused)
{
    explore_name("other");
    struct waker another = waker_clone(&gate.waker);
    waker_drop(&gate.waker);
    waker_wake(&another);
    return unused;
}

/* ---- the cases */

static void remote_wake_against_run(void)
{
    pthread_t other;
    spawn_waiting(NULL);
    pthread_create(&other, NULL, gate_open_thread, &gate);
    run_until(0, 0);
    leave_and_end();
    pthread_join(other, NULL);
    EXPLORE_RULE("W4", gate.discards == 1, "the output was discarded %d times",
                 gate.discards);
}

/* The task ends for another reason; the waker goes before, meanwhile, or after the home
 * is closed. */
static void remote_drop_against_end(void)
{
    pthread_t other;
    spawn_waiting(&handle);
    task_cancel(&handle);
    task_detach(&handle);
    pthread_create(&other, NULL, drop_a_waker, NULL);
    run_until(0, 0);
    leave_and_end();
    pthread_join(other, NULL);
}

static void remote_clones_against_end(void)
{
    pthread_t other;
    spawn_waiting(&handle);
    task_cancel(&handle);
    task_detach(&handle);
    pthread_create(&other, NULL, clone_and_drop, NULL);
    run_until(0, 0);
    leave_and_end();
    pthread_join(other, NULL);
}

/* Its last waker goes, on the other thread: it is found to be stalled (W10). */
static void remote_drop_of_the_last_waker(void)
{
    pthread_t other;
    spawn_waiting(&handle);
    waker_wake_by_ref(&gate.waker); /* so that it may be in its poll just now */
    pthread_create(&other, NULL, drop_a_waker, NULL);
    run_until(1, 1);
    pthread_join(other, NULL);
    task_cancel(&handle);
    task_detach(&handle);
    run_until(0, 0);
    leave_and_end();
}

static struct gate other_gate;

static void *drop_then_open(void *unused)
{
    explore_name("other");
    waker_drop(&other_gate.waker);
    gate_open(&gate);
    return unused;
}

/* Two tasks get mail, one after the other: one that has ended, and whose last waker goes,
 * and one that waits. */
static void two_mails_against_run(void)
{
    pthread_t other;
    explore_name("home");
    single = single_begin();
    task_home_enter(single->home);
    SPAWN_ON_THIS_THREAD(&single->scheduler, NULL, gate_wait(&other_gate));
    single_run_one(single);
    other_gate.open = true;
    other_gate.news = 7;
    waker_wake_by_ref(&other_gate.waker);
    single_run_one(single);
    SPAWN_ON_THIS_THREAD(&single->scheduler, NULL, gate_wait(&gate));
    single_run_one(single);
    pthread_create(&other, NULL, drop_then_open, NULL);
    task_home_collect(single->home);
    pthread_join(other, NULL);
    run_until(0, 0);
    leave_and_end();
}

EXPLORE_MAIN({ .name = "remote_wake_against_run",
               .scenario = remote_wake_against_run,
               .rules = "W2, W4, W5",
               .hang_rule = "W1",
               .models = 7 },
             { .name = "remote_drop_against_end",
               .scenario = remote_drop_against_end,
               .rules = "W4, W5",
               .hang_rule = "W1",
               .models = 7 },
             { .name = "remote_clones_against_end",
               .scenario = remote_clones_against_end,
               .rules = "W4, W5",
               .hang_rule = "W1",
               .models = 7 },
             { .name = "remote_drop_of_the_last_waker",
               .scenario = remote_drop_of_the_last_waker,
               .rules = "W10",
               .hang_rule = "W10",
               .models = 7 },
             { .name = "two_mails_against_run",
               .scenario = two_mails_against_run,
               .rules = "W1, W4, W5",
               .hang_rule = "W1",
               .models = 7 }, )
