/* Exercise 1.2: a depot, its customers, and the ticks that this file moves on. */
#include "common/testing/testing.h"

#include "lesson01_futures/exercises/lender.h"
#include "lesson01_futures/gate.h"

/* More polls than any of these cases needs; what is not done then never will be. */
#define ENOUGH_POLLS 50

static uint64_t now;

/* A loan that this file takes for itself, so that the depot has one less. */
static void take(struct depot *depot)
{
    struct loan loan = depot_loan(depot);
    assert_int_equal(poll_once(&loan.future), POLL_READY);
}

/* Polls once a tick until it is READY. */
static void run(struct customer *customer, const char *what)
{
    for (int i = 0; i < ENOUGH_POLLS; i++) {
        if (poll_once(&customer->future) == POLL_READY)
            return;
        now++;
    }
    future_print_tree(&customer->future, "    waits: ");
    fail_msg("%s: still PENDING after %d polls; served %u of %u, late %u; nobody has a "
             "buffer, and %u lie in the depot",
             what, ENOUGH_POLLS, customer->served, customer->visits, customer->late,
             customer->depot->free);
}

static void all_are_back(const struct depot *depot, unsigned expected, const char *what)
{
    if (depot->free != expected)
        fail_msg("%s: the depot has %u buffers, %u of them lie there, nobody holds one "
                 "and %u customers wait",
                 what, expected, depot->free, depot_waiting(depot));
}

static void a_customer_comes_until_it_was_served(void **state)
{
    (void)state;
    struct depot depot = { .free = 1 };
    struct customer one = customer(&depot, &now, 3, 5, 2);
    run(&one, "one buffer, one customer");
    if (one.served != 3 || one.late != 0 || one.result != 0)
        fail_msg(
            "one buffer, one customer, 3 visits: expected served 3, late 0, result "
            "0; got served %u, late %u, result %d",
            one.served, one.late, one.result);
    all_are_back(&depot, 1, "after 3 visits");
}

static void a_late_customer_asks_anew(void **state)
{
    (void)state;
    struct depot depot = { .free = 1 };
    struct customer one = customer(&depot, &now, 1, 5, 2);
    take(&depot);
    for (int i = 0; i < 12; i++, now++)
        if (poll_once(&one.future) != POLL_PENDING)
            fail_msg("the only buffer is out: the customer is READY at tick %d", i);
    if (one.late != 2)
        fail_msg("patience 5, 12 ticks without a buffer: expected late 2, got %u",
                 one.late);
    depot_give_back(&depot);
    run(&one, "the buffer came back");
    if (one.served != 1 || one.late != 2)
        fail_msg("the buffer came back: expected served 1, late 2; got %u and %u",
                 one.served, one.late);
    all_are_back(&depot, 1, "after the visit");
}

static void F6_a_buffer_that_comes_with_the_limit_is_not_lost(void **state)
{
    (void)state;
    struct depot depot = { .free = 1 };
    struct customer one = customer(&depot, &now, 1, 5, 2);
    take(&depot);
    poll_once(&one.future);
    now += 5;
    depot_give_back(&depot); /* in the moment in which the limit passes */
    poll_once(&one.future);
    run(&one, "one buffer; it came back in the moment in which the limit passed");
    all_are_back(&depot, 1, "a buffer came in the moment of the limit; at the end");
}

static void F6_the_next_in_the_queue_gets_it(void **state)
{
    (void)state;
    struct depot depot = { .free = 1 };
    struct customer hasty = customer(&depot, &now, 1, 5, 2);
    struct customer patient = customer(&depot, &now, 1, 1000, 2);
    take(&depot);
    poll_once(&hasty.future);
    poll_once(&patient.future);
    now += 5;
    depot_give_back(&depot);
    for (int i = 0; i < ENOUGH_POLLS && !future_is_done(&hasty.future); i++, now++) {
        poll_once(&hasty.future);
        if (!future_is_done(&patient.future))
            poll_once(&patient.future);
    }
    for (int i = 0; i < ENOUGH_POLLS && !future_is_done(&patient.future); i++, now++)
        poll_once(&patient.future);
    if (!future_is_done(&patient.future)) {
        future_print_tree(&patient.future, "    waits: ");
        fail_msg(
            "two customers, one buffer, which came in the moment of the first one's "
            "limit: the second one waits for ever (first: served %u, late %u; second: "
            "served %u; buffers that lie there: %u)",
            hasty.served, hasty.late, patient.served, depot.free);
    }
    all_are_back(&depot, 1, "two customers, one buffer; at the end");
}

static void W12_a_cancelled_customer_goes_home(void **state)
{
    (void)state;
    struct depot depot = { .free = 1 };
    struct customer one = customer(&depot, &now, 1, 5, 2);
    take(&depot);
    poll_once(&one.future);
    future_cancel(&one.future);
    for (int i = 0; i < 3; i++)
        if (poll_once(&one.future) == POLL_READY)
            break;
    if (!future_is_done(&one.future)) {
        future_print_tree(&one.future, "    waits: ");
        fail_msg(
            "cancelled while it waits: expected READY, still PENDING after 3 polls; "
            "no tick has passed, and it counts late %u",
            one.late);
    }
    if (one.result != -ECANCELED || one.late != 0 || one.served != 0)
        fail_msg("cancelled while it waits: expected result %d (-ECANCELED), served 0, "
                 "late 0; got %d, %u and %u",
                 -ECANCELED, one.result, one.served, one.late);
    if (depot_waiting(&depot) != 0)
        fail_msg("cancelled while it waits: it still stands in the queue");
    depot_give_back(&depot);
    all_are_back(&depot, 1, "cancelled while it waits; at the end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_customer_comes_until_it_was_served),
        cmocka_unit_test(a_late_customer_asks_anew),
        cmocka_unit_test(F6_a_buffer_that_comes_with_the_limit_is_not_lost),
        cmocka_unit_test(F6_the_next_in_the_queue_gets_it),
        cmocka_unit_test(W12_a_cancelled_customer_goes_home),
    };
    return cmocka_run_group_tests_name("lender", tests, NULL, NULL);
}
