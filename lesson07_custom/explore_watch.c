/* Every order of steps of a watch: readers that wait, and who sets or closes it. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/watch.h"

enum { MANY = WAKE_BATCH + 1 }; /* more than are woken at a time */

static struct watch watch;
static struct sleeper sleepers[MANY];
static struct watch_reader readers[MANY];
static struct watch_changed changes[MANY];
static int seen[MANY];

static void open_watch(int count)
{
    CHECK(watch_init(&watch, (int[]){ 1 }, sizeof(int)) == 0, "no watch");
    for (int i = 0; i < count; i++) {
        readers[i] = watch_read_from(&watch);
        changes[i] = watch_changed(&readers[i], &seen[i]);
        sleepers[i].waiter = &changes[i].waiter;
    }
}

static void close_watch(int count)
{
    sleepers_end(sleepers, count, "W1");
    watch_finish(&watch);
}

static void *set_two(void *unused)
{
    explore_name("setter");
    watch_set(&watch, (int[]){ 2 });
    return unused;
}

static void *set_three(void *unused)
{
    explore_name("second");
    watch_set(&watch, (int[]){ 3 });
    return unused;
}

static void *set_and_close(void *unused)
{
    set_two(unused);
    watch_close(&watch);
    return unused;
}

static void wait_against_set(void)
{
    explore_name("reader");
    open_watch(1);
    sleeper_poll_against(&sleepers[0], &changes[0].future, set_two);
    close_watch(1);
    EXPLORE_RULE("value", changes[0].result == 0 && seen[0] == 2, "%d, value %d",
                 changes[0].result, seen[0]);
}

/* The last value is not missed, and nobody waits for one that was seen. */
static void wait_against_two_sets(void)
{
    pthread_t first, second;
    explore_name("reader");
    open_watch(1);
    pthread_create(&first, NULL, set_two, NULL);
    pthread_create(&second, NULL, set_three, NULL);
    sleeper_poll(&sleepers[0], &changes[0].future);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    int last;
    watch_get(&watch, &last);
    sleepers_run(sleepers, 1);
    if (seen[0] != last) { /* it saw the one before: a second wait ends at once */
        changes[0] = watch_changed(&readers[0], &seen[0]);
        sleepers[0].waiter = NULL;
        EXPLORE_RULE("value", sleeper_poll(&sleepers[0], &changes[0].future),
                     "the reader waits, and has not seen the last value");
    }
    EXPLORE_RULE("value", seen[0] == last, "the last value is %d, and %d was seen",
                 last, seen[0]);
    close_watch(1);
}

/* First the value, then the end. */
static void wait_against_close(void)
{
    explore_name("reader");
    open_watch(1);
    sleeper_poll_against(&sleepers[0], &changes[0].future, set_and_close);
    sleepers_run(sleepers, 1);
    EXPLORE_RULE("close", changes[0].result == 0 && seen[0] == 2,
                 "closed, and the last value is lost: %d", changes[0].result);
    close_watch(1);
}

/* A cancelled wait has seen nothing: the reader's next one ends at once. */
static void cancel_against_set(void)
{
    pthread_t other;
    explore_name("reader");
    open_watch(1);
    pthread_create(&other, NULL, set_two, NULL);
    sleeper_poll(&sleepers[0], &changes[0].future);
    sleeper_cancel(&sleepers[0]);
    pthread_join(other, NULL);
    sleepers_run(sleepers, 1);
    struct watch_changed next = watch_changed(&readers[0], &seen[0]);
    sleepers[0].waiter = NULL;
    bool again = changes[0].result == -ECANCELED;
    EXPLORE_RULE("W9", !again || sleeper_poll(&sleepers[0], &next.future),
                 "the cancelled wait has marked the value as seen");
    close_watch(1);
}

/* Ready by a poll that nobody asked for, while the setter is at work. */
static void polled_again_against_set(void)
{
    pthread_t other;
    explore_name("reader");
    open_watch(1);
    pthread_create(&other, NULL, set_two, NULL);
    sleeper_poll_twice(&sleepers[0], &changes[0].future);
    pthread_join(other, NULL);
    close_watch(1);
}

/* The lock is let go after each batch of wakes; the last of the line leaves meanwhile,
 * and another reader gets in line. */
static void *set_beside_many(void *unused)
{
    explore_name("setter");
    watch_set(&watch, (int[]){ 2 });
    return unused;
}

static void last_leaves_while_many_are_woken(void)
{
    pthread_t other;
    explore_name("last");
    open_watch(MANY);
    for (int i = 0; i < MANY; i++)
        sleeper_poll(&sleepers[i], &changes[i].future);
    pthread_create(&other, NULL, set_beside_many, NULL);
    sleeper_cancel(&sleepers[MANY - 1]);
    pthread_join(other, NULL);
    close_watch(MANY);
}

#define WATCH_CASE(scenario_name, what)                                                \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN(WATCH_CASE(wait_against_set, "W1"),
             WATCH_CASE(wait_against_two_sets, "W1"),
             { .name = "watch_against_close",
               .scenario = wait_against_close,
               .rules = "W1",
               .models = 7 },
             WATCH_CASE(cancel_against_set, "W9"),
             WATCH_CASE(polled_again_against_set, "F3"),
             WATCH_CASE(last_leaves_while_many_are_woken, "W1, W8"), )
