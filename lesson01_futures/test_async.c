/* Async functions: the contract, and a cancel that stays. */
#include "common/testing/testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/future_contract.h"
#include "lesson01_futures/gate.h"

/* ---- two_gates: passes two gates one after the other; owns what its argument holds */

struct two_gates {
    ASYNC_FRAME;
    struct gatekeeper *keeper; /* borrows */
    int *owned;                /* owns: a counter of things that it must release */
    struct gate gate;          /* one slot serves both waits */
    int result;
    int first_line;
};

static enum poll_state two_gates_poll(struct future *future, struct context *context)
{
    struct two_gates *self = ASYNC_SELF(two_gates, future);
    ASYNC_BEGIN(self, context);
    self->first_line = __LINE__ + 1;
    AWAIT(self->gate, gate(self->keeper));
    self->result = self->gate.result;
    if (self->result < 0)
        goto release;
    self->keeper->held--;
    AWAIT(self->gate, gate(self->keeper));
    self->result = self->gate.result;
release:
    if (self->owned)
        --*self->owned;
    ASYNC_END;
}

static void two_gates_discard(struct future *future)
{
    gate_discard(&ASYNC_SELF(two_gates, future)->gate.future);
}

static const struct future_ops two_gates_ops =
    ASYNC_OPS_DISCARD(two_gates, two_gates_discard);

static struct two_gates two_gates(struct gatekeeper *keeper, int *owned)
{
    return (struct two_gates){ .future = { &two_gates_ops },
                               .keeper = keeper,
                               .owned = owned };
}

/* ---- the contract */

static struct gatekeeper contract_keeper;

static void two_gates_setup(void *keeper)
{
    *(struct gatekeeper *)keeper = (struct gatekeeper){ .value = 7 };
}

static void two_gates_make(void *keeper, void *storage)
{
    *(struct two_gates *)storage = two_gates(keeper, NULL);
}

static void two_gates_open(void *keeper, void *storage)
{
    (void)storage;
    ((struct gatekeeper *)keeper)->open = true;
}

static int64_t two_gates_result(void *keeper, const void *storage)
{
    (void)keeper;
    return ((const struct two_gates *)storage)->result;
}

static unsigned long two_gates_effects(void *keeper)
{
    return ((struct gatekeeper *)keeper)->starts;
}

static long two_gates_held(void *keeper)
{
    return ((struct gatekeeper *)keeper)->held;
}

static struct future_subject an_async_function = {
    .name = "two_gates",
    .size = sizeof(struct two_gates),
    .world = &contract_keeper,
    .setup = two_gates_setup,
    .make = two_gates_make,
    .let_finish = two_gates_open,
    .result = two_gates_result,
    .effects = two_gates_effects,
    .held = two_gates_held,
    .finished = 7,
    .cancelled = -ECANCELED,
    .runs_when_cancelled = true,
};

/* ---- F1, F2, F6: the frame */

static void F1_a_frame_waits_where_its_line_says(void **state)
{
    (void)state;
    char text[128], expected[128];
    struct gatekeeper keeper = { .value = 1 };
    struct two_gates f = two_gates(&keeper, NULL);
    assert_int_equal(f.async.line, 0);
    future_describe(&f.future, text, sizeof text);
    assert_string_equal(text, "two_gates (not started, " __FILE__ ")");
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(f.async.line, f.first_line);
    snprintf(expected, sizeof expected, "two_gates at %s:%d", __FILE__, f.first_line);
    future_describe(&f.future, text, sizeof text);
    assert_string_equal(text, expected);
    assert_ptr_equal(async_child(&f.future, 0), &f.gate.future);
    assert_null(async_child(&f.future, 1));
    keeper.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_true(f.async.line > f.first_line);
    assert_null(f.async.child);
    assert_int_equal(keeper.starts, 2);
}

