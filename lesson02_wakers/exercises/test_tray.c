/* The tray on one thread: the order of orders, the close, the waker, the cancel. */
#include "lesson02_wakers/waker_probe.h"

#include "lesson02_wakers/exercises/tray.h"

static struct tray tray;
static struct waker_probe probe, newer;
static struct order orders[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };

static int setup(void **state)
{
    (void)state;
    tray_init(&tray);
    probe = newer = (struct waker_probe){ 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tray_finish(&tray);
    return 0;
}

static void expect_wakers(const char *when, long expected)
{
    long live = probe_read(&probe.live) + probe_read(&newer.live);
    if (live != expected)
        fail_msg("%s: expected %ld wakers in the tray, got %ld", when, expected, live);
}

/* One poll of a fresh take, which must be READY with this result. */
static void expect_take(const char *when, int result, int number)
{
    struct tray_take take = tray_take(&tray);
    if (probe_poll(&probe, &take.future) != POLL_READY)
        fail_msg("%s: expected READY, got PENDING", when);
    if (take.result != result)
        fail_msg("%s: expected result %d, got %d", when, result, take.result);
    if (result == 0 && take.order->number != number)
        fail_msg("%s: expected order %d, got %d", when, number, take.order->number);
    expect_wakers(when, 0);
}

static void orders_come_in_the_order_in_which_they_were_put(void **state)
{
    (void)state;
    tray_put(&tray, &orders[0]);
    tray_put(&tray, &orders[1]);
    expect_take("put 1 and 2, first take", 0, 1);
    tray_put(&tray, &orders[2]);
    expect_take("put 3, second take", 0, 2);
    expect_take("third take", 0, 3);
}

static void a_closed_tray_is_emptied_first(void **state)
{
    (void)state;
    tray_put(&tray, &orders[0]);
    tray_put(&tray, &orders[1]);
    tray_close(&tray);
    expect_take("put 1 and 2, close, first take", 0, 1);
    expect_take("second take", 0, 2);
    expect_take("third take", -EPIPE, 0);
}

static void who_waits_is_left_alone_until_an_order_comes(void **state)
{
    (void)state;
    struct tray_take take = tray_take(&tray);
    assert_int_equal(probe_poll(&probe, &take.future), POLL_PENDING);
    assert_int_equal(probe_poll(&newer, &take.future), POLL_PENDING);
    expect_wakers("two polls of a take that waits", 1);
    if (probe_read(&probe.wakes) + probe_read(&newer.wakes) != 0)
        fail_msg("the tray is empty: expected no wake, got %ld",
                 probe_read(&probe.wakes) + probe_read(&newer.wakes));
    tray_put(&tray, &orders[0]);
    tray_put(&tray, &orders[1]);
    if (probe_read(&newer.wakes) != 1 || probe_read(&probe.wakes) != 0)
        fail_msg("two puts: expected 1 wake of the newer waker and 0 of the older, "
                 "got %ld and %ld",
                 probe_read(&newer.wakes), probe_read(&probe.wakes));
    assert_int_equal(probe_poll(&newer, &take.future), POLL_READY);
    assert_int_equal(take.order->number, 1);
    expect_take("the next take", 0, 2);
}

static void a_cancelled_take_takes_nothing_and_leaves_no_waker(void **state)
{
    (void)state;
    struct tray_take take = tray_take(&tray);
    assert_int_equal(probe_poll(&probe, &take.future), POLL_PENDING);
    future_cancel(&take.future);
    assert_int_equal(probe_poll(&probe, &take.future), POLL_READY);
    assert_int_equal(take.result, -ECANCELED);
    expect_wakers("a take was cancelled", 0);
    tray_put(&tray, &orders[0]);
    take = tray_take(&tray);
    future_cancel(&take.future);
    assert_int_equal(probe_poll(&probe, &take.future), POLL_READY);
    assert_int_equal(take.result, -ECANCELED);
    expect_take("put 1, a take is cancelled, the next take", 0, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(orders_come_in_the_order_in_which_they_were_put),
        TEST(a_closed_tray_is_emptied_first),
        TEST(who_waits_is_left_alone_until_an_order_comes),
        TEST(a_cancelled_take_takes_nothing_and_leaves_no_waker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
