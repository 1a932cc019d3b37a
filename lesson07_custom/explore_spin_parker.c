/* Every order of steps of a spin_parker around lesson 2's thread parker: no token is
 * lost, whether it looks round or sleeps. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/thread_parker.h"
#include "lesson07_custom/spin_parker.h"

static struct thread_parker inner;
static struct spin_parker spin;
static _Atomic uint64_t polls;
static _Atomic bool work[2];

/* Time stands still while anybody can move, so who shall sleep has been idle for long. */
static void open_parker(bool sleeps)
{
    thread_parker_init(&inner);
    spin_parker_init(&spin, &inner.parker, &polls, sleeps ? 1 : UINT64_MAX);
    spin.idle_since = sleeps;
}

static void bring(int which)
{
    /* relaxed: it carries nothing but itself; the token is what may not be lost */
    atomic_store_explicit(&work[which], true, memory_order_relaxed);
    parker_unpark(&spin.parker);
}

static void *bring_first(void *unused)
{
    explore_name("first");
    bring(0);
    return unused;
}

static void *bring_second(void *unused)
{
    explore_name("second");
    bring(1);
    return unused;
}

/* As an executor: parks, and looks whether there is something. */
static void sleeps_until(int count)
{
    for (int found = 0; found < count;) {
        parker_park(&spin.parker, PARK_FOREVER);
        spin.idle_since = 1; /* polling took its time */
        for (int i = 0; i < 2; i++)
            found += atomic_exchange_explicit(&work[i], false, memory_order_relaxed);
    }
}

static void park_against_unpark(void)
{
    pthread_t other;
    explore_name("parks");
    open_parker(true);
    pthread_create(&other, NULL, bring_first, NULL);
    sleeps_until(1);
    pthread_join(other, NULL);
}

static void park_against_two_unparks(void)
{
    pthread_t first, second;
    explore_name("parks");
    open_parker(true);
    pthread_create(&first, NULL, bring_first, NULL);
    pthread_create(&second, NULL, bring_second, NULL);
    sleeps_until(2);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
}

/* It looks round first: two parks that do not sleep, and then one that does. */
static void spin_then_park_against_unpark(void)
{
    pthread_t other;
    explore_name("parks");
    open_parker(false);
    pthread_create(&other, NULL, bring_first, NULL);
    bool found = false;
    for (int i = 0; i < 2 && !found; i++) {
        parker_park(&spin.parker, PARK_FOREVER);
        found = atomic_load_explicit(&work[0], memory_order_relaxed);
    }
    spin.idle_since = 1;
    spin.spin_ns = 1;
    if (!found)
        sleeps_until(1);
    pthread_join(other, NULL);
}

#define PARKER_CASE(scenario_name)                                                     \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = "P1, P2",          \
        .hang_rule = "P1", .models = 7,                                                \
    }

EXPLORE_MAIN(PARKER_CASE(park_against_unpark), PARKER_CASE(park_against_two_unparks),
             PARKER_CASE(spin_then_park_against_unpark), )