static void F6_a_function_cancelled_before_its_first_poll_frees_its_arguments(
    void **state)
{
    (void)state;
    int owned = 1;
    struct gatekeeper keeper = { .open = true };
    struct two_gates f = two_gates(&keeper, &owned);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.result, -ECANCELED);
    assert_int_equal(owned, 0);
    assert_int_equal(keeper.starts, 0); /* it ran, and began nothing */
}

/* ---- W12: a cancel stays */

/* A loop that takes no error for an answer. */
struct stubborn_loop {
    ASYNC_FRAME;
    struct gatekeeper *keeper; /* borrows */
    struct gate gate;
    int rounds;
    int turned_away;
};

static enum poll_state stubborn_loop_poll(struct future *future,
                                          struct context *context)
{
    struct stubborn_loop *self = ASYNC_SELF(stubborn_loop, future);
    ASYNC_BEGIN(self, context);
    for (self->rounds = 0; self->rounds < 10; self->rounds++) {
        AWAIT(self->gate, gate(self->keeper));
        if (self->gate.result == -ECANCELED)
            self->turned_away++;
        else
            gate_discard(&self->gate.future);
    }
    ASYNC_END;
}

static const struct future_ops stubborn_loop_ops = ASYNC_OPS(stubborn_loop);

static void W12_a_loop_of_awaits_cannot_swallow_a_cancel(void **state)
{
    (void)state;
    struct gatekeeper keeper = { 0 };
    struct stubborn_loop f = { .future = { &stubborn_loop_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.turned_away, 10);
    assert_int_equal(keeper.starts, 1); /* the later nine did not even begin */
}

static void W12_a_real_result_that_wins_does_not_use_the_cancel_up(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .stubborn = true };
    struct stubborn_loop f = { .future = { &stubborn_loop_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    keeper.open = true; /* the outside was faster */
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.turned_away, 9);
    assert_int_equal(keeper.starts, 1);
    assert_int_equal(keeper.held, 0);
}

/* ---- AWAIT_SHIELDED */

struct shielded {
    ASYNC_FRAME;
    struct gatekeeper *work;    /* borrows */
    struct gatekeeper *cleanup; /* borrows */
    struct gate gate;
    int work_result, cleanup_result, after_result;
    bool saw_cancel;
};

static enum poll_state shielded_poll(struct future *future, struct context *context)
{
    struct shielded *self = ASYNC_SELF(shielded, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->gate, gate(self->work));
    self->work_result = self->gate.result;
    AWAIT_SHIELDED(self->gate, gate(self->cleanup));
    self->cleanup_result = self->gate.result;
    self->saw_cancel = ASYNC_CANCELLED;
    AWAIT(self->gate, gate(self->work));
    self->after_result = self->gate.result;
    ASYNC_END;
}

static const struct future_ops shielded_ops = ASYNC_OPS(shielded);

static void F6_a_shielded_await_outlasts_an_earlier_cancel(void **state)
{
    (void)state;
    struct gatekeeper work = { .value = 1 }, cleanup = { .value = 2 };
    struct shielded f = { .future = { &shielded_ops },
                          .work = &work,
                          .cleanup = &cleanup };
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(f.work_result, -ECANCELED);
    assert_int_equal(cleanup.cancels, 0);
    cleanup.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.cleanup_result, 2);
    assert_int_equal(f.after_result, -ECANCELED);
    assert_true(f.saw_cancel);
}

static void F6_a_shielded_await_outlasts_a_cancel_while_it_waits(void **state)
{
    (void)state;
    struct gatekeeper work = { .value = 1, .open = true }, cleanup = { .value = 2 };
    struct shielded f = { .future = { &shielded_ops },
                          .work = &work,
                          .cleanup = &cleanup };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(f.work_result, 1);
    future_cancel(&f.future);
    assert_int_equal(cleanup.cancels, 0);
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    cleanup.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.cleanup_result, 2);
    assert_int_equal(f.after_result, -ECANCELED); /* the shield covers one await only */
}

/* ---- F7: cancel from within a poll */

