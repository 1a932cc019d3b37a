/* The hidden tests of exercise 7.2: outputs that nobody reads, and wakers that ask
 * whether the lock is free. */
#include "lesson07_custom/sync_testing.h"

#include "lesson07_custom/semaphore.h"

static struct semaphore semaphore;

static void expect_free(const char *when, size_t expected)
{
    size_t got = semaphore_available(&semaphore);
    if (got != expected)
        fail_msg("%s: expected %zu free permits, got %zu", when, expected, got);
}

static void discard(struct semaphore_acquire *acquire)
{
    static struct semaphore_acquire example;
    example = semaphore_acquire(&semaphore, 1);
    example.future.ops->discard(&acquire->future);
}

static void an_output_that_nobody_reads(void **state)
{
    (void)state;
    struct observers observers;
    struct semaphore_acquire acquires[4];
    observers_init(&observers);
    semaphore_init(&semaphore, 2);
    for (unsigned i = 0; i < 4; i++)
        acquires[i] = semaphore_acquire(&semaphore, 2);
    assert_int_equal(observer_poll(&observers, 0, &acquires[0].future), POLL_READY);
    assert_int_equal(observer_poll(&observers, 1, &acquires[1].future), POLL_PENDING);
    expect_free("2 permits, both taken", 0);
    discard(&acquires[0]);
    expect_free("discarded, and handed over to who waits", 0);
    if (observer_wakes(&observers, 1) != 1)
        fail_msg("the acquire in line, after the discard: expected 1 wake, got %lu",
                 observer_wakes(&observers, 1));
    assert_int_equal(observer_poll(&observers, 1, &acquires[1].future), POLL_READY);
    assert_int_equal(acquires[1].result, 0);
    future_cancel(&acquires[2].future);
    assert_int_equal(observer_poll(&observers, 2, &acquires[2].future), POLL_READY);
    discard(&acquires[2]);
    expect_free("a cancelled one discarded", 0);
    discard(&acquires[3]);
    expect_free("one discarded that was never polled", 0);
    semaphore_release(&semaphore, 2);
    expect_free("released by the one who had them", 2);
    semaphore_finish(&semaphore);
    observers_check(&observers);
}

/* ---- wakers that look at the lock */

struct spy {
    unsigned wakes, drops, under_the_lock;
};

static void look(struct spy *spy)
{
    if (pthread_mutex_trylock(&semaphore.queue.lock) == 0)
        pthread_mutex_unlock(&semaphore.queue.lock);
    else
        spy->under_the_lock++;
}

static struct waker spy_clone(void *data);

static void spy_wake_by_ref(void *data)
{
    look(data);
    ((struct spy *)data)->wakes++;
}

static void spy_drop(void *data)
{
    look(data);
    ((struct spy *)data)->drops++;
}

static void spy_wake(void *data)
{
    spy_wake_by_ref(data);
    spy_drop(data);
}

static const struct waker_ops spy_ops = {
    .clone = spy_clone,
    .wake = spy_wake,
    .wake_by_ref = spy_wake_by_ref,
    .drop = spy_drop,
};

static struct waker spy_clone(void *data)
{
    return (struct waker){ &spy_ops, data };
}

static enum poll_state spy_poll(struct spy *spy, struct future *future)
{
    struct waker waker = { &spy_ops, spy };
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    return future_poll(future, &context);
}

#define WAITERS 20

/* Even ones are polled again, by another task: the old waker is dropped, unused. */
static void wakers_run_without_the_lock(void **state)
{
    (void)state;
    static struct spy spies[WAITERS], before[WAITERS];
    struct semaphore_acquire acquires[WAITERS];
    unsigned under_the_lock = 0;
    semaphore_init(&semaphore, 0);
    for (unsigned i = 0; i < WAITERS; i++) {
        acquires[i] = semaphore_acquire(&semaphore, 1);
        bool again = i % 2 == 0;
        assert_int_equal(spy_poll(again ? &before[i] : &spies[i], &acquires[i].future),
                         POLL_PENDING);
        if (again)
            assert_int_equal(spy_poll(&spies[i], &acquires[i].future), POLL_PENDING);
    }
    future_cancel(&acquires[WAITERS - 1].future);
    assert_int_equal(spy_poll(&spies[WAITERS - 1], &acquires[WAITERS - 1].future),
                     POLL_READY);
    semaphore_release(&semaphore, WAITERS);
    for (unsigned i = 0; i < WAITERS; i++) {
        unsigned expected = i == WAITERS - 1 ? 0 : 1; /* that one was cancelled */
        if (spies[i].wakes != expected)
            fail_msg("waiter %u of %u: expected %u wakes, got %u", i, WAITERS, expected,
                     spies[i].wakes);
        if (before[i].wakes != 0)
            fail_msg("waiter %u: the waker of an earlier poll was woken", i);
        under_the_lock += spies[i].under_the_lock + before[i].under_the_lock;
        if (i < WAITERS - 1)
            assert_int_equal(spy_poll(&spies[i], &acquires[i].future), POLL_READY);
    }
    if (under_the_lock != 0)
        fail_msg("expected no waker woken or dropped under the lock, got %u",
                 under_the_lock);
    expect_free("20 released, 19 of them waited for", 1);
    semaphore_finish(&semaphore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_that_nobody_reads),
        cmocka_unit_test(wakers_run_without_the_lock),
    };
    return cmocka_run_group_tests_name("hidden tests of 7.2", tests, NULL, NULL);
}
