/* A test program for poller: what a wait owes to time, to signals, and to whoever is called
 * by it. Kernel and clock are scripted: scripted_epoll.h says how. */
#include "common/testing/testing.h"

#include "lesson04_epoll/exercises/scripted_epoll.h"

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

/* exercise 4.3 { */
static void open_poller(void)
{
    refuse_pwait2 = 0;
    assert_int_equal(poller_init(&poller), 0);
}

/* A wait with nobody ready: it must last so long, and at most a millisecond longer. */
static void expect_wait(int64_t timeout_ns)
{
    int n = poller_wait(&poller, events, 8, timeout_ns);
    if (n != 0)
        fail_msg("a wait of %lld ns: expected 0, got %d", (long long)timeout_ns, n);
    if (passed() < timeout_ns || passed() > timeout_ns + MS)
        fail_msg("a wait of %lld ns took %lld ns", (long long)timeout_ns,
                 (long long)passed());
}

/* } exercise 4.3 */
static void a_signal_in_the_middle(void **state)
{
    /* exercise 4.3 { */
    (void)state;
    open_poller();
    signals(10 * MS, 10 * MS, 10 * MS, 10 * MS, 10 * MS, 10 * MS, 10 * MS, 10 * MS);
    expect_wait(50 * MS);
    poller_finish(&poller);
    /* } exercise 4.3: (state) let signals come while a wait lasts, and say when it must end */
}

/* exercise 4.3 { */
static void a_signal_ends_no_wait_without_end(void **state)
{
    (void)state;
    int ends[2];
    make_line(ends);
    open_poller();
    assert_int_equal(poller_add(&poller, ends[0], POLLER_WRITABLE, ends), 0);
    static const int64_t timeouts[] = { POLLER_FOREVER, 0 };
    for (int i = 0; i < 2; i++) {
        signals(0, 0, 0);
        int n = poller_wait(&poller, events, 8, timeouts[i]);
        if (n != 1)
            fail_msg("three signals, then an event: expected 1, got %d", n);
        assert_ptr_equal(poller_event_user(&events[0]), ends);
    }
    poller_finish(&poller);
    close(ends[0]);
    close(ends[1]);
}

static void milliseconds_are_rounded_up(void **state)
{
    (void)state;
    static const int64_t rounded[][2] = { { 0, 0 },  { 1, 1 },      { 300000, 1 },
                                          { MS, 1 }, { MS + 1, 2 }, { 50 * MS, 50 } };
    for (size_t i = 0; i < ARRAY_SIZE(rounded); i++) {
        int got = poller_round_up_ms(rounded[i][0]);
        if (got != rounded[i][1])
            fail_msg("poller_round_up_ms(%lld): expected %lld, got %d",
                     (long long)rounded[i][0], (long long)rounded[i][1], got);
    }
}

static void a_look_does_not_sleep(void **state)
{
    (void)state;
    open_poller();
    no_signals();
    int n = poller_wait(&poller, events, 8, 0);
    if (n != 0 || passed() != 0)
        fail_msg("a wait of 0: got %d after %lld ns", n, (long long)passed());
    poller_finish(&poller);
}

static void a_kernel_without_pwait2(void **state)
{
    (void)state;
    static const int refusals[] = { ENOSYS, EPERM };
    static const int64_t timeouts[] = { 300000, 50 * MS, 30 * DAYS };
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        open_poller();
        refuse_pwait2 = refusals[i];
        for (size_t k = 0; k < ARRAY_SIZE(timeouts); k++) {
            no_signals();
            expect_wait(timeouts[k]);
        }
        poller_finish(&poller);
    }
    refuse_pwait2 = 0;
}

static void a_peer_that_has_hung_up_is_reported(void **state)
{
    (void)state;
    int ends[2];
    make_line(ends);
    open_poller();
    no_signals();
    assert_int_equal(poller_add(&poller, ends[0], 0, ends), 0);
    close(ends[1]);
    int n = poller_wait(&poller, events, 8, 0);
    if (n != 1 || !(poller_event_bits(&events[0]) & POLLER_HUP))
        fail_msg("the peer is gone: expected one event with HUP, got %d, bits %#x", n,
                 n == 1 ? poller_event_bits(&events[0]) : 0);
    poller_finish(&poller);
    close(ends[0]);
}

static void a_second_finish_closes_nothing(void **state)
{
    (void)state;
    int ends[2];
    open_poller();
    int number = poller.fd;
    poller_finish(&poller);
    make_line(ends);
    assert_int_equal(ends[0], number); /* the number has a new owner */
    poller_finish(&poller);
    if (fcntl(ends[0], F_GETFD) < 0)
        fail_msg("the second poller_finish closed the number %d, which is another's",
                 number);
    close(ends[0]);
    close(ends[1]);
}

static void remove_it(void *argument)
{
    poller_remove(&poller, *(int *)argument);
}

static void a_child_does_no_harm(void **state)
{
    (void)state;
    int ends[2];
    make_line(ends);
    open_poller();
    no_signals();
    assert_int_equal(poller_add(&poller, ends[0], POLLER_WRITABLE, ends), 0);
    run_in_child(remove_it, &ends[0], NULL, 0);
    int n = poller_wait(&poller, events, 8, 0);
    if (n != 1)
        fail_msg("a child has removed its copy: expected 1 event in the parent, got %d",
                 n);
    poller_finish(&poller);
    close(ends[0]);
    close(ends[1]);
}

/* } exercise 4.3 */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_for_nobody_lasts_as_long_as_asked),
        cmocka_unit_test(a_signal_in_the_middle),
        /* exercise 4.3 { */
        cmocka_unit_test(a_signal_ends_no_wait_without_end),
        cmocka_unit_test(milliseconds_are_rounded_up),
        cmocka_unit_test(a_look_does_not_sleep),
        cmocka_unit_test(a_kernel_without_pwait2),
        cmocka_unit_test(a_peer_that_has_hung_up_is_reported),
        cmocka_unit_test(a_second_finish_closes_nothing),
        cmocka_unit_test(a_child_does_no_harm),
        /* } exercise 4.3 */
    };
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
