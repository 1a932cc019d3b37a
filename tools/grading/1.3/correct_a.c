/* Tests for async.c: what every async function owes to whoever cancels it, walks it, or
 * waits for its end. The versions that are tried differ in async.c alone; the macros of
 * async.h are the course's own. */
#include "common/testing/testing.h"

#include "lesson01_futures/async.h"
#include "lesson01_futures/combine.h"
#include "lesson01_futures/gate.h"

/* ---- a worked example: an async function made for a test */

/* Awaits one gate. The test opens it and watches it through its keeper (gate.h). */
struct one_wait {
    ASYNC_FRAME;
    struct gatekeeper *keeper; /* borrows */
    struct gate gate;
    int result;
};

static enum poll_state one_wait_poll(struct future *future, struct context *context)
{
    struct one_wait *self = ASYNC_SELF(one_wait, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->gate, gate(self->keeper));
    self->result = self->gate.result;
    ASYNC_END;
}

static const struct future_ops one_wait_ops = ASYNC_OPS(one_wait);

static void a_function_waits_and_ends(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .value = 7 };
    struct one_wait f = { .future = { &one_wait_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    keeper.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.result, 7);
}

/* exercise 1.3 { */

/* ---- cancels */

/* Three waits: the second is shielded, and before the third it may cancel itself. */
struct three_waits {
    ASYNC_FRAME;
    struct gatekeeper *keepers; /* borrows: three */
    struct gate gate;
    int results[3];
    bool cancels_itself;
};

static enum poll_state three_waits_poll(struct future *future, struct context *context)
{
    struct three_waits *self = ASYNC_SELF(three_waits, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->gate, gate(&self->keepers[0]));
    self->results[0] = self->gate.result;
    AWAIT_SHIELDED(self->gate, gate(&self->keepers[1]));
    self->results[1] = self->gate.result;
    if (self->cancels_itself)
        future_cancel(future);
    AWAIT(self->gate, gate(&self->keepers[2]));
    self->results[2] = self->gate.result;
    ASYNC_END;
}

static const struct future_ops three_waits_ops = ASYNC_OPS(three_waits);

static struct three_waits three_waits(struct gatekeeper *keepers)
{
    for (int i = 0; i < 3; i++)
        keepers[i] = (struct gatekeeper){ .value = i + 1 };
    return (struct three_waits){ .future = { &three_waits_ops }, .keepers = keepers };
}

static void W12_a_cancel_meets_the_await_in_flight_and_each_later_one(void **state)
{
    (void)state;
    struct gatekeeper keepers[3];
    struct three_waits f = three_waits(keepers);
    keepers[1].open = true;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.results[0], -ECANCELED);
    assert_int_equal(f.results[1], 2); /* the shield */
    assert_int_equal(f.results[2], -ECANCELED);
    assert_int_equal(keepers[2].starts, 0);
}

static void F6_a_shielded_await_goes_on_and_the_cancel_waits_behind_it(void **state)
{
    (void)state;
    struct gatekeeper keepers[3];
    struct three_waits f = three_waits(keepers);
    keepers[0].open = true;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    keepers[1].open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.results[1], 2);
    assert_int_equal(f.results[2], -ECANCELED);
}

static void F7_a_body_cancels_itself(void **state)
{
    (void)state;
    struct gatekeeper keepers[3];
    struct one_wait once = { .future = { &one_wait_ops } };
    struct three_waits f = three_waits(keepers);
    f.cancels_itself = true;
    keepers[0].open = keepers[1].open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.results[2], -ECANCELED);
    assert_int_equal(keepers[2].starts, 0);

    once.keeper = &keepers[0];
    future_cancel(&once.future); /* before its first poll it runs all the same */
    assert_int_equal(poll_once(&once.future), POLL_READY);
    assert_int_equal(once.result, -ECANCELED);
}

/* Its first await is not shielded: nothing of the kind was there before it cancels. */
struct at_once {
    ASYNC_FRAME;
    struct gatekeeper *keeper; /* borrows */
    struct gate gate;
};

