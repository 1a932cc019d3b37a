/* notify and the line of waiters below it: permits, order, cancelled waiters that pass
 * on, and threads. */
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/task_testing.h"

#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/notify.h"

#define MANY 40

static struct notify notify;
static struct waker_probe probes[MANY];
static struct notify_wait waits[MANY];

static int setup(void **state)
{
    (void)state;
    notify_init(&notify);
    for (int i = 0; i < MANY; i++) {
        probes[i] = (struct waker_probe){ 0 };
        waits[i] = notify_wait(&notify);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    notify_finish(&notify); /* CHECKs that nobody is in line */
    for (int i = 0; i < MANY; i++)
        assert_int_equal(probe_read(&probes[i].live), 0);
    return 0;
}

static enum poll_state ask(int i)
{
    return probe_poll(&probes[i], &waits[i].future);
}

static long wakes(int i)
{
    return probe_read(&probes[i].wakes);
}

static void W1_a_notify_before_the_wait_is_kept(void **state)
{
    (void)state;
    notify_one(&notify);
    notify_one(&notify); /* and two are one */
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(ask(1), POLL_PENDING);
    notify_one(&notify);
    assert_int_equal(wakes(1), 1);
    assert_int_equal(ask(1), POLL_READY);
    assert_int_equal(waits[1].result, 0);
}

static void who_waits_longest_goes_first(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(i), POLL_PENDING);
    assert_int_equal(ask(0), POLL_PENDING); /* asking again costs no place */
    for (int i = 0; i < 3; i++) {
        notify_one(&notify);
        assert_int_equal(wakes(i), 1);
        if (i < 2)
            assert_int_equal(wakes(i + 1), 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(i), POLL_READY);
}

static void notify_all_wakes_everybody_and_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < MANY - 1; i++) /* more than a batch */
        assert_int_equal(ask(i), POLL_PENDING);
    notify_all(&notify);
    for (int i = 0; i < MANY - 1; i++) {
        assert_int_equal(wakes(i), 1);
        assert_int_equal(ask(i), POLL_READY);
    }
    waits[MANY - 1] = notify_wait(&notify);
    assert_int_equal(ask(MANY - 1), POLL_PENDING);
    future_cancel(&waits[MANY - 1].future);
    assert_int_equal(ask(MANY - 1), POLL_READY);
    assert_int_equal(waits[MANY - 1].result, -ECANCELED);
}

static void W1_notify_all_between_the_ticket_and_the_wait(void **state)
{
    (void)state;
    notify_all(&notify);
    assert_int_equal(ask(0), POLL_READY); /* constructed before: not missed */
    waits[1] = notify_wait(&notify);
    assert_int_equal(ask(1), POLL_PENDING); /* constructed after: nothing new */
    notify_one(&notify);
    assert_int_equal(ask(1), POLL_READY);
}

/* ---- W9 */

static void W9_a_cancelled_waiter_passes_its_permit_on(void **state)
{
    (void)state;
    assert_int_equal(ask(0), POLL_PENDING);
    assert_int_equal(ask(1), POLL_PENDING);
    notify_one(&notify);
    assert_int_equal(wakes(0), 1);
    future_cancel(&waits[0].future);
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(waits[0].result, -ECANCELED);
    assert_int_equal(wakes(1), 1);
    assert_int_equal(ask(1), POLL_READY);
}

static void W9_with_nobody_in_line_the_permit_is_kept(void **state)
{
    (void)state;
    assert_int_equal(ask(0), POLL_PENDING);
    notify_one(&notify);
    future_cancel(&waits[0].future);
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(ask(1), POLL_READY);
    assert_int_equal(waits[1].result, 0);
}

static void W9_a_chain_of_cancels_hands_it_to_the_last(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(i), POLL_PENDING);
    notify_one(&notify);
    for (int i = 0; i < 9; i++) {
        future_cancel(&waits[i].future);
        assert_int_equal(ask(i), POLL_READY);
    }
    assert_int_equal(wakes(9), 1);
    assert_int_equal(ask(9), POLL_READY);
}

static void W9_what_notify_all_gave_is_not_passed_on(void **state)
{
    (void)state;
    assert_int_equal(ask(0), POLL_PENDING);
    notify_all(&notify);
    future_cancel(&waits[0].future);
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(waits[0].result, 0); /* it came before the cancel */
    waits[1] = notify_wait(&notify);
    assert_int_equal(ask(1), POLL_PENDING);
    future_cancel(&waits[1].future);
    assert_int_equal(ask(1), POLL_READY);
}

