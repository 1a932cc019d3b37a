/* join, race and cancel_all over none, one and many children. (select_any has a file of
 * its own.) */
#include "common/testing/testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/future_contract.h"
#include "lesson01_futures/gate.h"

#define MANY 100

static struct gatekeeper keepers[MANY];
static struct gate gates[MANY];
static struct future *children[MANY];

/* Fresh gates 0..count-1, all closed; gate i finishes with i. */
static void fresh_gates(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        keepers[i] = (struct gatekeeper){ .value = (int)i };
        gates[i] = gate(&keepers[i]);
        children[i] = &gates[i].future;
    }
}

static unsigned children_of(const struct future *future)
{
    unsigned n = 0;
    while (future->ops->child(future, n))
        n++;
    return n;
}

/* ---- join */

static void join_of_nothing_is_ready_at_once(void **state)
{
    (void)state;
    struct join none = join_all(NULL, 0);
    assert_int_equal(poll_once(&none.future), POLL_READY);
    struct future *nulls[2] = { NULL, NULL };
    struct join empty = join_all(nulls, 2);
    assert_int_equal(poll_once(&empty.future), POLL_READY);
    struct join nobody = cancel_all(nulls, 2);
    assert_int_equal(poll_once(&nobody.future), POLL_READY);
}

static void join_waits_for_every_child(void **state)
{
    (void)state;
    fresh_gates(MANY);
    children[50] = NULL;
    struct join all = join_all(children, MANY);
    assert_int_equal(children_of(&all.future), MANY - 1);
    for (unsigned i = MANY; i-- > 0;) {
        if (i == 50)
            continue;
        assert_int_equal(poll_once(&all.future), POLL_PENDING);
        assert_int_equal(children_of(&all.future), i + (i < 50));
        keepers[i].open = true;
    }
    assert_int_equal(poll_once(&all.future), POLL_READY);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(gates[i].result, i == 50 ? 0 : i);
}

/* Says what it costs: each poll asks every child that is not done, and no other. */
static void join_polls_each_unfinished_child_once_a_poll(void **state)
{
    (void)state;
    fresh_gates(3);
    struct join all = join_all(children, 3);
    keepers[1].open = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(poll_once(&all.future), POLL_PENDING);
    assert_int_equal(keepers[0].polls, 4);
    assert_int_equal(keepers[1].polls, 1);
    assert_int_equal(keepers[2].polls, 4);
    future_cancel(&all.future);
    assert_int_equal(poll_once(&all.future), POLL_READY);
}

static void F6_a_cancelled_join_cancels_every_child_and_keeps_real_results(void **state)
{
    (void)state;
    fresh_gates(3);
    struct join all = join_all(children, 3);
    keepers[0].open = true;
    assert_int_equal(poll_once(&all.future), POLL_PENDING);
    keepers[2].stubborn = true;
    future_cancel(&all.future);
    future_cancel(&all.future);
    assert_int_equal(keepers[1].cancels, 1);
    assert_int_equal(poll_once(&all.future),
                     POLL_PENDING); /* F4: awaits the stubborn */
    keepers[2].open = true;
    assert_int_equal(poll_once(&all.future), POLL_READY);
    assert_int_equal(gates[0].result, 0);
    assert_int_equal(gates[1].result, -ECANCELED);
    assert_int_equal(gates[2].result, 2);
}

static void F6_a_join_cancelled_before_its_first_poll_begins_nothing(void **state)
{
    (void)state;
    fresh_gates(2);
    struct join all = join_all(children, 2);
    future_cancel(&all.future);
    assert_int_equal(poll_once(&all.future), POLL_READY);
    assert_int_equal(keepers[0].starts + keepers[1].starts, 0);
}

static void cancel_all_cancels_what_is_left(void **state)
{
    (void)state;
    fresh_gates(3);
    keepers[0].open = true;
    assert_int_equal(poll_once(children[0]), POLL_READY);
    assert_int_equal(poll_once(children[1]), POLL_PENDING);
    struct join rest = cancel_all(children, 3);
    assert_int_equal(keepers[1].cancels, 0); /* lazy, as every future */
    assert_int_equal(poll_once(&rest.future), POLL_READY);
    assert_int_equal(gates[0].result, 0);
    assert_int_equal(gates[1].result, -ECANCELED);
    assert_int_equal(gates[2].result, -ECANCELED);
}

/* ---- race */

static void race_of_nothing_has_no_winner(void **state)
{
    (void)state;
    struct race none = race(NULL, 0);
    assert_int_equal(poll_once(&none.future), POLL_READY);
    assert_int_equal(none.winner, -1);
}

static void race_of_one_is_that_one(void **state)
{
    (void)state;
    fresh_gates(1);
    struct race one = race(children, 1);
    assert_int_equal(poll_once(&one.future), POLL_PENDING);
    keepers[0].open = true;
    assert_int_equal(poll_once(&one.future), POLL_READY);
    assert_int_equal(one.winner, 0);
    assert_int_equal(keepers[0].cancels, 0);
}

static void F4_race_cancels_the_losers_and_awaits_them(void **state)
{
    (void)state;
    fresh_gates(MANY);
    children[7] = NULL;
    struct race many = race(children, MANY);
    assert_int_equal(poll_once(&many.future), POLL_PENDING);
    keepers[42].open = true;
    keepers[3].stubborn = true;
    assert_int_equal(poll_once(&many.future), POLL_PENDING);
    assert_int_equal(many.winner, 42);
    assert_int_equal(children_of(&many.future), 1); /* the stubborn one */
    keepers[3].open = true;
    assert_int_equal(poll_once(&many.future), POLL_READY);
    assert_int_equal(many.winner, 42);
    for (unsigned i = 0; i < MANY; i++)
        if (i != 7 && i != 42 && i != 3)
            assert_int_equal(gates[i].result, -ECANCELED);
}

