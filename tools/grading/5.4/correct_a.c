/* Tests of timers: what sleeps, what is fired, and when the one who parks is told.
 *
 * A world of timers_testing.h has a virtual clock, which only moves when a test says so,
 * and two wakers that count. So nothing here waits, and nothing depends on real time. */
#include "lesson05_reactor/timers_testing.h"

static struct timers_world world;

static int open_world_of_timers(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    open_timers_world(&world, NS_PER_S);
    return 0;
}

/* Dies if a sleep is still pending, fails if a waker is left. */
static int close_world_of_timers(void **state)
{
    (void)state;
    close_timers_world(&world);
    return 0;
}

static enum poll_state poll_as(unsigned who, struct sleep *nap)
{
    struct context context = timers_world_context(&world, who);
    return future_poll(&nap->future, &context);
}

static void time_passes(uint64_t delay)
{
    atomic_fetch_add_explicit(&world.clock.now, delay, memory_order_relaxed);
}

/* An example: it finds nothing wrong with any of the versions. */
static void a_sleep_of_ten_milliseconds_ends(void **state)
{
    (void)state;
    struct sleep nap = sleep_ms(10);
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    time_passes(10 * NS_PER_MS);
    assert_int_equal(timers_fire(&world.timers), 1);
    assert_int_equal(world.wakes[0].wakes, 1);
    assert_int_equal(poll_as(0, &nap), POLL_READY);
    assert_int_equal(nap.result, 0);
}

static void a_sleep_is_exact_to_the_nanosecond(void **state)
{
    /* exercise 5.4 { */
    (void)state;
    struct sleep nap = sleep_ns(1234567), until = sleep_until(NS_PER_S + 1234567);
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    assert_int_equal(poll_as(0, &until), POLL_PENDING);
    time_passes(1234566);
    assert_int_equal(timers_fire(&world.timers), 0);
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    time_passes(1);
    assert_int_equal(timers_fire(&world.timers), 2);
    assert_int_equal(poll_as(0, &nap), POLL_READY);
    assert_int_equal(poll_as(0, &until), POLL_READY);
    /* } exercise 5.4: (state) a nanosecond early, and on time; then tests of your own */
}

/* exercise 5.4 { */
static void all_that_is_due_is_fired_at_once(void **state)
{
    (void)state;
    static struct sleep naps[150];
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++) {
        naps[i] = sleep_ns(1 + i);
        assert_int_equal(poll_as(0, &naps[i]), POLL_PENDING);
    }
    time_passes(1000);
    unsigned fired = timers_fire(&world.timers);
    if (fired != ARRAY_SIZE(naps))
        fail_msg("150 sleeps are due: expected 150 fired, got %u", fired);
    assert_int_equal(world.wakes[0].wakes, 150);
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++)
        assert_int_equal(poll_as(0, &naps[i]), POLL_READY);
}

static void the_last_waker_counts(void **state)
{
    (void)state;
    struct sleep nap = sleep_ms(1);
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    assert_int_equal(poll_as(1, &nap), POLL_PENDING);
    time_passes(NS_PER_MS);
    timers_fire(&world.timers);
    assert_int_equal(world.wakes[1].wakes, 1);
    assert_int_equal(poll_as(1, &nap), POLL_READY);
}

static void a_cancelled_sleep_is_over_and_gone(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        struct sleep nap = sleep_ms(1);
        if (begun)
            assert_int_equal(poll_as(0, &nap), POLL_PENDING);
        future_cancel(&nap.future);
        assert_int_equal(poll_as(0, &nap), POLL_READY);
        assert_int_equal(nap.result, -ECANCELED);
        assert_int_equal(timers_sleep_for(&world.timers, PARK_FOREVER), PARK_FOREVER);
    }
}

static void a_sleep_that_rang_was_not_cancelled(void **state)
{
    (void)state;
    struct sleep nap = sleep_ms(1);
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    assert_false(sleep_rang(&nap));
    time_passes(NS_PER_MS);
    timers_fire(&world.timers);
    assert_true(sleep_rang(&nap));
    future_cancel(&nap.future);
    assert_int_equal(poll_as(0, &nap), POLL_READY);
    assert_int_equal(nap.result, 0);
}

/* T1: as far away as can be said, and not over at once. */
static void endless_sleeps_saturate(void **state)
{
    (void)state;
    struct sleep naps[] = { sleep_ms(UINT64_MAX), sleep_ms(UINT64_MAX / NS_PER_MS + 1),
                            sleep_ns(UINT64_MAX), sleep_until(UINT64_MAX) };
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++)
        assert_int_equal(poll_as(0, &naps[i]), POLL_PENDING);
    time_passes(UINT64_MAX / 4);
    assert_int_equal(timers_fire(&world.timers), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++) {
        future_cancel(&naps[i].future);
        assert_int_equal(poll_as(0, &naps[i]), POLL_READY);
        assert_int_equal(naps[i].result, -ECANCELED);
    }
}