static enum poll_state at_once_poll(struct future *future, struct context *context)
{
    struct at_once *self = ASYNC_SELF(at_once, future);
    ASYNC_BEGIN(self, context);
    future_cancel(future);
    AWAIT(self->gate, gate(self->keeper));
    ASYNC_END;
}

static const struct future_ops at_once_ops = ASYNC_OPS(at_once);

static void F7_a_body_cancels_itself_before_any_await(void **state)
{
    (void)state;
    struct gatekeeper keeper = { 0 };
    struct at_once f = { .future = { &at_once_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.gate.result, -ECANCELED);
}

/* ---- what a select_any left in flight */

/* Waits for two of three gates, then for another one; `forget`: returns then. */
struct selecting {
    ASYNC_FRAME;
    struct gatekeeper *keepers; /* borrows: four */
    struct gate gates[3];
    struct future *children[3];
    struct select any;
    struct gate pause;
    struct join rest;
    int count;
    bool forget;
};

static enum poll_state selecting_poll(struct future *future, struct context *context)
{
    struct selecting *self = ASYNC_SELF(selecting, future);
    ASYNC_BEGIN(self, context);
    for (int i = 0; i < 3; i++) {
        self->gates[i] = gate(&self->keepers[i]);
        self->children[i] = &self->gates[i].future;
    }
    for (self->count = 0; self->count < 2; self->count++) {
        AWAIT(self->any, select_any(&self->async, self->children, 3));
        self->children[self->any.winner] = NULL;
    }
    AWAIT(self->pause, gate(&self->keepers[3]));
    if (self->forget)
        ASYNC_RETURN;
    AWAIT(self->rest, cancel_all(self->children, 3));
    ASYNC_END;
}

static const struct future_ops selecting_ops = ASYNC_OPS(selecting);

static void count(const struct future *future, unsigned depth, void *argument)
{
    (void)depth;
    *(unsigned *)argument += strcmp(future->ops->name, "gate") == 0;
}

static unsigned gates_below(const struct future *future)
{
    unsigned n = 0;
    future_walk(future, count, &n);
    return n;
}

static void F4_a_walk_finds_each_child_once(void **state)
{
    (void)state;
    struct gatekeeper keepers[4] = { { 0 } };
    struct selecting f = { .future = { &selecting_ops }, .keepers = keepers };
    struct context none = { .waker = NULL, .budget = 0 };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(gates_below(&f.future), 3);
    keepers[0].open = true;
    assert_int_equal(future_poll(&f.future, &none), POLL_PENDING);
    assert_int_equal(gates_below(&f.future), 2); /* in front of the second await */
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(gates_below(&f.future), 2);
    keepers[1].open = true;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(gates_below(&f.future), 2); /* one of the set, the pause */
    keepers[3].open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
}

static void returns_too_early(void *argument)
{
    struct gatekeeper keepers[4] = { { .open = true }, { .open = true }, { 0 } };
    struct selecting f = { .future = { &selecting_ops }, .keepers = keepers };
    (void)argument;
    keepers[3].open = true;
    f.forget = true;
    poll_once(&f.future);
}

static void F4_a_return_with_one_in_flight_dies(void **state)
{
    (void)state;
    assert_dies(returns_too_early, NULL, "rule F4");
}

/* } exercise 1.3 */
static void W12_a_cancel_stays(void **state)
{
    /* exercise 1.3 { */
    W12_a_cancel_meets_the_await_in_flight_and_each_later_one(state);
    /* } exercise 1.3: (state) an async function of two waits, cancelled in the first */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_waits_and_ends),
        cmocka_unit_test(W12_a_cancel_stays),
        /* exercise 1.3 { */
        cmocka_unit_test(F6_a_shielded_await_goes_on_and_the_cancel_waits_behind_it),
        cmocka_unit_test(F7_a_body_cancels_itself),
        cmocka_unit_test(F7_a_body_cancels_itself_before_any_await),
        cmocka_unit_test(F4_a_walk_finds_each_child_once),
        cmocka_unit_test(F4_a_return_with_one_in_flight_dies),
        /* } exercise 1.3 */
    };
    return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
