/* The budget, deep chains, and the four hazards A1..A4 of a body, each with its trap.
 *
 * A1 (a local across an await) is seen by a compiler at best, A3 (two awaits on a line)
 * by every compiler: neither leaves anything that could run. */
#include "common/testing/testing.h"

#include "lesson01_futures/async.h"
#include "lesson01_futures/countdown.h"
#include "lesson01_futures/gate.h"

/* ---- the budget */

struct greedy {
    ASYNC_FRAME;
    struct gatekeeper *keeper;
    struct gate gate;
};

static enum poll_state greedy_poll(struct future *future, struct context *context)
{
    struct greedy *self = ASYNC_SELF(greedy, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->gate, gate(self->keeper));
        gate_discard(&self->gate.future);
        if (ASYNC_CANCELLED)
            ASYNC_RETURN;
    }
    ASYNC_END;
}

static const struct future_ops greedy_ops = ASYNC_OPS(greedy);

static void F2_an_always_ready_body_runs_out_of_budget(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .open = true };
    struct greedy f = { .future = { &greedy_ops }, .keeper = &keeper };
    for (unsigned poll = 1; poll <= 3; poll++) {
        struct context context = { .waker = NULL, .budget = 4 };
        assert_int_equal(future_poll(&f.future, &context), POLL_PENDING);
        assert_true(context.budget < 0);
        /* From the second poll on the first await was paid for in the poll before. */
        assert_int_equal(keeper.starts, 5 * poll - 1);
    }
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
}

static void F2_a_body_that_never_waits_yields_after_128_awaits(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .open = true };
    struct greedy f = { .future = { &greedy_ops }, .keeper = &keeper };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(keeper.starts, 128);
    assert_int_equal(keeper.held, 0);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
}

/* ---- A4: recursion, and a chain that is deeper than the budget */

struct descend {
    ASYNC_FRAME;
    struct gatekeeper *keeper; /* borrows */
    int depth;
    struct descend *inner; /* owns: a frame cannot contain itself */
    struct gate gate;
    int result;
};

static struct descend descend(struct gatekeeper *keeper, int depth);

static enum poll_state descend_poll(struct future *future, struct context *context)
{
    struct descend *self = ASYNC_SELF(descend, future);
    ASYNC_BEGIN(self, context);
    if (self->depth == 0) {
        AWAIT(self->gate, gate(self->keeper));
        self->result = self->gate.result;
        ASYNC_RETURN;
    }
    self->inner = malloc(sizeof *self->inner);
    self->result = -ENOMEM;
    if (!self->inner)
        ASYNC_RETURN;
    AWAIT(*self->inner, descend(self->keeper, self->depth - 1));
    self->result = self->inner->result;
    if (self->result >= 0)
        self->result++;
    free(self->inner);
    ASYNC_END;
}

static const struct future_ops descend_ops = ASYNC_OPS(descend);

static struct descend descend(struct gatekeeper *keeper, int depth)
{
    return (
        struct descend){ .future = { &descend_ops }, .keeper = keeper, .depth = depth };
}

static void deepest(const struct future *future, unsigned depth, void *argument)
{
    (void)future;
    unsigned *max = argument;
    *max = depth > *max ? depth : *max;
}

static void A4_a_chain_of_1000_frames_progresses(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .value = 5 };
    struct descend f = descend(&keeper, 1000);
    int polls = 0;
    for (; keeper.starts == 0 && polls < 100; polls++)
        assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(polls, 8); /* 1001 awaits, 128 a poll */
    unsigned depth = 0;
    future_walk(&f.future, deepest, &depth);
    assert_int_equal(depth, 1001);
    keeper.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY); /* resuming costs no budget */
    assert_int_equal(f.result, 1005);
}

static void A4_a_cancel_travels_down_1000_frames(void **state)
{
    (void)state;
    struct gatekeeper keeper = { 0 };
    struct descend f = descend(&keeper, 1000);
    for (int polls = 0; keeper.starts == 0 && polls < 100; polls++)
        assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_cancel(&f.future);
    future_cancel(&f.future); /* goes no further than the first frame */
    assert_int_equal(keeper.cancels, 1);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.result, -ECANCELED);
}