struct self_cancel {
    ASYNC_FRAME;
    struct gatekeeper *keeper;
    struct future *root; /* borrows: the tree that it cancels, itself included */
    struct gate gate;
};

static enum poll_state self_cancel_poll(struct future *future, struct context *context)
{
    struct self_cancel *self = ASYNC_SELF(self_cancel, future);
    ASYNC_BEGIN(self, context);
    future_cancel(self->root ? self->root : future);
    AWAIT(self->gate, gate(self->keeper));
    ASYNC_END;
}

static const struct future_ops self_cancel_ops = ASYNC_OPS(self_cancel);

static void F7_a_function_cancels_itself(void **state)
{
    (void)state;
    struct gatekeeper keeper = { 0 };
    struct self_cancel f = { .future = { &self_cancel_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.gate.result, -ECANCELED);
    assert_int_equal(keeper.starts, 0);
}

/* Cancels itself after its first await, whose slot is other memory by then. */
struct late_cancel {
    ASYNC_FRAME;
    struct gatekeeper *keeper;
    struct gate gate;
};

static enum poll_state late_cancel_poll(struct future *future, struct context *context)
{
    struct late_cancel *self = ASYNC_SELF(late_cancel, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->gate, gate(self->keeper));
    memset(&self->gate, 0, sizeof self->gate);
    future_cancel(future);
    AWAIT(self->gate, gate(self->keeper));
    ASYNC_END;
}

static const struct future_ops late_cancel_ops = ASYNC_OPS(late_cancel);

static void F7_a_cancel_from_the_body_looks_at_no_earlier_slot(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .open = true };
    struct late_cancel f = { .future = { &late_cancel_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.gate.result, -ECANCELED);
}

/* A parent that awaits a join of a gate and of a child which cancels the parent. */
struct parent {
    ASYNC_FRAME;
    struct gatekeeper *keeper;
    struct gate gate;
    struct self_cancel child;
    struct future *both[2];
    struct join join;
};

static enum poll_state parent_poll(struct future *future, struct context *context)
{
    struct parent *self = ASYNC_SELF(parent, future);
    ASYNC_BEGIN(self, context);
    self->gate = gate(self->keeper);
    self->child = (struct self_cancel){ .future = { &self_cancel_ops },
                                        .keeper = self->keeper,
                                        .root = future };
    self->both[0] = &self->gate.future;
    self->both[1] = &self->child.future;
    AWAIT(self->join, join_all(self->both, 2));
    ASYNC_END;
}

static const struct future_ops parent_ops = ASYNC_OPS(parent);

/* The gate was polled before its sibling cancelled the tree. Nobody else will poll it
 * unasked, so the join must. */
static void F7_a_cancel_from_below_reaches_a_sibling_in_the_same_poll(void **state)
{
    (void)state;
    struct gatekeeper keeper = { 0 };
    struct parent f = { .future = { &parent_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.gate.result, -ECANCELED);
    assert_int_equal(f.child.gate.result, -ECANCELED);
    assert_int_equal(keeper.starts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(an_async_function),
        FUTURE_CONTRACT_HOLDS(an_async_function),
        cmocka_unit_test(F1_a_frame_waits_where_its_line_says),
        cmocka_unit_test(
            F6_a_function_cancelled_before_its_first_poll_frees_its_arguments),
        cmocka_unit_test(W12_a_loop_of_awaits_cannot_swallow_a_cancel),
        cmocka_unit_test(W12_a_real_result_that_wins_does_not_use_the_cancel_up),
        cmocka_unit_test(F6_a_shielded_await_outlasts_an_earlier_cancel),
        cmocka_unit_test(F6_a_shielded_await_outlasts_a_cancel_while_it_waits),
        cmocka_unit_test(F7_a_function_cancels_itself),
        cmocka_unit_test(F7_a_cancel_from_the_body_looks_at_no_earlier_slot),
        cmocka_unit_test(F7_a_cancel_from_below_reaches_a_sibling_in_the_same_poll),
    };
    return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
