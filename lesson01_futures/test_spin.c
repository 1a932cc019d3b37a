/* spin: asks until it is ready, counts how often, and renews the budget each time. */
#include "common/testing/testing.h"

#include "lesson01_futures/async.h"
#include "lesson01_futures/countdown.h"
#include "lesson01_futures/spin.h"

/* READY at the n-th poll; notes the smallest budget that it was given. */
struct nth {
    struct future future;
    uint64_t left;
    int least_budget;
    bool had_waker;
};

static enum poll_state nth_poll(struct future *future, struct context *context)
{
    struct nth *self = container_of(future, struct nth, future);
    if (context->budget < self->least_budget)
        self->least_budget = context->budget;
    self->had_waker |= context->waker != NULL;
    context->budget -= CONTEXT_BUDGET; /* uses all of it */
    return --self->left == 0 ? POLL_READY : POLL_PENDING;
}

static void nth_cancel(struct future *future)
{
    container_of(future, struct nth, future)->left = 1;
}

static const struct future_ops nth_ops = { .name = "nth",
                                           .size = FUTURE_SIZE(struct nth),
                                           .poll = nth_poll,
                                           .cancel = nth_cancel };

static void spin_counts_its_polls(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 1000; n *= 10) {
        struct nth f = { { &nth_ops }, n, CONTEXT_BUDGET, false };
        assert_int_equal(spin(&f.future), n);
        assert_true(future_is_done(&f.future));
    }
}

static void F2_each_poll_gets_a_fresh_budget_and_no_waker(void **state)
{
    (void)state;
    struct nth f = { { &nth_ops }, 10, CONTEXT_BUDGET, false };
    spin(&f.future);
    assert_int_equal(f.least_budget, CONTEXT_BUDGET);
    assert_false(f.had_waker);
}

/* A body that runs out of budget wakes nobody; spinning asks again anyway. */
struct countdowns {
    ASYNC_FRAME;
    struct countdown wait;
    int left;
};

static enum poll_state countdowns_poll(struct future *future, struct context *context)
{
    struct countdowns *self = ASYNC_SELF(countdowns, future);
    ASYNC_BEGIN(self, context);
    for (; self->left > 0; self->left--)
        AWAIT(self->wait, countdown_ms(0));
    ASYNC_END;
}

static const struct future_ops countdowns_ops = ASYNC_OPS(countdowns);

static void F2_a_body_out_of_budget_is_asked_again(void **state)
{
    (void)state;
    struct countdowns f = { .future = { &countdowns_ops },
                            .left = 10 * CONTEXT_BUDGET };
    /* The first poll ends before await 129; each later one begins with that for free.
     */
    assert_int_equal(spin(&f.future), 10);
}

static void spin_is_as_often_as_the_countdown_was_asked(void **state)
{
    (void)state;
    struct countdown wait = countdown_ms(2);
    uint64_t polls = spin(&wait.future);
    assert_int_equal(wait.polls, polls);
    assert_int_equal(wait.result, 0);
    assert_true(polls >= 2); /* the first one only starts the clock */
}

static void spin_on(void *future)
{
    spin(future);
}

static void F5_spinning_on_a_ready_future_dies(void **state)
{
    (void)state;
    struct countdown wait = countdown_ms(0);
    assert_int_equal(spin(&wait.future), 1);
    assert_dies(spin_on, &wait.future, "was polled after it was READY (rule F5)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spin_counts_its_polls),
        cmocka_unit_test(F2_each_poll_gets_a_fresh_budget_and_no_waker),
        cmocka_unit_test(F2_a_body_out_of_budget_is_asked_again),
        cmocka_unit_test(spin_is_as_often_as_the_countdown_was_asked),
        cmocka_unit_test(F5_spinning_on_a_ready_future_dies),
    };
    return cmocka_run_group_tests_name("spin", tests, NULL, NULL);
}
