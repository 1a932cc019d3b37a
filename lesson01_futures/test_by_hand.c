/* two_waits, the state machine by hand: its states one by one, and the contract. */
#include "common/testing/testing.h"

#include "lesson01_futures/by_hand.h"
#include "lesson01_futures/future_contract.h"
#include "lesson01_futures/gate.h"

#define AN_HOUR_MS (3600u * 1000u)

static void each_state_is_a_place_where_it_stops(void **state)
{
    (void)state;
    struct two_waits f = two_waits(AN_HOUR_MS, AN_HOUR_MS);
    assert_int_equal(f.state, TWO_WAITS_START);
    assert_null(f.future.ops->child(&f.future, 0));
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(f.state, TWO_WAITS_IN_FIRST);
    assert_ptr_equal(f.future.ops->child(&f.future, 0), &f.wait.future);
    assert_null(f.future.ops->child(&f.future, 1));
    f.wait.deadline = 0;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(f.state, TWO_WAITS_IN_SECOND);
    f.wait.deadline = 0;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.state, TWO_WAITS_END);
    assert_int_equal(f.finished, 2);
}

static void W12_a_cancel_in_the_first_wait_is_seen_by_the_second(void **state)
{
    (void)state;
    struct two_waits f = two_waits(AN_HOUR_MS, AN_HOUR_MS);
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.finished, 0);
}

static void states_have_names(void **state)
{
    (void)state;
    assert_string_equal(two_waits_state_name(TWO_WAITS_START), "START");
    assert_string_equal(two_waits_state_name(TWO_WAITS_END), "END");
}

static void make(void *world, void *storage)
{
    (void)world;
    *(struct two_waits *)storage = two_waits(AN_HOUR_MS, AN_HOUR_MS);
}

static void expire(void *world, void *storage)
{
    struct two_waits *self = storage;
    (void)world;
    self->first_ms = 0; /* for the waits that are still to come, */
    self->second_ms = 0;
    self->wait.deadline = 0; /* and for the one in flight */
}

static int64_t result(void *world, const void *storage)
{
    (void)world;
    return ((const struct two_waits *)storage)->finished;
}

static struct future_subject two_waits_by_hand = {
    .name = "two_waits",
    .size = sizeof(struct two_waits),
    .make = make,
    .let_finish = expire,
    .result = result,
    .finished = 2,
    .cancelled = 0,
    .runs_when_cancelled = true,
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_a_place_where_it_stops),
        cmocka_unit_test(W12_a_cancel_in_the_first_wait_is_seen_by_the_second),
        cmocka_unit_test(states_have_names),
        FUTURE_CONTRACT(two_waits_by_hand),
    };
    return cmocka_run_group_tests_name("by_hand", tests, NULL, NULL);
}
