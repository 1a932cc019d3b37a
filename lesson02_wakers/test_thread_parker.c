/* The thread parker: the contract of every parker, and what is its own. */
#include "lesson02_wakers/parker_contract.h"

#include <sys/time.h>

#include "lesson02_wakers/thread_parker.h"

static struct thread_parker the_parker;

static struct parker *open_parker(void *world)
{
    struct thread_parker *parker = world;
    thread_parker_init(parker);
    return &parker->parker;
}

static void close_parker(void *world)
{
    (void)world;
}

static struct parker_subject a_thread_parker = {
    .name = "the thread parker",
    .world = &the_parker,
    .open = open_parker,
    .close = close_parker,
    .signal_safe = true,
};

static void do_nothing(int number)
{
    (void)number;
}

/* A signal may end a sleep early (P3); the caller computes anew and is not late (R9). */
static void signals_beside_a_sleep_do_no_harm(void **state)
{
    (void)state;
    struct parker *parker = open_parker(&the_parker);
    struct sigaction action = { .sa_handler = do_nothing }, before;
    struct itimerval often = { { 0, 1000 }, { 0, 1000 } },
                     never = { { 0, 0 }, { 0, 0 } };
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    uint64_t now, end = clock_now() + 30 * NS_PER_MS;
    int err = 0;
    while (err == 0 && (now = clock_now()) < end)
        err = parker_park(parker, (int64_t)(end - now));
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(err, 0);
}

static void long_limits_are_kept_apart_from_none(void **state)
{
    (void)state;
    struct parker *parker = open_parker(&the_parker);
    const int64_t limits[] = { PARK_FOREVER, INT64_MAX, INT64_C(1) << 62 };
    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        parker_unpark(parker);
        assert_int_equal(parker_park(parker, limits[i]), 0);
    }
    struct parker_bench bench = { .parker = parker, .rounds = 1 };
    pthread_t thread = start_thread(parker_bring_work, &bench);
    while (probe_read(&bench.work) ==
           0) /* sleeps for 292 years, or until it is woken */
        assert_int_equal(parker_park(parker, INT64_MAX), 0);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARKER_CONTRACT(a_thread_parker),
        cmocka_unit_test(signals_beside_a_sleep_do_no_harm),
        cmocka_unit_test(long_limits_are_kept_apart_from_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
