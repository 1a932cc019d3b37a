/* Tests of timers as explored cases: one thread, so there is one order of steps, but
 * the explorer sees freed, forgotten and reused memory, and a case is a plain
 * function. */
#include "common/explore/explore.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson05_reactor/io.h"
#include "lesson05_reactor/timers.h"

#include <errno.h>
#include <string.h>

enum { START = 977 };

static struct virtual_clock virtual_time;
static struct timers timers;
static struct io_stats stats;
static struct io_services services;
static const struct io_services *before;
static struct waker_probe probes[2];
static int unparks;

static int park_not(struct parker *parker, int64_t timeout_ns)
{
    (void)parker;
    return timeout_ns > 0 ? 0 : 0;
}

static void unpark_counts(struct parker *parker)
{
    (void)parker;
    unparks++;
}

static const struct parker_ops parker_ops = { "counts", park_not, unpark_counts };
static struct parker parker = { &parker_ops };

static void begin(void)
{
    virtual_clock_init(&virtual_time, START);
    CHECK(timers_init(&timers, true, &virtual_time, &parker) == 0, "no timers");
    services = (struct io_services){ .timers = &timers, .stats = &stats };
    before = io_services_enter(&services);
}

static void end(void)
{
    timers_finish(&timers);
    io_services_leave(before);
    for (int i = 0; i < 2; i++)
        EXPLORE_RULE("waker kept", probe_read(&probes[i].live) == 0, "%ld wakers left",
                     probe_read(&probes[i].live));
}

static void set_clock(uint64_t after_start)
{
    atomic_store_explicit(&virtual_time.now, START + after_start, memory_order_relaxed);
}

static bool ready(struct sleep *nap, int who)
{
    return probe_poll(&probes[who], &nap->future) == POLL_READY;
}

#define MUST(rule, condition) EXPLORE_RULE(rule, condition, "expected: %s", #condition)

/* At every distance: not a nanosecond early, and then all of them. */
static void fired_when_due(void)
{
    enum { COUNT = 70 };
    static struct sleep naps[COUNT];
    begin();
    for (uint64_t i = 0; i < COUNT; i++) {
        naps[i] = sleep_ns(10011 + i);
        MUST("F2", !ready(&naps[i], 0));
    }
    set_clock(10010);
    MUST("T2", timers_fire(&timers) == 0);
    set_clock(10011);
    MUST("T2", timers_fire(&timers) == 1);
    set_clock(20000);
    MUST("T2", timers_fire(&timers) == COUNT - 1);
    for (int i = 0; i < COUNT; i++)
        MUST("T2", ready(&naps[i], 0) && naps[i].result == 0);
    end();
}

static void polled_by_another(void)
{
    begin();
    struct sleep nap = sleep_ns(5);
    MUST("F2", !ready(&nap, 0));
    MUST("F2", !ready(&nap, 1));
    set_clock(5);
    timers_fire(&timers);
    MUST("W7", probe_read(&probes[1].wakes) > 0);
    MUST("F2", ready(&nap, 1));
    end();
}

/* Cancelled before, during and after; its memory is then used for something else. */
static void cancelled(void)
{
    begin();
    for (int how = 0; how < 3; how++) {
        struct sleep nap = sleep_until(START + 50);
        if (how > 0)
            MUST("F2", !ready(&nap, 0));
        if (how == 2) {
            set_clock(50);
            timers_fire(&timers);
        }
        future_cancel(&nap.future);
        MUST("F6", ready(&nap, 0));
        MUST("F6", nap.result == (how == 2 ? 0 : -ECANCELED));
        MUST("F6", !wheel_timer_linked(&nap.timer));
        memset(&nap, 0x5a, sizeof nap);
        MUST("F6", how == 2 || timers_sleep_for(&timers, 1000) == 1000);
    }
    end();
}

static void far_away(void)
{
    begin();
    struct sleep naps[] = { sleep_ms(UINT64_MAX), sleep_ms(UINT64_MAX / 2),
                            sleep_ms(UINT64_MAX / NS_PER_MS + 2), sleep_ns(UINT64_MAX),
                            sleep_until(CLOCK_NEVER) };
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++)
        MUST("T1", !ready(&naps[i], 0));
    set_clock(UINT64_C(1) << 62);
    MUST("T1", timers_fire(&timers) == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++) {
        future_cancel(&naps[i].future);
        MUST("F6", ready(&naps[i], 0));
    }
    end();
}

static void jumps(void)
{
    begin();
    struct sleep nap = sleep_ns(300);
    MUST("F2", !ready(&nap, 0));
    for (int64_t limit = 1; limit < 300; limit += 149)
        MUST("T2", !timers_jump(&timers, limit) && timers_now(&timers) == START);
    MUST("T2", timers_jump(&timers, 300) && timers_now(&timers) == START + 300);
    set_clock(301);
    timers_jump(&timers, PARK_FOREVER);
    MUST("T2", timers_now(&timers) == START + 301);
    MUST("T2", timers_fire(&timers) == 1);
    MUST("T2", ready(&nap, 0));
    end();
}

static void told_of_earlier_ones(void)
{
    static struct sleep naps[3];
    begin();
    virtual_clock_hold(&virtual_time);
    for (uint64_t i = 0; i < 3; i++) {
        timers_sleep_for(&timers, PARK_FOREVER);
        naps[i] = sleep_ns(1000 - 300 * i);
        unparks = 0;
        MUST("F2", !ready(&naps[i], 0));
        MUST("W1", unparks > 0);
    }
    virtual_clock_release(&virtual_time);
    for (int i = 0; i < 3; i++) {
        future_cancel(&naps[i].future);
        MUST("F6", ready(&naps[i], 0));
    }
    end();
}

static void in_rhythm(void)
{
    begin();
    struct interval interval = { .period = 7 };
    set_clock(0);
    MUST("T2", interval_tick(&interval).when == START);
    MUST("T2", interval_tick(&interval).when == START + 7);
    set_clock(30);
    MUST("T2", interval_tick(&interval).when == START + 35);
    end();
}

#define CASE(case_name)                                                                \
    {                                                                                  \
        .name = #case_name, .scenario = case_name, .models = 1u << EXPLORE_SC          \
    }

EXPLORE_MAIN(CASE(fired_when_due), CASE(polled_by_another), CASE(cancelled),
             CASE(far_away), CASE(jumps), CASE(told_of_earlier_ones), CASE(in_rhythm))
