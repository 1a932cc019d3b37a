/* The async mutex: one owner at a time, in order, and a lock that a cancel meets. */
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/task_testing.h"

#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/mutex.h"

static struct async_mutex mutex;
static struct waker_probe probes[4];
static struct async_mutex_lock locks[4];

static int setup(void **state)
{
    (void)state;
    async_mutex_init(&mutex);
    for (int i = 0; i < 4; i++) {
        probes[i] = (struct waker_probe){ 0 };
        locks[i] = async_mutex_lock(&mutex);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    async_mutex_finish(&mutex);
    for (int i = 0; i < 4; i++)
        assert_int_equal(probe_read(&probes[i].live), 0);
    return 0;
}

static enum poll_state ask(int i)
{
    return probe_poll(&probes[i], &locks[i].future);
}

static void one_owner_at_a_time_in_order(void **state)
{
    (void)state;
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(locks[0].result, 0);
    assert_false(async_mutex_try_lock(&mutex));
    for (int i = 1; i < 4; i++)
        assert_int_equal(ask(i), POLL_PENDING);
    for (int i = 1; i < 4; i++) {
        async_mutex_unlock(&mutex);
        assert_int_equal(probe_read(&probes[i].wakes), 1);
        assert_false(async_mutex_try_lock(&mutex)); /* handed over: nobody overtakes */
        assert_int_equal(ask(i), POLL_READY);
    }
    async_mutex_unlock(&mutex);
    assert_true(async_mutex_try_lock(&mutex));
    async_mutex_unlock(&mutex);
}

static void a_waiter_that_is_cancelled_leaves_the_line(void **state)
{
    (void)state;
    assert_true(async_mutex_try_lock(&mutex));
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(i), POLL_PENDING);
    future_cancel(&locks[1].future);
    assert_int_equal(ask(1), POLL_READY);
    assert_int_equal(locks[1].result, -ECANCELED);
    async_mutex_unlock(&mutex);
    assert_int_equal(ask(0), POLL_READY);
    async_mutex_unlock(&mutex);
    assert_int_equal(ask(2), POLL_READY);
    async_mutex_unlock(&mutex);
}

static void F6_a_cancel_after_the_hand_over_keeps_the_lock(void **state)
{
    (void)state;
    assert_true(async_mutex_try_lock(&mutex));
    assert_int_equal(ask(0), POLL_PENDING);
    async_mutex_unlock(&mutex);
    future_cancel(&locks[0].future);
    assert_int_equal(ask(0), POLL_READY);
    assert_int_equal(locks[0].result, 0); /* the real result, so it must unlock */
    assert_false(async_mutex_try_lock(&mutex));
    async_mutex_unlock(&mutex);
}

static void W9_a_discarded_lock_goes_to_the_next(void **state)
{
    (void)state;
    struct context context = { .waker = NULL, .budget = 1 };
    assert_true(async_mutex_try_lock(&mutex));
    assert_int_equal(ask(0), POLL_PENDING);
    assert_int_equal(ask(1), POLL_PENDING);
    async_mutex_unlock(&mutex);
    assert_int_equal(future_poll_discarding(&locks[0].future, &context), POLL_READY);
    assert_int_equal(probe_read(&probes[1].wakes), 1);
    assert_int_equal(ask(1), POLL_READY);
    async_mutex_unlock(&mutex);
}

static void unlock_unlocked(void *argument)
{
    (void)argument;
    async_mutex_unlock(&mutex);
}

static void finish_locked(void *argument)
{
    (void)argument;
    async_mutex_try_lock(&mutex);
    async_mutex_finish(&mutex);
}

static void misuse_is_a_bug(void **state)
{
    (void)state;
    assert_dies(unlock_unlocked, NULL, "unlocked that is not locked");
    assert_dies(finish_locked, NULL, "finished while it is locked");
    async_mutex_finish(NULL);
    struct async_mutex zeroed = { 0 };
    async_mutex_finish(&zeroed);
}

/* ---- the contract: a lock of a locked mutex */

static struct waker contract_wakers[2];

static void open_world(void *world)
{
    (void)world;
    setup(NULL);
    for (int i = 0; i < 2; i++)
        contract_wakers[i] = probe_waker(&probes[i]);
    assert_true(async_mutex_try_lock(&mutex));
}

/* The case may have left it with the lock: whoever has it gives it back. */
static void close_world(void *world)
{
    (void)world;
    if (mutex.locked)
        async_mutex_unlock(&mutex);
    teardown(NULL);
}

static void make_lock(void *world, void *storage)
{
    struct async_mutex_lock lock = async_mutex_lock(&mutex);
    (void)world;
    memcpy(storage, &lock, sizeof lock);
}

