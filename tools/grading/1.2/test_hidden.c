/* Hidden tests of exercise 1.2: a cancel in two other moments. */
#include "common/testing/testing.h"

#include "lesson01_futures/exercises/lender.h"
#include "lesson01_futures/gate.h"

static uint64_t now;

static void goes_home(struct customer *customer, struct depot *depot, const char *what)
{
    for (int i = 0; i < 3 && !future_is_done(&customer->future); i++)
        poll_once(&customer->future);
    if (!future_is_done(&customer->future))
        fail_msg("%s: still PENDING after 3 polls (served %u, late %u)", what,
                 customer->served, customer->late);
    if (customer->result != -ECANCELED)
        fail_msg("%s: expected result %d (-ECANCELED), got %d", what, -ECANCELED,
                 customer->result);
    if (depot->free != 1 || depot->first)
        fail_msg(
            "%s: expected 1 buffer in the depot and nobody in its queue, got %u and "
            "%u",
            what, depot->free, depot_waiting(depot));
}

static void F6_cancelled_while_it_works(void **state)
{
    (void)state;
    struct depot depot = { .free = 1 };
    struct customer one = customer(&depot, &now, 2, 5, 10);
    assert_int_equal(poll_once(&one.future), POLL_PENDING);
    assert_int_equal(depot.free, 0);
    future_cancel(&one.future);
    goes_home(&one, &depot, "cancelled while it works with the buffer, 9 ticks to go");
}

/* The buffer is handed over, and the cancel comes before the next poll; in the second
 * round the limit has passed as well. */
static void F6_cancelled_when_the_buffer_was_handed_over(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct depot depot = { .free = 1 };
        struct loan ours = depot_loan(&depot);
        struct customer one = customer(&depot, &now, 2, 5, 10);
        assert_int_equal(poll_once(&ours.future), POLL_READY);
        assert_int_equal(poll_once(&one.future), POLL_PENDING);
        depot_give_back(&depot);
        now += round ? 5 : 0;
        future_cancel(&one.future);
        goes_home(&one, &depot,
                  round ? "a buffer was handed over, the limit passed, and then the "
                          "cancel came"
                        : "a buffer was handed over, and then the cancel came");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F6_cancelled_while_it_works),
        cmocka_unit_test(F6_cancelled_when_the_buffer_was_handed_over),
    };
    return cmocka_run_group_tests_name("lender, hidden", tests, NULL, NULL);
}
