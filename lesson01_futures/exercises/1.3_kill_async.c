/* Exercise 1.3: A test for what every async function shares.
 * What to do stands in 1.3_kill_async.md. */
/* Tests for async.c: what every async function owes to whoever cancels it, walks it, or
 * waits for its end. The versions that are tried differ in async.c alone; the macros of
 * async.h are the course's own. */
#include "common/testing/testing.h"

#include "common/todo.h"
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

static void W12_a_cancel_stays(void **state)
{
    /* Yours: an async function of two waits, cancelled in the first */
    EXERCISE_TODO("1.3", state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_waits_and_ends),
        cmocka_unit_test(W12_a_cancel_stays),
    };
    return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
