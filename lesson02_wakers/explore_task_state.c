/* Every order of steps of the state word: who wakes, cancels and lets go, while the task
 * runs, pauses and ends. The word alone, in a block that is freed as task.c frees it. */
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/task_state.h"

static struct life {
    _Atomic uint32_t word;
    int output; /* plain: written before the end, discarded once after it */
} * life;
static _Atomic int entries; /* in the queue: this task, and no other */
static _Atomic bool happened, told;
static int news; /* plain: guarded by whatever is said to order it */
static _Atomic int discards;

/* RUNNING, with so many wakers: where most stories begin. */
static void begin(bool handle, int wakers)
{
    bool stalled;
    life = malloc(sizeof *life);
    atomic_init(&life->word, task_state_new(false, handle));
    for (int i = 0; i < wakers; i++)
        task_state_clone(&life->word, false);
    task_state_start(&life->word, false, &stalled);
}

static void put_into_queue(void)
{
    /* acq_rel: as a queue's lock, pairs with itself */
    int before = atomic_fetch_add_explicit(&entries, 1, memory_order_acq_rel);
    EXPLORE_RULE("W3", before == 0, "the task is in the queue twice");
}

static void do_duty(enum task_duty duty)
{
    if (duty == DUTY_SCHEDULE)
        put_into_queue();
    else if (duty == DUTY_FREE)
        free(life);
}

/* Waits until the task is in the queue, and starts it. */
static uint32_t run_again(void)
{
    bool stalled;
    /* acquire: pairs with put_into_queue. To the explorer a load that repeats is a wait
     * for a change. */
    while (atomic_load_explicit(&entries, memory_order_acquire) == 0)
        ;
    atomic_fetch_sub_explicit(&entries, 1, memory_order_acq_rel);
    return task_state_start(&life->word, false, &stalled);
}

/* What finish and forget in task.c do. */
static void end(bool keep)
{
    life->output = 42;
    uint32_t word = task_state_finish(&life->word, false, keep);
    if (word & TASK_HANDLE)
        return;
    if (keep) {
        atomic_fetch_add_explicit(&discards, life->output == 42, memory_order_relaxed);
        do_duty(task_state_drop(&life->word, false));
    } else if (TASK_WAKERS(word) == 0) {
        free(life);
    }
}

static void *announce_and_wake(void *unused)
{
    explore_name("waker");
    news = 7;
    /* release: pairs with the load in wake_against_pause */
    atomic_store_explicit(&happened, true, memory_order_release);
    do_duty(task_state_wake(&life->word, false, true));
    return unused;
}

static void *wake_by_ref(void *unused)
{
    explore_name("waker");
    do_duty(task_state_wake(&life->word, false, false));
    return unused;
}

static void *drop_waker(void *unused)
{
    explore_name("waker");
    do_duty(task_state_drop(&life->word, false));
    return unused;
}

static void *wake_and_tell(void *unused)
{
    explore_name("waker");
    news = 7;
    do_duty(task_state_wake(&life->word, false, false));
    /* relaxed: that the wake is over, and nothing more */
    atomic_store_explicit(&told, true, memory_order_relaxed);
    return unused;
}

static void *drop_handle(void *unused)
{
    explore_name("handle");
    if (task_state_drop_handle(&life->word, false)) {
        atomic_fetch_add_explicit(&discards, life->output == 42, memory_order_relaxed);
        do_duty(task_state_drop(&life->word, false));
    }
    return unused;
}

static void *cancel(void *unused)
{
    explore_name("canceller");
    do_duty(task_state_cancel(&life->word, false));
    return unused;
}

static void *wake_cancel_drop(void *unused)
{
    explore_name("other");
    do_duty(task_state_wake(&life->word, false, false));
    do_duty(task_state_cancel(&life->word, false));
    do_duty(task_state_drop(&life->word, false));
    return unused;
}

/* ---- the cases */

/* A poll finds nothing and pauses, while the event comes. */
static void wake_against_pause(void)
{
    pthread_t other;
    int polls = 1;
    bool stalled;
    explore_name("runner");
    begin(false, 1);
    pthread_create(&other, NULL, announce_and_wake, NULL);
    /* acquire: pairs with announce_and_wake */
    while (!atomic_load_explicit(&happened, memory_order_acquire)) {
        do_duty(task_state_pause(&life->word, false, false, 0, &stalled));
        EXPLORE_RULE("W10", !stalled, "a task with a waker is taken for stalled");
        run_again();
        polls++;
    }
    EXPLORE_RULE("W2", news == 7, "the news is not there yet");
    end(false);
    pthread_join(other, NULL);
    EXPLORE_RULE("W2", polls <= 2, "one wake, and %d polls after it", polls - 1);
}

