/* Every order of steps of a barrier: arrivals, a cancelled one, and the next round. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/barrier.h"

static struct barrier barrier;
static struct sleeper sleepers[3];
static struct barrier_wait waits[3];
static int before[3]; /* plain: each task's own, read by all behind the barrier */

static void open_barrier(unsigned parties)
{
    CHECK(barrier_init(&barrier, parties) == 0, "no barrier");
    for (int i = 0; i < 3; i++) {
        waits[i] = barrier_wait(&barrier);
        sleepers[i].waiter = &waits[i].waiter;
    }
}

static void close_barrier(int count)
{
    sleepers_end(sleepers, count, "W1");
    barrier_finish(&barrier);
}

static bool arrive(int which)
{
    before[which] = 7;
    return sleeper_poll(&sleepers[which], &waits[which].future);
}

static void *first_arrives(void *unused)
{
    explore_name("first");
    if (arrive(0))
        EXPLORE_RULE("all", before[1] == 7, "through, and the other has not arrived");
    return unused;
}

static void *second_arrives(void *unused)
{
    explore_name("second");
    arrive(1);
    return unused;
}

static int leaders(int count)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += waits[i].result == 1;
    return found;
}

static void two_arrive(void)
{
    pthread_t other;
    explore_name("second");
    open_barrier(2);
    pthread_create(&other, NULL, first_arrives, NULL);
    if (arrive(1))
        EXPLORE_RULE("all", before[0] == 7, "through, and the other has not arrived");
    pthread_join(other, NULL);
    close_barrier(2);
    EXPLORE_RULE("once", leaders(2) == 1, "%d were the last", leaders(2));
}

static void three_arrive(void)
{
    pthread_t first, second;
    explore_name("third");
    open_barrier(3);
    pthread_create(&first, NULL, first_arrives, NULL);
    pthread_create(&second, NULL, second_arrives, NULL);
    arrive(2);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    close_barrier(3);
    EXPLORE_RULE("once", leaders(3) == 1, "%d were the last", leaders(3));
}

/* A cancelled arrival is taken back, unless the round was complete: then it counts. */
static void cancel_against_last_arrival(void)
{
    pthread_t other;
    explore_name("cancelled");
    open_barrier(2);
    arrive(0);
    pthread_create(&other, NULL, second_arrives, NULL);
    sleeper_cancel(&sleepers[0]);
    pthread_join(other, NULL);
    sleepers_run(sleepers, 2);
    EXPLORE_RULE("all", (waits[0].result == 0) == (waits[1].result == 1),
                 "the cancelled one says %d, the other %d", waits[0].result,
                 waits[1].result);
    if (waits[0].result == -ECANCELED) { /* one is still missing */
        waits[2] = barrier_wait(&barrier);
        EXPLORE_RULE("all", arrive(2), "the second of two waits");
    }
    close_barrier(3);
}

/* The first of a round is polled again and arrives for the next one, while the last of the
 * round still wakes. */
static void next_round_against_last_arrival(void)
{
    pthread_t other;
    explore_name("first");
    open_barrier(2);
    arrive(0);
    pthread_create(&other, NULL, second_arrives, NULL);
    bool through = sleeper_poll_again(&sleepers[0]);
    if (through) {
        waits[2] = barrier_wait(&barrier);
        EXPLORE_RULE("all", !arrive(2), "alone in the next round, and through");
    }
    pthread_join(other, NULL);
    sleepers_run(sleepers, 3);
    if (through) {
        waits[1] = barrier_wait(&barrier);
        arrive(1);
    }
    close_barrier(3);
}

#define BARRIER_CASE(scenario_name, what)                                              \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN(BARRIER_CASE(two_arrive, "W1"), BARRIER_CASE(three_arrive, "W1"),
             BARRIER_CASE(cancel_against_last_arrival, "W9"),
             BARRIER_CASE(next_round_against_last_arrival, "W1, F3"), )