/* C2's shape: a loser that holds something real is there for the caller to see. */
static void F4_a_loser_with_a_real_result_is_kept_for_the_caller(void **state)
{
    (void)state;
    fresh_gates(2);
    struct race both = race(children, 2);
    assert_int_equal(poll_once(&both.future), POLL_PENDING);
    keepers[0].open = true;
    keepers[1].open = true; /* in the same moment */
    keepers[1].stubborn = true;
    assert_int_equal(poll_once(&both.future), POLL_READY);
    assert_int_equal(both.winner, 0);
    assert_int_equal(gates[1].result, 1);
    assert_int_equal(keepers[1].held, 1);
    gate_discard(&gates[1].future);
    assert_int_equal(keepers[1].held, 0);
}

/* F7: the loser is cancelled after it was polled in the same round, so it is polled
 * again in the same poll: nobody else would. */
static void F7_race_polls_a_loser_again_after_cancelling_it(void **state)
{
    (void)state;
    fresh_gates(2);
    keepers[1].open = true;
    struct race both = race(children, 2);
    assert_int_equal(poll_once(&both.future), POLL_READY);
    assert_int_equal(both.winner, 1);
    assert_int_equal(gates[0].result, -ECANCELED);
    assert_int_equal(keepers[0].polls, 2);
}

static void race_is_won_by_a_child_that_was_ready_before(void **state)
{
    (void)state;
    fresh_gates(2);
    keepers[1].open = true;
    assert_int_equal(poll_once(children[1]), POLL_READY);
    struct race both = race(children, 2);
    assert_int_equal(poll_once(&both.future), POLL_READY);
    assert_int_equal(both.winner, 1);
    assert_int_equal(keepers[0].starts, 0);
}

static void F6_a_cancelled_race_has_every_child_cancelled(void **state)
{
    (void)state;
    fresh_gates(2);
    struct race both = race(children, 2);
    assert_int_equal(poll_once(&both.future), POLL_PENDING);
    future_cancel(&both.future);
    future_cancel(&both.future);
    assert_int_equal(poll_once(&both.future), POLL_READY);
    assert_int_equal(gates[0].result, -ECANCELED);
    assert_int_equal(gates[1].result, -ECANCELED);
    assert_int_equal(keepers[0].cancels, 1);
}

/* ---- a race inside an async function runs the contract like any other future */

struct racing {
    ASYNC_FRAME;
    struct gatekeeper *keepers; /* borrows: two */
    struct gate gates[2];
    struct future *children[2];
    struct race race;
    int result;
};

static enum poll_state racing_poll(struct future *future, struct context *context)
{
    struct racing *self = ASYNC_SELF(racing, future);
    ASYNC_BEGIN(self, context);
    for (int i = 0; i < 2; i++) {
        self->gates[i] = gate(&self->keepers[i]);
        self->children[i] = &self->gates[i].future;
    }
    AWAIT(self->race, race(self->children, 2));
    self->result = self->gates[self->race.winner].result;
    gate_discard(&self->gates[0].future);
    gate_discard(&self->gates[1].future);
    ASYNC_END;
}

static const struct future_ops racing_ops = ASYNC_OPS(racing);

static void racing_setup(void *world)
{
    memset(world, 0, 2 * sizeof(struct gatekeeper));
}

static void racing_make(void *world, void *storage)
{
    *(struct racing *)storage =
        (struct racing){ .future = { &racing_ops }, .keepers = world };
}

static void racing_open(void *world, void *storage)
{
    (void)storage;
    ((struct gatekeeper *)world)[1].open = true;
}

static int64_t racing_result(void *world, const void *storage)
{
    (void)world;
    return ((const struct racing *)storage)->result;
}

static long racing_held(void *world)
{
    const struct gatekeeper *two = world;
    return two[0].held + two[1].held;
}

static struct future_subject a_race = {
    .name = "racing",
    .size = sizeof(struct racing),
    .world = keepers,
    .setup = racing_setup,
    .make = racing_make,
    .let_finish = racing_open,
    .result = racing_result,
    .held = racing_held,
    .cancelled = -ECANCELED,
    .runs_when_cancelled = true,
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_of_nothing_is_ready_at_once),
        cmocka_unit_test(join_waits_for_every_child),
        cmocka_unit_test(join_polls_each_unfinished_child_once_a_poll),
        cmocka_unit_test(
            F6_a_cancelled_join_cancels_every_child_and_keeps_real_results),
        cmocka_unit_test(F6_a_join_cancelled_before_its_first_poll_begins_nothing),
        cmocka_unit_test(cancel_all_cancels_what_is_left),
        cmocka_unit_test(race_of_nothing_has_no_winner),
        cmocka_unit_test(race_of_one_is_that_one),
        cmocka_unit_test(F4_race_cancels_the_losers_and_awaits_them),
        cmocka_unit_test(F4_a_loser_with_a_real_result_is_kept_for_the_caller),
        cmocka_unit_test(F7_race_polls_a_loser_again_after_cancelling_it),
        cmocka_unit_test(race_is_won_by_a_child_that_was_ready_before),
        cmocka_unit_test(F6_a_cancelled_race_has_every_child_cancelled),
        FUTURE_CONTRACT(a_race),
    };
    return cmocka_run_group_tests_name("combine", tests, NULL, NULL);
}
