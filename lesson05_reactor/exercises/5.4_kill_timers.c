/* Exercise 5.4: Tests for timers, without waiting.
 * What to do stands in 5.4_kill_timers.md. */
/* Tests of timers: what sleeps, what is fired, and when the one who parks is told.
 *
 * A world of timers_testing.h has a virtual clock, which only moves when a test says so,
 * and two wakers that count. So nothing here waits, and nothing depends on real time. */
#include "lesson05_reactor/timers_testing.h"

#include "common/todo.h"

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
    /* Yours: a nanosecond early, and on time; then tests of your own */
    EXERCISE_TODO("5.4", state);
}

int main(void)
{
#define TIMERS_TEST(name)                                                              \
    cmocka_unit_test_setup_teardown(name, open_world_of_timers, close_world_of_timers)
    const struct CMUnitTest tests[] = {
        TIMERS_TEST(a_sleep_of_ten_milliseconds_ends),
        TIMERS_TEST(a_sleep_is_exact_to_the_nanosecond),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