static void a_cancelled_waiter_leaves_its_place(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(i), POLL_PENDING);
    future_cancel(&waits[1].future);
    assert_int_equal(ask(1), POLL_READY);
    notify_one(&notify);
    notify_one(&notify);
    assert_int_equal(wakes(1), 0);
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(ask(2), POLL_READY);
}

/* ---- W6: a waker that uses the notify itself, in the middle of a notify */

static const struct waker_ops meddler_ops;

static struct waker meddler_clone(void *data)
{
    probe_waker_clone(data);
    return (struct waker){ &meddler_ops, data };
}

static void meddler_wake(void *data)
{
    notify_one(&notify);
    probe_waker_wake(data);
}

static void meddler_drop(void *data)
{
    notify_one(&notify);
    probe_waker_drop(data);
}

static const struct waker_ops meddler_ops = { meddler_clone, meddler_wake,
                                              probe_waker_wake_by_ref, meddler_drop };

static void W6_no_waker_is_touched_with_the_lock_held(void **state)
{
    (void)state;
    struct waker meddler = { &meddler_ops, &probes[0] };
    struct context context = { .waker = &meddler, .budget = 1 };
    assert_int_equal(future_poll(&waits[0].future, &context), POLL_PENDING);
    assert_int_equal(ask(1), POLL_PENDING);
    notify_one(&notify); /* wakes 0, whose waker notifies 1 */
    assert_int_equal(wakes(1), 1);
    assert_int_equal(future_poll(&waits[2].future, &context), POLL_PENDING);
    notify_all(&notify); /* wakes 2, whose waker leaves a permit */
    assert_int_equal(ask(3), POLL_READY);
    waits[4] = notify_wait(&notify);
    assert_int_equal(ask(4), POLL_READY);
    waits[5] = notify_wait(&notify);
    assert_int_equal(future_poll(&waits[5].future, &context), POLL_PENDING);
    assert_int_equal(ask(5), POLL_PENDING); /* W7: drops the meddler, who notifies 5 */
    for (int i = 0; i < 6; i++)
        if (!future_is_done(&waits[i].future))
            assert_int_equal(ask(i), POLL_READY);
}

static void finish_with_a_waiter(void *argument)
{
    (void)argument;
    ask(0);
    notify_finish(&notify);
}

static void finishing_under_a_waiter_is_a_bug(void **state)
{
    (void)state;
    assert_dies(finish_with_a_waiter, NULL, "while a future waits for it");
    notify_finish(NULL);
    struct notify zeroed = { 0 };
    notify_finish(&zeroed);
}

/* ---- the contract */

static struct waker contract_wakers[2];

static void open_world(void *world)
{
    (void)world;
    setup(NULL);
    for (int i = 0; i < 2; i++)
        contract_wakers[i] = probe_waker(&probes[i]);
}

static void close_world(void *world)
{
    (void)world;
    teardown(NULL);
}

static void make_wait(void *world, void *storage)
{
    struct notify_wait wait = notify_wait(&notify);
    (void)world;
    memcpy(storage, &wait, sizeof wait);
}

static void notify_it(void *world, void *storage)
{
    (void)world;
    (void)storage;
    notify_one(&notify);
}

static struct context context_of(void *world, unsigned which)
{
    (void)world;
    return (struct context){ &contract_wakers[which], CONTEXT_BUDGET };
}

static unsigned long wakes_of(void *world, unsigned which)
{
    (void)world;
    return (unsigned long)wakes((int)which);
}

static int64_t result_of(void *world, const void *storage)
{
    (void)world;
    return ((const struct notify_wait *)storage)->result;
}

