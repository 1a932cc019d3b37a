/* block_on: a thread that sleeps in one future. */
#include "lesson02_wakers/task_testing.h"

#include "common/testing/faults.h"
#include "lesson02_wakers/block_on.h"

static void what_is_ready_needs_no_sleep(void **state)
{
    (void)state;
    struct event event = { .set = true };
    struct event_wait wait = event_wait(&event);
    assert_int_equal(block_on(&wait.future), 0);
    assert_true(future_is_done(&wait.future));
    assert_int_equal(wait.result, 0);
}

static void a_future_that_wakes_itself_is_polled_on(void **state)
{
    (void)state;
    _Atomic long total = 0;
    struct steps count = steps(1000, &total);
    assert_int_equal(block_on(&count.future), 0);
    assert_int_equal(count.result, 10000);
}

/* An always-ready body runs out of budget and promises no wake (F2). */
struct busy {
    ASYNC_FRAME;
    int left;
    struct steps none;
};

static enum poll_state busy_poll(struct future *future, struct context *context)
{
    struct busy *self = ASYNC_SELF(busy, future);
    ASYNC_BEGIN(self, context);
    while (self->left-- > 0)
        AWAIT(self->none, steps(0, NULL));
    ASYNC_END;
}

static const struct future_ops busy_ops = ASYNC_OPS(busy);

static void F2_an_empty_budget_is_polled_again_unasked(void **state)
{
    (void)state;
    struct busy busy = { .future = { &busy_ops }, .left = 10 * CONTEXT_BUDGET };
    assert_int_equal(block_on(&busy.future), 0);
    assert_true(busy.left < 0);
}

static void W1_a_wake_between_poll_and_sleep_is_not_lost(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct event event = { 0 };
        struct event_wait wait = event_wait(&event);
        pthread_t thread = start_thread(set_event, &event);
        assert_int_equal(block_on(&wait.future), 0);
        pthread_join(thread, NULL);
        assert_int_equal(wait.result, 0);
    }
}

static void *wake_late(void *argument)
{
    struct waker *waker = argument;
    for (int i = 0; i < 100; i++)
        waker_wake_by_ref(waker);
    waker_wake(waker);
    return NULL;
}

/* Leaves a waker behind in *kept, and is READY. */
struct leaver {
    struct future future;
    struct waker *kept;
};

static enum poll_state leaver_poll(struct future *future, struct context *context)
{
    struct leaver *self = container_of(future, struct leaver, future);
    *self->kept = waker_clone(context->waker);
    return POLL_READY;
}

static void leaver_cancel(struct future *future)
{
    (void)future;
}

static const struct future_ops leaver_ops = { .name = "leaver",
                                              .size = sizeof(struct leaver),
                                              .poll = leaver_poll,
                                              .cancel = leaver_cancel };

static void W5_a_waker_outlives_the_call(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct waker kept = { 0 };
        struct leaver leaver = { { &leaver_ops }, &kept };
        assert_int_equal(block_on(&leaver.future), 0);
        pthread_t thread = start_thread(wake_late, &kept);
        pthread_join(thread, NULL);
    }
}

static void W4_a_late_wake_does_not_reach_the_next_call(void **state)
{
    (void)state;
    struct waker kept = { 0 };
    struct leaver leaver = { { &leaver_ops }, &kept };
    assert_int_equal(block_on(&leaver.future), 0);
    struct event event = { 0 };
    struct event_wait wait = event_wait(&event);
    waker_wake_by_ref(&kept);
    pthread_t thread = start_thread(set_event, &event);
    assert_int_equal(block_on(&wait.future), 0);
    pthread_join(thread, NULL);
    waker_drop(&kept);
}

static void without_memory_the_future_is_not_touched(void **state)
{
    (void)state;
    struct event event = { .set = true };
    struct event_wait wait = event_wait(&event);
    fault_arm("malloc", 1, ENOMEM);
    assert_int_equal(block_on(&wait.future), -ENOMEM);
    fault_disarm();
    assert_int_equal(probe_read(&event.polls), 0);
    assert_int_equal(block_on(&wait.future), 0);
}

struct blocks {
    ASYNC_FRAME;
    struct event_wait wait;
};

static enum poll_state blocks_poll(struct future *future, struct context *context)
{
    static struct event event;
    struct blocks *self = ASYNC_SELF(blocks, future);
    ASYNC_BEGIN(self, context);
    self->wait = event_wait(&event);
    block_on(&self->wait.future);
    ASYNC_END;
}

static const struct future_ops blocks_ops = ASYNC_OPS(blocks);

static void block_in_a_task(void *argument)
{
    struct executor executor;
    struct blocks blocks = { .future = { &blocks_ops } };
    (void)argument;
    open_executor(&executor);
    spawn_on(&executor, 0, &blocks.future, NULL);
    executor_run(&executor);
}

static void blocking_inside_a_task_is_a_bug(void **state)
{
    (void)state;
    assert_dies(block_in_a_task, NULL, "block_on inside task 'blocks'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ready_needs_no_sleep),
        cmocka_unit_test(a_future_that_wakes_itself_is_polled_on),
        cmocka_unit_test(F2_an_empty_budget_is_polled_again_unasked),
        cmocka_unit_test(without_memory_the_future_is_not_touched),
        cmocka_unit_test(blocking_inside_a_task_is_a_bug),
        cmocka_unit_test(W5_a_waker_outlives_the_call),
        cmocka_unit_test(W4_a_late_wake_does_not_reach_the_next_call),
        cmocka_unit_test(W1_a_wake_between_poll_and_sleep_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
