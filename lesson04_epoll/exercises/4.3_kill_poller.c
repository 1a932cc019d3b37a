/* Exercise 4.3: Tests for a poller. What to do stands in 4.3_kill_poller.md. */
/* A test program for poller: what a wait owes to time, to signals, and to whoever is called
 * by it. Kernel and clock are scripted: scripted_epoll.h says how. */
#include "common/testing/testing.h"

#include "lesson04_epoll/exercises/scripted_epoll.h"

#include "common/todo.h"

static struct poller poller;
static struct poller_event events[8];

/* A worked example. It is right, and finds nothing wrong with any version: the time is in
 * whole milliseconds, no signal comes, and the kernel has epoll_pwait2. */
static void a_wait_for_nobody_lasts_as_long_as_asked(void **state)
{
    (void)state;
    no_signals();
    assert_int_equal(poller_init(&poller), 0);
    int n = poller_wait(&poller, events, 8, 50 * MS);
    if (n != 0)
        fail_msg("a wait of 50 ms, nobody is ready: expected 0, got %d", n);
    if (passed() < 50 * MS)
        fail_msg("a wait of 50 ms: it took %lld ns", (long long)passed());
    poller_finish(&poller);
}

static void a_signal_in_the_middle(void **state)
{
    /* Yours: let signals come while a wait lasts, and say when it must end */
    EXERCISE_TODO("4.3", state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_for_nobody_lasts_as_long_as_asked),
        cmocka_unit_test(a_signal_in_the_middle),
    };
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
