/* Exercise 7.2, a semaphore step by step: permits counted, a line in its order, and two
 * ways of leaving it. */
#include "lesson07_custom/sync_testing.h"

#include "lesson07_custom/semaphore.h"

static struct semaphore semaphore;
static struct observers observers;
static struct semaphore_acquire acquires[3];

static void expect_free(const char *when, size_t expected)
{
    size_t got = semaphore_available(&semaphore);
    if (got != expected)
        fail_msg("%s: expected %zu free permits, got %zu", when, expected, got);
}

static void expect_try(const char *when, size_t permits, int expected)
{
    int got = semaphore_try_acquire(&semaphore, permits);
    if (got != expected)
        fail_msg("%s: try_acquire(%zu): expected %d, got %d", when, permits, expected,
                 got);
}

/* Polls number i, of which is expected: woken so many times, and this result; -EAGAIN:
 * still pending. */
static void expect_acquire(const char *when, unsigned i, unsigned long wakes,
                           int result)
{
    if (observer_wakes(&observers, i) != wakes)
        fail_msg("%s: acquire number %u: expected %lu wakes, got %lu", when, i, wakes,
                 observer_wakes(&observers, i));
    bool ready = observer_poll(&observers, i, &acquires[i].future) == POLL_READY;
    int got = ready ? acquires[i].result : -EAGAIN;
    if (got != result)
        fail_msg("%s: acquire number %u: expected %d, got %d%s", when, i, result, got,
                 ready ? "" : " (it is pending)");
}

static void permits_are_counted(void **state)
{
    (void)state;
    observers_init(&observers);
    semaphore_init(&semaphore, 2);
    acquires[0] = semaphore_acquire(&semaphore, 1);
    expect_acquire("2 permits, 1 wanted", 0, 0, 0);
    expect_free("1 of 2 taken", 1);
    expect_try("1 is free", 2, -EAGAIN);
    expect_try("1 is free", 1, 0);
    expect_try("none is free", 1, -EAGAIN);
    expect_free("all taken", 0);
    semaphore_release(&semaphore, 2);
    expect_free("2 released", 2);
    semaphore_close(&semaphore);
    expect_try("closed", 1, -EPIPE);
    acquires[1] = semaphore_acquire(&semaphore, 1);
    expect_acquire("closed", 1, 0, -EPIPE);
    semaphore_finish(&semaphore);
    observers_check(&observers);
}

/* Three wait: for 3, 1 and 1 permits. */
static void line_up(void)
{
    static const size_t wanted[3] = { 3, 1, 1 };
    observers_init(&observers);
    semaphore_init(&semaphore, 0);
    for (unsigned i = 0; i < 3; i++) {
        acquires[i] = semaphore_acquire(&semaphore, wanted[i]);
        expect_acquire("no permits", i, 0, -EAGAIN);
    }
}

static void a_release_serves_the_line_in_its_order(void **state)
{
    (void)state;
    line_up();
    semaphore_release(&semaphore, 2);
    expect_try("2 are free, and 3 acquires wait", 1, -EAGAIN);
    for (unsigned i = 0; i < 3; i++)
        expect_acquire("2 are free, and the first wants 3", i, 0, -EAGAIN);
    semaphore_release(&semaphore, 2);
    expect_free("4 are there: 3 and 1 are handed over", 0);
    expect_acquire("3 handed over", 0, 1, 0);
    expect_acquire("1 handed over", 1, 1, 0);
    expect_acquire("nothing is left for the last", 2, 0, -EAGAIN);
    semaphore_release(&semaphore, 3);
    expect_acquire("3 more", 2, 1, 0);
    expect_free("3 more, 1 of them handed over", 2);
    semaphore_finish(&semaphore);
    observers_check(&observers);
}

static void W9_permits_of_a_cancelled_waiter_are_passed_on(void **state)
{
    (void)state;
    line_up();
    semaphore_release(&semaphore, 3);
    expect_free("3 are there, handed over to the first", 0);
    future_cancel(&acquires[0].future);
    expect_acquire("had 3, and is cancelled", 0, 1, -ECANCELED);
    expect_acquire("the first of the line gave 3 up", 1, 1, 0);
    expect_acquire("the first of the line gave 3 up", 2, 1, 0);
    expect_free("3 given up, 2 of them handed over", 1);
    semaphore_finish(&semaphore);
    observers_check(&observers);
}

static void W9_permits_go_to_the_next_when_the_first_leaves(void **state)
{
    (void)state;
    line_up();
    semaphore_release(&semaphore, 2);
    future_cancel(&acquires[0].future);
    expect_acquire("wants 3 of 2, and is cancelled", 0, 0, -ECANCELED);
    expect_acquire("2 are there, and the one who wanted 3 has left", 1, 1, 0);
    expect_acquire("2 are there, and the one who wanted 3 has left", 2, 1, 0);
    expect_free("2 were there, and both are handed over", 0);
    semaphore_finish(&semaphore);
    observers_check(&observers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permits_are_counted),
        cmocka_unit_test(a_release_serves_the_line_in_its_order),
        cmocka_unit_test(W9_permits_of_a_cancelled_waiter_are_passed_on),
        cmocka_unit_test(W9_permits_go_to_the_next_when_the_first_leaves),
    };
    return cmocka_run_group_tests_name("a semaphore step by step", tests, NULL, NULL);
}
