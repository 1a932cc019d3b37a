/* Every order of steps of a semaphore: permits that are asked for, given back, handed on. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/semaphore.h"

static struct semaphore semaphore;
static struct sleeper sleepers[2];
static struct semaphore_acquire acquires[2];

/* The acquires want so many of the permits; 0: there is none. */
static void open_semaphore(size_t permits, size_t first_wants, size_t second_wants)
{
    const size_t wanted[] = { first_wants, second_wants };
    semaphore_init(&semaphore, permits);
    for (int i = 0; i < 2; i++) {
        acquires[i] = semaphore_acquire(&semaphore, wanted[i]);
        sleepers[i].waiter = &acquires[i].waiter;
    }
}

static void close_semaphore(const char *rule, size_t permits)
{
    sleepers_end(sleepers, 2, rule);
    EXPLORE_RULE("count", semaphore_available(&semaphore) == permits,
                 "%zu permits are there and not %zu", semaphore_available(&semaphore),
                 permits);
    semaphore_finish(&semaphore);
}

/* Got it? Then it gives the permits back. */
static void use(int which)
{
    if (acquires[which].result == 0)
        semaphore_release(&semaphore, acquires[which].wanted);
}

static void *release_one(void *unused)
{
    explore_name("releases");
    semaphore_release(&semaphore, 1);
    return unused;
}

static void acquire_against_release(void)
{
    explore_name("acquires");
    open_semaphore(0, 1, 0);
    sleeper_poll_against(&sleepers[0], &acquires[0].future, release_one);
    close_semaphore("W1", 0);
}

static void *cancel_first(void *unused)
{
    explore_name("cancelled");
    sleeper_cancel(&sleepers[0]);
    return unused;
}

/* The first in line is granted, or is cancelled, or both: the permit goes to the next. */
static void granted_permit_is_handed_on(void)
{
    pthread_t other;
    explore_name("releases");
    open_semaphore(0, 1, 1);
    sleeper_poll(&sleepers[0], &acquires[0].future);
    sleeper_poll(&sleepers[1], &acquires[1].future);
    pthread_create(&other, NULL, cancel_first, NULL);
    semaphore_release(&semaphore, 1);
    pthread_join(other, NULL);
    close_semaphore("W9", 0);
}

/* The first in line wants more than there is, and stands in the way of the second. */
static void who_leaves_serves_the_line(void)
{
    pthread_t other;
    explore_name("second");
    open_semaphore(1, 2, 1);
    sleeper_poll(&sleepers[0], &acquires[0].future);
    pthread_create(&other, NULL, cancel_first, NULL);
    sleeper_poll(&sleepers[1], &acquires[1].future);
    pthread_join(other, NULL);
    close_semaphore("W9", 0);
}

static void *acquire_and_release(void *unused)
{
    explore_name("first");
    if (sleeper_poll(&sleepers[0], &acquires[0].future))
        use(0);
    return unused;
}

/* Two tasks, one permit, and each gives it back. */
static void two_take_turns(void)
{
    pthread_t other;
    explore_name("second");
    open_semaphore(1, 1, 1);
    pthread_create(&other, NULL, acquire_and_release, NULL);
    bool had = sleeper_poll(&sleepers[1], &acquires[1].future);
    if (had)
        use(1);
    bool waits = sleepers[1].future;
    pthread_join(other, NULL);
    bool other_waits = sleepers[0].future;
    sleepers_run(sleepers, 2);
    if (waits)
        use(1);
    if (other_waits)
        use(0);
    close_semaphore("W1", 1);
}

/* Who did not wait does not overtake who does. */
static void *try_one(void *unused)
{
    explore_name("tries");
    if (semaphore_try_acquire(&semaphore, 1) == 0)
        semaphore_release(&semaphore, 1);
    return unused;
}

static void two_wait_one_tries(void)
{
    pthread_t releases, tries;
    explore_name("waits");
    open_semaphore(0, 2, 1);
    sleeper_poll(&sleepers[0], &acquires[0].future);
    pthread_create(&releases, NULL, release_one, NULL);
    pthread_create(&tries, NULL, try_one, NULL);
    sleeper_poll(&sleepers[1], &acquires[1].future);
    semaphore_release(&semaphore, 2);
    pthread_join(releases, NULL);
    pthread_join(tries, NULL);
    close_semaphore("W1", 0);
}

static void *close_it(void *unused)
{
    explore_name("closes");
    semaphore_close(&semaphore);
    return unused;
}

static void acquire_against_close_and_release(void)
{
    pthread_t closes, releases;
    explore_name("acquires");
    open_semaphore(0, 1, 0);
    pthread_create(&closes, NULL, close_it, NULL);
    pthread_create(&releases, NULL, release_one, NULL);
    sleeper_poll_twice(&sleepers[0], &acquires[0].future);
    pthread_join(closes, NULL);
    pthread_join(releases, NULL);
    sleepers_run(sleepers, 1);
    close_semaphore("W1", acquires[0].result == 0 ? 0 : 1);
}

#define SEMAPHORE_CASE(scenario_name, what)                                            \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN(SEMAPHORE_CASE(acquire_against_release, "W1"),
             SEMAPHORE_CASE(granted_permit_is_handed_on, "W9"),
             SEMAPHORE_CASE(who_leaves_serves_the_line, "W9"),
             SEMAPHORE_CASE(two_take_turns, "W1"),
             SEMAPHORE_CASE(two_wait_one_tries, "W1"),
             SEMAPHORE_CASE(acquire_against_close_and_release, "W1"), )