static void unlock_it(void *world, void *storage)
{
    (void)world;
    (void)storage;
    async_mutex_unlock(&mutex);
}

static struct context context_of(void *world, unsigned which)
{
    (void)world;
    return (struct context){ &contract_wakers[which], CONTEXT_BUDGET };
}

static unsigned long wakes_of(void *world, unsigned which)
{
    (void)world;
    return (unsigned long)probe_read(&probes[which].wakes);
}

static int64_t result_of(void *world, const void *storage)
{
    (void)world;
    return ((const struct async_mutex_lock *)storage)->result;
}

static struct future_subject a_lock = {
    .name = "lock of a mutex",
    .size = sizeof(struct async_mutex_lock),
    .setup = open_world,
    .teardown = close_world,
    .make = make_lock,
    .let_finish = unlock_it,
    .context = context_of,
    .wakes = wakes_of,
    .result = result_of,
    .finished = 0,
    .cancelled = -ECANCELED,
};

/* ---- a critical section across awaits */

struct shared {
    struct async_mutex mutex;
    long value; /* guarded by mutex */
    bool inside;
    bool overlapped;
    _Atomic long refused;
};

struct adds {
    ASYNC_FRAME;
    struct shared *shared;
    int times;
    int i;
    long seen;
    struct async_mutex_lock lock;
    struct yield yield;
};

static enum poll_state adds_poll(struct future *future, struct context *context)
{
    struct adds *self = ASYNC_SELF(adds, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->times; self->i++) {
        AWAIT(self->lock, async_mutex_lock(&self->shared->mutex));
        if (self->lock.result < 0) {
            probe_count(&self->shared->refused, 1);
            ASYNC_RETURN;
        }
        self->shared->overlapped |= self->shared->inside;
        self->shared->inside = true;
        self->seen = self->shared->value;
        AWAIT(self->yield, yield_now());
        self->shared->value = self->seen + 1;
        self->shared->inside = false;
        async_mutex_unlock(&self->shared->mutex);
    }
    ASYNC_END;
}

static const struct future_ops adds_ops = ASYNC_OPS(adds);

static void the_lock_is_held_across_awaits(void **state)
{
    (void)state;
    struct executor executor;
    struct shared shared = { .value = 0 };
    open_executor(&executor);
    async_mutex_init(&shared.mutex);
    for (unsigned i = 0; i < 8; i++) {
        struct adds adds = { .future = { &adds_ops }, .shared = &shared, .times = 50 };
        assert_int_equal(spawn_on(&executor, i % 2, &adds.future, NULL), 0);
    }
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(shared.value, 400);
    assert_false(shared.overlapped);
    async_mutex_finish(&shared.mutex);
    close_executor(&executor);
}

static void *add_on_a_thread(void *argument)
{
    struct adds adds = { .future = { &adds_ops }, .shared = argument, .times = 200 };
    block_on(&adds.future);
    return NULL;
}

/* Plain data behind it: TSan sees whether lock and unlock publish. */
static void threads_and_cancelled_tasks_share_it(void **state)
{
    (void)state;
    static struct shared shared;
    struct executor executor;
    struct task_handle handles[8] = { 0 };
    async_mutex_init(&shared.mutex);
    open_executor(&executor);
    pthread_t a = start_thread(add_on_a_thread, &shared);
    pthread_t b = start_thread(add_on_a_thread, &shared);
    for (unsigned i = 0; i < ARRAY_SIZE(handles); i++) {
        struct adds adds = { .future = { &adds_ops },
                             .shared = &shared,
                             .times = INT32_MAX };
        assert_int_equal(spawn_on(&executor, 0, &adds.future, &handles[i]), 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(handles); i++) {
        executor_run_for(&executor, 2 * NS_PER_MS);
        task_cancel(&handles[i]); /* in line, handed over, or inside */
        task_detach(&handles[i]);
    }
    assert_int_equal(executor_run(&executor), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert_false(shared.overlapped);
    assert_true(shared.value >= 400);
    assert_int_equal(probe_read(&shared.refused), 8);
    async_mutex_finish(&shared.mutex);
    close_executor(&executor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_owner_at_a_time_in_order),
        TEST(a_waiter_that_is_cancelled_leaves_the_line),
        TEST(F6_a_cancel_after_the_hand_over_keeps_the_lock),
        TEST(W9_a_discarded_lock_goes_to_the_next),
        TEST(misuse_is_a_bug),
        FUTURE_CONTRACT(a_lock),
        FUTURE_CONTRACT_WAKES(a_lock),
        cmocka_unit_test(the_lock_is_held_across_awaits),
        cmocka_unit_test(threads_and_cancelled_tasks_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
