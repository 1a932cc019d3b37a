/* Another test program for poller: a few tables, and one walk through a life. */
#include "common/testing/testing.h"

#include "lesson04_epoll/exercises/scripted_epoll.h"

static struct poller_event event;

/* A time-out, signals each so far into a sleep, and what the kernel has. */
struct row {
    const char *name;
    int64_t timeout;
    int64_t signals[6];
    unsigned count;
    int refusal;
};

static const struct row rows[] = {
    { "a look", 0, { 0 }, 0, 0 },
    { "a short wait", 1, { 0 }, 0, ENOSYS },
    { "a third of a millisecond in a container", 333333, { 0 }, 0, EPERM },
    { "six signals", 5 * MS, { 2 * MS, 2 * MS, 2 * MS, 2 * MS, 2 * MS, 2 * MS }, 6, 0 },
    { "a month", 30 * DAYS, { 0 }, 0, 0 },
    { "a month in old milliseconds", 30 * DAYS, { 0 }, 0, ENOSYS },
};

static void time_is_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct poller poller;
        const struct row *row = &rows[i];
        assert_int_equal(poller_init(&poller), 0);
        refuse_pwait2 = row->refusal;
        script_begin(row->signals, row->count);
        int n = poller_wait(&poller, &event, 1, row->timeout);
        bool exact = row->timeout == 0;
        if (n != 0 || passed() < row->timeout ||
            passed() > row->timeout + (exact ? 0 : MS))
            fail_msg("%s, %lld ns: got %d after %lld ns", row->name,
                     (long long)row->timeout, n, (long long)passed());
        poller_finish(&poller);
    }
    refuse_pwait2 = 0;
    for (int64_t ns = 0; ns < 3 * MS; ns += 99999) {
        int64_t ms = poller_round_up_ms(ns);
        if (ms * MS < ns || (ms - 1) * MS >= ns)
            fail_msg("%lld ns are %lld ms: expected the next larger number",
                     (long long)ns, (long long)ms);
    }
}

static struct poller shared;
static int line[2];

static void meddle(void *unused)
{
    (void)unused;
    poller_remove(&shared, line[0]);
    poller_finish(&shared);
}

static void a_life(void **state)
{
    (void)state;
    make_line(line);
    assert_int_equal(poller_init(&shared), 0);
    assert_int_equal(poller_add(&shared, line[0], POLLER_READABLE, line), 0);
    signals(0);
    assert_int_equal(poller_wait(&shared, &event, 1, 0), 0);
    run_in_child(meddle, NULL, NULL, 0);
    close(line[1]);
    signals(MS, MS);
    assert_int_equal(poller_wait(&shared, &event, 1, POLLER_FOREVER), 1);
    assert_true(poller_event_bits(&event) & POLLER_HUP);
    assert_true(poller_event_user(&event) == line);
    int number = shared.fd;
    poller_finish(&shared);
    int again = fcntl(line[0], F_DUPFD, number);
    assert_int_equal(again, number);
    poller_finish(&shared);
    assert_true(fcntl(again, F_GETFD) >= 0);
    close(again);
    close(line[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(time_is_kept),
                                        cmocka_unit_test(a_life) };
    return cmocka_run_group_tests_name("poller, by tables", tests, NULL, NULL);
}
