/* Every order of steps of the timers: deadlines that are inserted, withdrawn and fired
 * while the reactor goes to sleep. */
#include "common/explore/explore.h"
#include "lesson05_reactor/explore_kernel.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson05_reactor/reactor.h"

enum { SOON = NS_PER_MS, LATE = NS_PER_S };

static struct reactor reactor;
static struct virtual_clock virtual_time;
static struct io_stats stats;
static struct io_services services;
static struct sleep naps[2];
static struct sleeper sleepers[2];
static uint64_t start;

static void open_timers(bool is_virtual)
{
    struct reactor_config config = { .shared = true, .events = KERNEL_FDS };
    kernel_start();
    if (is_virtual) {
        virtual_clock_init(&virtual_time, NS_PER_S);
        config.clock = &virtual_time;
    }
    CHECK(reactor_init(&reactor, &config) == 0, "no reactor");
    services = (struct io_services){ .driver = &reactor.driver,
                                     .timers = &reactor.timers,
                                     .stats = &stats };
    start = timers_now(&reactor.timers);
    naps[0] = sleep_ns(LATE);
    naps[1] = sleep_ns(SOON);
}

static void close_timers(const char *rule)
{
    sleepers_end(sleepers, 2, rule);
    reactor_finish(&reactor);
    kernel_stop();
}

/* On the calling thread. */
static void lie_down(int which)
{
    const struct io_services *before = io_services_enter(&services);
    sleeper_poll(&sleepers[which], &naps[which].future);
    io_services_leave(before);
}

/* Sleeps in the reactor until this one is woken. */
static void park_until_woken(int which)
{
    while (!sleeper_was_woken(&sleepers[which]))
        parker_park(&reactor.parker, PARK_FOREVER);
}

static uint64_t passed(void)
{
    return timers_now(&reactor.timers) - start;
}

/* ---- real time */

static void *inserts(void *unused)
{
    explore_name("inserts");
    lie_down(1);
    return unused;
}

static void earlier_deadline_against_park(void)
{
    pthread_t other;
    explore_name("parks");
    open_timers(false);
    lie_down(0);
    pthread_create(&other, NULL, inserts, NULL);
    park_until_woken(1);
    EXPLORE_RULE("time", passed() == SOON,
                 "it slept past a deadline that came meanwhile");
    pthread_join(other, NULL);
    park_until_woken(0);
    close_timers("W1");
}

static void first_deadline_against_park(void)
{
    pthread_t other;
    explore_name("parks");
    open_timers(false);
    pthread_create(&other, NULL, inserts, NULL);
    park_until_woken(1);
    pthread_join(other, NULL);
    close_timers("W1");
}

static void *fires(void *unused)
{
    explore_name("fires");
    parker_park(&reactor.parker, PARK_FOREVER);
    return unused;
}

/* A sleep is over when its frame is its owner's again, who uses it at once. */
static void cancel_against_fire(void)
{
    pthread_t other;
    explore_name("sleeps");
    open_timers(true);
    lie_down(1);
    pthread_create(&other, NULL, fires, NULL);
    future_cancel(&naps[1].future);
    if (sleeper_poll_again(&sleepers[1])) {
        EXPLORE_RULE("F6", naps[1].result == 0 || naps[1].result == -ECANCELED, "%d",
                     naps[1].result);
        memset(&naps[1], 0, sizeof naps[1]);
        parker_unpark(&reactor.parker); /* there may be nothing to fire any more */
    }
    pthread_join(other, NULL);
    close_timers("W1");
}

/* ---- virtual time */

static void *inserts_and_lets_go(void *unused)
{
    explore_name("holds");
    lie_down(1);
    virtual_clock_release(&virtual_time);
    return unused;
}

/* Time stands still while the other holds it, and jumps when it lets go: to its deadline,
 * which it inserted before. */
static void jump_against_release(void)
{
    pthread_t other;
    explore_name("parks");
    open_timers(true);
    lie_down(0);
    virtual_clock_hold(&virtual_time);
    pthread_create(&other, NULL, inserts_and_lets_go, NULL);
    park_until_woken(1);
    EXPLORE_RULE("time", passed() == SOON, "time jumped by %lu ns and not by %lu",
                 (unsigned long)passed(), (unsigned long)SOON);
    pthread_join(other, NULL);
    park_until_woken(0);
    EXPLORE_RULE("time", passed() == LATE, "time jumped by %lu ns and not by %lu",
                 (unsigned long)passed(), (unsigned long)LATE);
    close_timers("W1");
}

#define TIMERS_CASE(scenario_name, what, ...)                                          \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what,              \
        .hang_rule = "W1", __VA_ARGS__                                                 \
    }

EXPLORE_MAIN(TIMERS_CASE(earlier_deadline_against_park, "T2", .models = 7),
             TIMERS_CASE(first_deadline_against_park, "W1", .models = 7),
             TIMERS_CASE(cancel_against_fire, "C15", .models = 7),
             TIMERS_CASE(jump_against_release, "T2", .models = 7), )