static void time_jumps_to_the_next_deadline(void **state)
{
    (void)state;
    struct sleep nap = sleep_ms(10);
    assert_false(timers_jump(&world.timers, PARK_FOREVER));
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    assert_false(timers_jump(&world.timers, NS_PER_MS));
    virtual_clock_hold(&world.clock);
    assert_false(timers_jump(&world.timers, PARK_FOREVER));
    assert_int_equal(timers_now(&world.timers), NS_PER_S);
    virtual_clock_release(&world.clock);
    assert_int_equal(timers_sleep_for(&world.timers, PARK_FOREVER), 0);
    assert_true(timers_jump(&world.timers, PARK_FOREVER));
    assert_int_equal(timers_now(&world.timers), NS_PER_S + 10 * NS_PER_MS);
    assert_int_equal(timers_fire(&world.timers), 1);
    assert_int_equal(poll_as(0, &nap), POLL_READY);
}

static void time_never_goes_back(void **state)
{
    (void)state;
    struct sleep nap = sleep_ms(1);
    assert_int_equal(poll_as(0, &nap), POLL_PENDING);
    time_passes(NS_PER_S);
    timers_jump(&world.timers, PARK_FOREVER);
    assert_int_equal(timers_now(&world.timers), 2 * NS_PER_S);
    assert_int_equal(timers_fire(&world.timers), 1);
    assert_int_equal(poll_as(0, &nap), POLL_READY);
}

/* ---- who sleeps until the next deadline */

static unsigned unparks;

static int park_not(struct parker *parker, int64_t timeout_ns)
{
    (void)parker;
    (void)timeout_ns;
    return 0;
}

static void count_unpark(struct parker *parker)
{
    (void)parker;
    unparks++;
}

static void an_earlier_deadline_is_told(void **state)
{
    (void)state;
    static const struct parker_ops ops = { "counting", park_not, count_unpark };
    struct parker parker = { &ops };
    struct timers *before = world.services.timers, timers;
    assert_int_equal(timers_init(&timers, true, &world.clock, &parker), 0);
    world.services.timers = &timers;
    struct sleep late = sleep_ms(10), early = sleep_ms(5);
    virtual_clock_hold(&world.clock);
    assert_int_equal(poll_as(0, &late), POLL_PENDING);
    assert_int_equal(timers_sleep_for(&timers, PARK_FOREVER), PARK_FOREVER);
    unparks = 0;
    assert_int_equal(poll_as(0, &early), POLL_PENDING);
    if (unparks == 0)
        fail_msg("the parker sleeps for a deadline in 10 ms, one in 5 ms was inserted, "
                 "and nobody has unparked it");
    unparks = 0;
    virtual_clock_release(&world.clock);
    if (unparks == 0)
        fail_msg("nobody holds the clock any more, and nobody has unparked the parker");
    time_passes(10 * NS_PER_MS);
    virtual_clock_hold(&world.clock);
    assert_int_equal(timers_sleep_for(&timers, PARK_FOREVER), 0);
    virtual_clock_release(&world.clock);
    assert_int_equal(timers_fire(&timers), 2);
    assert_int_equal(poll_as(0, &late), POLL_READY);
    assert_int_equal(poll_as(0, &early), POLL_READY);
    timers_finish(&timers);
    world.services.timers = before;
}

/* ---- intervals */

static void an_interval_keeps_its_rhythm(void **state)
{
    (void)state;
    struct interval interval = { .period = 100 };
    assert_int_equal(interval_tick(&interval).when, NS_PER_S);
    assert_int_equal(interval_tick(&interval).when, NS_PER_S + 100);
    time_passes(130);
    assert_int_equal(interval_tick(&interval).when, NS_PER_S + 200);
    time_passes(400); /* 530: four were missed */
    assert_int_equal(interval_tick(&interval).when, NS_PER_S + 600);
}
/* } exercise 5.4 */

int main(void)
{
#define TIMERS_TEST(name)                                                              \
    cmocka_unit_test_setup_teardown(name, open_world_of_timers, close_world_of_timers)
    const struct CMUnitTest tests[] = {
        TIMERS_TEST(a_sleep_of_ten_milliseconds_ends),
        TIMERS_TEST(a_sleep_is_exact_to_the_nanosecond),
        /* exercise 5.4 { */
        TIMERS_TEST(all_that_is_due_is_fired_at_once),
        TIMERS_TEST(the_last_waker_counts),
        TIMERS_TEST(a_cancelled_sleep_is_over_and_gone),
        TIMERS_TEST(a_sleep_that_rang_was_not_cancelled),
        TIMERS_TEST(endless_sleeps_saturate),
        TIMERS_TEST(time_jumps_to_the_next_deadline), TIMERS_TEST(time_never_goes_back),
        TIMERS_TEST(an_earlier_deadline_is_told),
        TIMERS_TEST(an_interval_keeps_its_rhythm),
        /* } exercise 5.4 */
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
