/* The hidden tests of exercise 7.3: a cancel and then some, and customers on an
 * executor. */
#include "lesson07_custom/exercises/lines_testing.h"

#include "lesson01_futures/combine.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/yield.h"

static void cancelled_twice_and_polled_for_nothing(void **state)
{
    (void)state;
    open_lines(1);
    start(0, 5);
    cancel(0);
    if (slots[0].runs)
        poll_slot(&slots[0]);
    cancel(0);
    if (slots[0].runs)
        poll_slot(&slots[0]);
    start(1, 6);
    run();
    run_with_backend();
    expect_result("cancelled twice, and its answer came later", 0, -ECANCELED);
    expect_result("the next one on the line", 1, ANSWER + 6);
    close_lines();
}

/* ---- on an executor */

#define CUSTOMERS 12
#define ROUNDS 20
#define PATIENCE 100000 /* turns that the backend takes before it calls it a hang */

static struct scene {
    unsigned live, answers, cancels, wrong;
    bool hangs;
} scene;

struct nap {
    ASYNC_FRAME;
    unsigned turns;
    struct yield yield;
};

static enum poll_state nap_poll(struct future *future, struct context *context)
{
    struct nap *self = ASYNC_SELF(nap, future);
    ASYNC_BEGIN(self, context);
    while (self->turns-- > 0 && !ASYNC_CANCELLED)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

static const struct future_ops nap_ops = ASYNC_OPS(nap);

struct customer {
    ASYNC_FRAME;
    unsigned number, round;
    struct query query;
    struct nap nap;
    struct future *both[2];
    struct race race;
};

static void note_result(const struct customer *self)
{
    if (self->query.result == self->query.question + ANSWER)
        scene.answers++;
    else if (self->query.result == -ECANCELED)
        scene.cancels++;
    else
        scene.wrong++;
}

static enum poll_state customer_poll(struct future *future, struct context *context)
{
    struct customer *self = ASYNC_SELF(customer, future);
    ASYNC_BEGIN(self, context);
    for (self->round = 0; self->round < ROUNDS && !scene.hangs; self->round++) {
        self->query = query(&lines, self->number * 100 + self->round);
        self->nap = (struct nap){ .future = { &nap_ops },
                                  .turns = 1 + (self->number + self->round) % 9 };
        self->both[0] = &self->query.future;
        self->both[1] = self->round % 3 ? &self->nap.future : NULL;
        AWAIT(self->race, race(self->both, 2));
        note_result(self);
    }
    scene.live--;
    ASYNC_END;
}

static const struct future_ops customer_ops = ASYNC_OPS(customer);

/* Serves in every second turn, as long as there are customers. */
struct backend {
    ASYNC_FRAME;
    struct executor *executor; /* borrows */
    unsigned turns;
    struct yield yield;
};

static enum poll_state backend_poll(struct future *future, struct context *context)
{
    struct backend *self = ASYNC_SELF(backend, future);
    ASYNC_BEGIN(self, context);
    for (; scene.live > 0; self->turns++) {
        if (self->turns % 2)
            backend_serves_all();
        if (self->turns == PATIENCE) {
            scene.hangs = true;
            executor_cancel_all(self->executor);
            break;
        }
        AWAIT_SHIELDED(self->yield, yield_now());
    }
    ASYNC_END;
}

static const struct future_ops backend_ops = ASYNC_OPS(backend);

static void customers_who_lose_patience(void **state)
{
    (void)state;
    struct executor executor;
    scene = (struct scene){ .live = CUSTOMERS };
    open_lines(3);
    assert_int_equal(executor_init(&executor, NULL), 0);
    for (unsigned i = 0; i < CUSTOMERS; i++)
        assert_int_equal(
            SPAWN(&executor.scheduler, NULL,
                  (struct customer){ .future = { &customer_ops }, .number = i }),
            0);
    assert_int_equal(
        SPAWN(&executor.scheduler, NULL,
              (struct backend){ .future = { &backend_ops }, .executor = &executor }),
        0);
    int err = executor_run(&executor);
    executor_finish(&executor);
    if (scene.hangs)
        fail_msg("%d customers, 3 lines: expected all to end, got some that wait; "
                 "%u answers, %u cancelled, %zu lines idle",
                 CUSTOMERS, scene.answers, scene.cancels, lines_idle(&lines));
    assert_int_equal(err, 0);
    if (scene.wrong != 0)
        fail_msg("of %d queries: expected each answer to be its own question's, got %u "
                 "that are another's",
                 CUSTOMERS * ROUNDS, scene.wrong);
    assert_int_equal(scene.answers + scene.cancels, CUSTOMERS * ROUNDS);
    assert_true(scene.answers >= CUSTOMERS * ROUNDS / 3);
    assert_true(scene.cancels > 0);
    close_lines();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelled_twice_and_polled_for_nothing),
        cmocka_unit_test(customers_who_lose_patience),
    };
    return cmocka_run_group_tests_name("hidden tests of 7.3", tests, NULL, NULL);
}