static struct future_subject a_wait = {
    .name = "wait for a notify",
    .size = sizeof(struct notify_wait),
    .setup = open_world,
    .teardown = close_world,
    .make = make_wait,
    .let_finish = notify_it,
    .context = context_of,
    .wakes = wakes_of,
    .result = result_of,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static void discard_gives_the_permit_back(void **state)
{
    (void)state;
    struct context context = { .waker = NULL, .budget = 1 };
    notify_one(&notify);
    assert_int_equal(future_poll_discarding(&waits[0].future, &context), POLL_READY);
    assert_int_equal(ask(1), POLL_READY);
    notify_all(&notify);
    assert_int_equal(future_poll_discarding(&waits[2].future, &context), POLL_READY);
    waits[3] = notify_wait(&notify);
    assert_int_equal(ask(3), POLL_PENDING);
    notify_one(&notify);
    assert_int_equal(ask(3), POLL_READY);
}

/* ---- with threads: each notify_one ends exactly one wait, cancels or not */

struct crowd {
    struct executor executor;
    struct notify notify;
    _Atomic long told;   /* waits that ended with 0 */
    _Atomic long leaves; /* that were cancelled */
    _Atomic bool stop;
};

struct visitor {
    ASYNC_FRAME;
    struct crowd *crowd;
    struct notify_wait wait;
    int result;
};

static enum poll_state visitor_poll(struct future *future, struct context *context)
{
    struct visitor *self = ASYNC_SELF(visitor, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, notify_wait(&self->crowd->notify));
    probe_count(self->wait.result == 0 ? &self->crowd->told : &self->crowd->leaves, 1);
    ASYNC_END;
}

static const struct future_ops visitor_ops = ASYNC_OPS(visitor);

static void *run_crowd(void *argument)
{
    struct crowd *crowd = argument;
    while (!atomic_load_explicit(&crowd->stop, memory_order_relaxed))
        executor_run_for(&crowd->executor, NS_PER_MS);
    return NULL;
}

/* 300 wait; 100 are cancelled from here while each is being notified. The notify waits
 * for its answer before the next, so no two permits merge. */
static void W9_no_permit_is_lost_under_cancels(void **state)
{
    (void)state;
    static struct crowd crowd;
    static struct task_handle handles[300];
    struct visitor visitor = { .future = { &visitor_ops }, .crowd = &crowd };
    open_executor(&crowd.executor);
    notify_init(&crowd.notify);
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        assert_int_equal(
            task_spawn(&crowd.executor.scheduler, &visitor.future, 0, &handles[i]), 0);
    pthread_t thread = start_thread(run_crowd, &crowd);
    for (size_t i = 0; i < ARRAY_SIZE(handles) * 2 / 3; i++) {
        notify_one(&crowd.notify);
        if (i % 2)
            task_cancel(&handles[i + i / 2]); /* about the next ones in line */
        WAIT_UNTIL(probe_read(&crowd.told) == (long)i + 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        task_cancel(&handles[i]);
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        WAIT_UNTIL(task_is_done(&handles[i]));
    atomic_store_explicit(&crowd.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++)
        task_detach(&handles[i]);
    close_executor(&crowd.executor);
    notify_finish(&crowd.notify);
    assert_int_equal(probe_read(&crowd.told), 200);
    assert_int_equal(probe_read(&crowd.leaves), 100);
}

struct condition {
    struct notify notify;
    _Atomic long value;
};

static void *raise_value(void *argument)
{
    struct condition *condition = argument;
    for (int i = 0; i < 500; i++) {
        probe_count(&condition->value, 1);
        notify_all(&condition->notify);
    }
    return NULL;
}

static void W1_ticket_look_wait_misses_no_notify_all(void **state)
{
    (void)state;
    struct condition condition = { .value = 0 };
    notify_init(&condition.notify);
    pthread_t thread = start_thread(raise_value, &condition);
    for (;;) {
        struct notify_wait ticket = notify_wait(&condition.notify);
        if (probe_read(&condition.value) == 500)
            break;
        assert_int_equal(block_on(&ticket.future), 0);
    }
    pthread_join(thread, NULL);
    notify_finish(&condition.notify);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(W1_a_notify_before_the_wait_is_kept),
        TEST(who_waits_longest_goes_first),
        TEST(notify_all_wakes_everybody_and_leaves_nothing),
        TEST(W1_notify_all_between_the_ticket_and_the_wait),
        TEST(W9_a_cancelled_waiter_passes_its_permit_on),
        TEST(W9_with_nobody_in_line_the_permit_is_kept),
        TEST(W9_a_chain_of_cancels_hands_it_to_the_last),
        TEST(W9_what_notify_all_gave_is_not_passed_on),
        TEST(a_cancelled_waiter_leaves_its_place),
        TEST(W6_no_waker_is_touched_with_the_lock_held),
        TEST(finishing_under_a_waiter_is_a_bug),
        FUTURE_CONTRACT(a_wait),
        FUTURE_CONTRACT_WAKES(a_wait),
        TEST(discard_gives_the_permit_back),
        cmocka_unit_test(W9_no_permit_is_lost_under_cancels),
        cmocka_unit_test(W1_ticket_look_wait_misses_no_notify_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
