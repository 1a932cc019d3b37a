/* Every order of steps of two lanes under a virtual clock: time jumps when both sleep, to
 * the earliest deadline, and no further. */
#include "common/explore/explore.h"
#include "lesson05_reactor/explore_kernel.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson05_reactor/reactor.h"
#include "lesson07_custom/held_parker.h"

enum { SOON = NS_PER_MS, LATE = NS_PER_S };

static struct virtual_clock virtual_time;
static struct held_group group;

/* What a lane has of these. */
static struct part {
    struct reactor reactor;
    struct held_parker held;
    struct io_stats stats;
    struct io_services services;
    struct sleep nap;
    struct sleeper sleeper;
} lanes[2];

static _Atomic bool message;

static void open_lanes(void)
{
    kernel_start();
    virtual_clock_init(&virtual_time, NS_PER_S);
    for (int i = 0; i < 2; i++) {
        struct part *lane = &lanes[i];
        struct reactor_config config = { .events = KERNEL_FDS, .clock = &virtual_time };
        CHECK(reactor_init(&lane->reactor, &config) == 0, "no reactor");
        held_parker_init(&lane->held, &lane->reactor.parker, &lane->reactor.timers);
        lane->services = (struct io_services){ .driver = &lane->reactor.driver,
                                               .timers = &lane->reactor.timers,
                                               .stats = &lane->stats };
    }
    held_group_init(&group, &virtual_time);
    for (int i = 0; i < 2; i++)
        held_group_add(&group, &lanes[i].held);
}

static uint64_t passed(void)
{
    return timers_now(&lanes[0].reactor.timers) - NS_PER_S;
}

static void lie_down(struct part *lane, uint64_t delay)
{
    const struct io_services *before = io_services_enter(&lane->services);
    lane->nap = sleep_ns(delay);
    sleeper_poll(&lane->sleeper, &lane->nap.future);
    io_services_leave(before);
}

static void park_until_woken(struct part *lane, uint64_t deadline)
{
    while (!sleeper_was_woken(&lane->sleeper))
        parker_park(&lane->held.parker, PARK_FOREVER);
    EXPLORE_RULE("time", passed() == deadline, "it is %lu and not %lu when it wakes",
                 (unsigned long)passed(), (unsigned long)deadline);
    sleepers_end(&lane->sleeper, 1, "W1");
}

/* As lane_close. */
static void leave(struct part *lane)
{
    held_parker_finish(&lane->held);
    reactor_finish(&lane->reactor);
}

static void *second_lane(void *unused)
{
    explore_name("lane 1");
    park_until_woken(&lanes[1], LATE);
    leave(&lanes[1]);
    return unused;
}

static void two_lanes_fall_asleep(void)
{
    pthread_t other;
    explore_name("lane 0");
    open_lanes();
    lie_down(&lanes[0], SOON);
    lie_down(&lanes[1], LATE);
    pthread_create(&other, NULL, second_lane, NULL);
    park_until_woken(&lanes[0], SOON);
    leave(&lanes[0]);
    pthread_join(other, NULL);
    kernel_stop();
}

/* It has no deadline. It has work for lane 0, and ends. */
static void *sends_and_leaves(void *unused)
{
    explore_name("lane 1");
    /* relaxed: the token orders */
    atomic_store_explicit(&message, true, memory_order_relaxed);
    parker_unpark(&lanes[0].held.parker);
    leave(&lanes[1]);
    return unused;
}

static void message_before_time_jumps(void)
{
    pthread_t other;
    explore_name("lane 0");
    open_lanes();
    lie_down(&lanes[0], LATE);
    pthread_create(&other, NULL, sends_and_leaves, NULL);
    while (!atomic_load_explicit(&message, memory_order_relaxed))
        parker_park(&lanes[0].held.parker, PARK_FOREVER);
    EXPLORE_RULE("time", passed() == 0, "it is %lu, and the message was sent at 0",
                 (unsigned long)passed());
    park_until_woken(&lanes[0], LATE);
    leave(&lanes[0]);
    pthread_join(other, NULL);
    kernel_stop();
}

#define HELD_CASE(case_name, scenario_name, ...)                                       \
    {                                                                                  \
        .name = case_name, .scenario = scenario_name, .rules = "T2, P1",               \
        .hang_rule = "W1", __VA_ARGS__                                                 \
    }

/* Two reactors take too many steps for every order. */
EXPLORE_MAIN(HELD_CASE("two_lanes_fall_asleep", two_lanes_fall_asleep, .bound = 2,
                       .models = 1),
             HELD_CASE("message_before_time_jumps", message_before_time_jumps,
                       .bound = 2, .models = 1),
             HELD_CASE("two_lanes_fall_asleep_deep", two_lanes_fall_asleep, .bound = 3,
                       .models = 1, .deep = true),
             HELD_CASE("message_before_time_jumps_deep", message_before_time_jumps,
                       .bound = 3, .models = 1, .deep = true), )
