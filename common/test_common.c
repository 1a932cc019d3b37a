/* The ground that every lesson stands on: deadlines, lists, the notifier, CHECK. */
#include "common/testing/testing.h"

#include <poll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/list.h"
#include "common/notifier.h"
#include "common/testing/faults.h"

static void T1_deadlines_saturate_below_the_sentinel(void **state)
{
    (void)state;
    assert_true(clock_after(0, 0) == 0);
    assert_true(clock_after(5, UINT64_MAX) == CLOCK_NEVER - 1);
    assert_true(clock_after(1, UINT64_MAX - 1) == CLOCK_NEVER - 1);
    assert_true(clock_after(0, UINT64_MAX) == CLOCK_NEVER - 1);
    assert_true(clock_after(0, UINT64_MAX - 1) == UINT64_MAX - 1);
}

static void list_keeps_order_and_survives_double_removal(void **state)
{
    (void)state;
    struct list head, other, a, b, c;
    list_init(&head);
    list_init(&other);
    list_init(&a);
    list_push_back(&head, &a);
    list_push_back(&head, &b);
    list_push_front(&other, &c);
    list_splice_back(&head, &other);
    assert_true(list_empty(&other));
    list_remove(&b);
    list_remove(&b);
    assert_ptr_equal(list_pop_front(&head), &a);
    assert_ptr_equal(list_pop_front(&head), &c);
    assert_null(list_pop_front(&head));
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 0) == 1;
}

static void R8_a_full_eventfd_means_already_woken(void **state)
{
    (void)state;
    struct notifier n;
    assert_int_equal(notifier_init(&n), 0);
    assert_false(readable(n.fd));
    uint64_t nearly_full = UINT64_MAX - 1;
    assert_int_equal(write(n.fd, &nearly_full, sizeof nearly_full), 8);
    errno = EDOM;
    notifier_notify(&n); /* the counter cannot take one more */
    assert_int_equal(errno, EDOM);
    assert_true(readable(n.fd));
    notifier_drain(&n);
    assert_false(readable(n.fd));
    notifier_drain(&n); /* draining nothing is fine */
    notifier_finish(&n);
    notifier_finish(&n);
}

static void notifier_reports_a_failed_eventfd(void **state)
{
    (void)state;
    struct notifier n;
    fault_arm("eventfd", 1, EMFILE);
    assert_int_equal(notifier_init(&n), -EMFILE);
    fault_disarm();
    notifier_finish(&n);
}

static void notifier_survives_interrupted_calls(void **state)
{
    (void)state;
    struct notifier n;
    assert_int_equal(notifier_init(&n), 0);
    fault_arm("write", 1, EINTR);
    notifier_notify(&n);
    assert_int_equal(fault_count(), 1);
    assert_true(readable(n.fd));
    fault_arm("read", 1, EINTR);
    notifier_drain(&n);
    fault_disarm();
    assert_false(readable(n.fd));
    notifier_finish(&n);
}

static void broken_rule(void *argument)
{
    CHECK(argument == NULL, "the answer is %d", 42);
}

static void check_says_where_what_and_why(void **state)
{
    (void)state;
    assert_dies(broken_rule, &state, "the answer is 42");
    assert_dies(broken_rule, &state, "test_common.c");
    assert_dies(broken_rule, &state, "argument == NULL");
}

static void errnames_are_names(void **state)
{
    (void)state;
    assert_string_equal(errname(-ECANCELED), "ECANCELED");
    assert_string_equal(errname(EPERM), "EPERM");
    assert_string_equal(errname(99999), "errno 99999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T1_deadlines_saturate_below_the_sentinel),
        cmocka_unit_test(list_keeps_order_and_survives_double_removal),
        cmocka_unit_test(R8_a_full_eventfd_means_already_woken),
        cmocka_unit_test(notifier_reports_a_failed_eventfd),
        cmocka_unit_test(notifier_survives_interrupted_calls),
        cmocka_unit_test(check_says_where_what_and_why),
        cmocka_unit_test(errnames_are_names),
    };
    return cmocka_run_group_tests_name("common", tests, NULL, NULL);
}