/* ---- A2: AWAIT inside a switch of one's own */

struct own_switch {
    ASYNC_FRAME;
    struct gatekeeper *keeper;
    struct gate gate;
    int kind;
};

static enum poll_state own_switch_poll(struct future *future, struct context *context)
{
    struct own_switch *self = ASYNC_SELF(own_switch, future);
    ASYNC_BEGIN(self, context);
    switch (self->kind) {
    case 1:
        /* lint: allow switch, because this is the hazard itself */
        AWAIT(self->gate, gate(self->keeper));
        break;
    default:
        break;
    }
    ASYNC_END;
}

static const struct future_ops own_switch_ops = ASYNC_OPS(own_switch);

static void resume_own_switch(void *argument)
{
    (void)argument;
    struct gatekeeper keeper = { 0 };
    struct own_switch f = { .future = { &own_switch_ops },
                            .keeper = &keeper,
                            .kind = 1 };
    poll_once(&f.future);
    poll_once(&f.future);
}

static void A2_an_await_in_a_switch_of_ones_own_dies_with_the_sentence(void **state)
{
    (void)state;
    assert_dies(resume_own_switch, NULL, "rule A2: no AWAIT inside a switch");
    assert_dies(resume_own_switch, NULL, "own_switch_poll resumed at line");
}

/* ---- A1: what must survive lives in the frame; slots may share their memory */

struct thrifty {
    ASYNC_FRAME;
    struct gatekeeper *keeper;
    union {
        struct gate gate;
        struct countdown wait;
    } slot;
    int first;
    int second;
};

static enum poll_state thrifty_poll(struct future *future, struct context *context)
{
    struct thrifty *self = ASYNC_SELF(thrifty, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->slot.gate, gate(self->keeper));
    self->first = self->slot.gate.result;
    AWAIT(self->slot.wait, countdown_ms(0));
    self->second = self->slot.wait.result;
    ASYNC_END;
}

static const struct future_ops thrifty_ops = ASYNC_OPS(thrifty);

static void A1_slots_may_share_a_union(void **state)
{
    (void)state;
    struct gatekeeper keeper = { .value = 3 };
    struct thrifty f = { .future = { &thrifty_ops }, .keeper = &keeper, .second = 1 };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    keeper.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.first, 3);
    assert_int_equal(f.second, 0);
    assert_int_equal(sizeof f.slot, sizeof(struct countdown));
}

/* ---- the backtrace */

static void print_backtrace(void *argument)
{
    (void)argument;
    struct gatekeeper keeper = { 0 };
    struct descend f = descend(&keeper, 2);
    poll_once(&f.future);
    future_print_tree(&f.future, "> ");
    future_cancel(&f.future);
    poll_once(&f.future);
}

static void the_backtrace_names_each_await(void **state)
{
    (void)state;
    static char said[2048];
    assert_int_equal(run_in_child(print_backtrace, NULL, said, sizeof said), 0);
    assert_non_null(strstr(said, "> descend at " __FILE__ ":"));
    assert_non_null(strstr(said, ">   descend at " __FILE__ ":"));
    assert_non_null(strstr(said, ">     descend at " __FILE__ ":"));
    assert_non_null(strstr(said, ">       gate\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F2_an_always_ready_body_runs_out_of_budget),
        cmocka_unit_test(F2_a_body_that_never_waits_yields_after_128_awaits),
        cmocka_unit_test(A4_a_chain_of_1000_frames_progresses),
        cmocka_unit_test(A4_a_cancel_travels_down_1000_frames),
        cmocka_unit_test(A2_an_await_in_a_switch_of_ones_own_dies_with_the_sentence),
        cmocka_unit_test(A1_slots_may_share_a_union),
        cmocka_unit_test(the_backtrace_names_each_await),
    };
    return cmocka_run_group_tests_name("hazards", tests, NULL, NULL);
}