/* Two wakes and a pause: one entry, whoever makes it. */
static void wakes_coalesce(void)
{
    pthread_t first, second;
    bool stalled;
    explore_name("runner");
    begin(false, 1);
    pthread_create(&first, NULL, wake_by_ref, NULL);
    pthread_create(&second, NULL, wake_by_ref, NULL);
    do_duty(task_state_pause(&life->word, false, false, 0, &stalled));
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    EXPLORE_RULE("W1", entries == 1, "it was woken, and nobody queued it");
    free(life);
}

/* A wake that changes no flag: the run that it is merged into must see what came before
 * it, and the word is all that orders the two. */
static void merged_wake_publishes(void)
{
    pthread_t other;
    bool stalled;
    explore_name("runner");
    begin(false, 1);
    do_duty(task_state_pause(&life->word, false, true, 0, &stalled)); /* SCHEDULED */
    pthread_create(&other, NULL, wake_and_tell, NULL);
    bool over = atomic_load_explicit(&told, memory_order_relaxed);
    run_again();
    if (over)
        EXPLORE_RULE("W3", news == 7, "the news is not there yet");
    pthread_join(other, NULL);
    free(life);
}

/* The end against a last wake: freed once, by whoever is last. */
static void wake_against_end(void)
{
    pthread_t first, second;
    explore_name("runner");
    begin(false, 2);
    pthread_create(&first, NULL, announce_and_wake, NULL);
    pthread_create(&second, NULL, drop_waker, NULL);
    end(false);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    EXPLORE_RULE("W4", entries == 0, "a task that has ended is in the queue");
}

/* The end, the handle given up, the last waker: the output is discarded once. */
static void handle_against_end(void)
{
    pthread_t first, second;
    explore_name("runner");
    begin(true, 1);
    pthread_create(&first, NULL, drop_handle, NULL);
    pthread_create(&second, NULL, drop_waker, NULL);
    end(true);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    EXPLORE_RULE("W4", discards == 1, "the output was discarded %d times", discards);
}

/* A cancel comes while the task runs: it is delivered, if not to this run, to the next.
 * The waker that is never woken is what the task waits for. */
static void cancel_against_pause(void)
{
    pthread_t other;
    bool stalled;
    explore_name("runner");
    begin(true, 1);
    pthread_create(&other, NULL, cancel, NULL);
    uint32_t word;
    do {
        do_duty(task_state_pause(&life->word, false, false, 0, &stalled));
        word = run_again();
    } while (!(word & TASK_CANCELLED));
    pthread_join(other, NULL);
    free(life);
}

/* Three steps against three: pause, run, end; wake, cancel, let go. */
static void three_against_three(void)
{
    pthread_t other;
    bool stalled;
    explore_name("runner");
    begin(true, 1);
    pthread_create(&other, NULL, wake_cancel_drop, NULL);
    do_duty(task_state_pause(&life->word, false, false, 0, &stalled));
    run_again();
    end(false);
    pthread_join(other, NULL);
    EXPLORE_RULE("W4", entries == 0, "a task that has ended is in the queue");
    drop_handle(NULL);
    EXPLORE_RULE("W4", discards == 1, "the output was discarded %d times", discards);
}

/* The last waker is dropped while the task falls asleep: it is counted as stalled, or
 * polled once more, and never both. */
static void last_waker_against_pause(void)
{
    pthread_t other;
    bool stalled;
    explore_name("runner");
    begin(false, 1);
    pthread_create(&other, NULL, drop_waker, NULL);
    do_duty(task_state_pause(&life->word, false, false, 0, &stalled));
    pthread_join(other, NULL);
    EXPLORE_RULE("W10", stalled + entries == 1,
                 "nobody can wake it any more, and it was reported %d times",
                 stalled + entries);
    free(life);
}

EXPLORE_MAIN({ .name = "wake_against_pause",
               .scenario = wake_against_pause,
               .rules = "W1, W2",
               .hang_rule = "W2",
               .models = 7 },
             { .name = "wakes_coalesce",
               .scenario = wakes_coalesce,
               .rules = "W1, W3",
               .models = 7,
               .weak_failures = 1 },
             { .name = "merged_wake_publishes",
               .scenario = merged_wake_publishes,
               .rules = "W3",
               .models = 7 },
             { .name = "wake_against_end",
               .scenario = wake_against_end,
               .rules = "W4, W5",
               .models = 7,
               .weak_failures = 1 },
             { .name = "handle_against_end",
               .scenario = handle_against_end,
               .rules = "W4, W5",
               .models = 7,
               .weak_failures = 1 },
             { .name = "cancel_against_pause",
               .scenario = cancel_against_pause,
               .rules = "W12",
               .hang_rule = "W12",
               .models = 7 },
             { .name = "three_against_three",
               .scenario = three_against_three,
               .rules = "W2, W3, W4",
               .hang_rule = "W2" },
             { .name = "last_waker_against_pause",
               .scenario = last_waker_against_pause,
               .rules = "W10",
               .models = 7 }, )
