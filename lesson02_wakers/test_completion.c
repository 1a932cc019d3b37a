/* completion: one event, one waiter, and memory that is the waiter's again after. */
#include "lesson02_wakers/waker_probe.h"

#include "lesson02_wakers/completion.h"

static void arm(struct completion *completion, struct waker_probe *probe)
{
    struct waker waker = probe_waker(probe);
    struct context context = { .waker = &waker, .budget = 1 };
    completion_arm(completion, &context);
}

static bool ask(struct completion *completion, struct waker_probe *probe)
{
    struct waker waker = probe_waker(probe);
    struct context context = { .waker = &waker, .budget = 1 };
    return completion_poll(completion, &context);
}

static void complete_wakes_once_and_poll_says_done(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct completion completion;
    arm(&completion, &probe);
    assert_false(ask(&completion, &probe));
    assert_false(ask(&completion, &probe));
    assert_int_equal(probe_read(&probe.clones), 1);
    completion_complete(&completion);
    assert_true(ask(&completion, &probe));
    assert_int_equal(probe_read(&probe.wakes), 1);
    assert_int_equal(probe_read(&probe.live), 0);
}

static void completed_before_the_first_poll(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct completion completion;
    arm(&completion, &probe);
    completion_complete(&completion);
    assert_true(ask(&completion, &probe));
    assert_int_equal(probe_read(&probe.live), 0);
}

static void W7_the_waker_of_the_last_poll_is_woken(void **state)
{
    (void)state;
    struct waker_probe one = { 0 }, two = { 0 };
    struct completion completion;
    arm(&completion, &one);
    assert_false(ask(&completion, &two));
    assert_int_equal(probe_read(&one.live), 0);
    completion_complete(&completion);
    assert_int_equal(probe_read(&one.wakes), 0);
    assert_int_equal(probe_read(&two.wakes), 1);
    assert_true(ask(&completion, &two));
}

static void nobody_to_wake_is_allowed(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct context nobody = { .waker = NULL, .budget = 1 };
    struct completion completion;
    completion_arm(&completion, &nobody);
    assert_false(completion_poll(&completion, &nobody));
    assert_false(ask(&completion, &probe));
    assert_false(completion_poll(&completion, &nobody));
    assert_int_equal(probe_read(&probe.live), 0);
    completion_complete(&completion);
    assert_true(completion_poll(&completion, &nobody));
}

static void disarm_drops_the_waker(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct completion completion;
    arm(&completion, &probe);
    completion_disarm(&completion);
    assert_int_equal(probe_read(&probe.live), 0);
    assert_int_equal(probe_read(&probe.wakes), 0);
}

/* ---- the completer in the middle of a renewal, made certain: clone brings it */

static struct completion *to_complete;
static const struct waker_ops meddler_ops;

static struct waker meddler_clone(void *data)
{
    probe_waker_clone(data);
    if (to_complete)
        completion_complete(to_complete);
    to_complete = NULL;
    return (struct waker){ &meddler_ops, data };
}

static const struct waker_ops meddler_ops = {
    .clone = meddler_clone,
    .wake = probe_waker_wake,
    .wake_by_ref = probe_waker_wake_by_ref,
    .drop = probe_waker_drop,
};

static void completed_in_the_middle_of_a_renewal(void **state)
{
    (void)state;
    struct waker_probe one = { 0 }, two = { 0 };
    struct completion completion;
    struct waker meddler = { &meddler_ops, &two };
    struct context context = { .waker = &meddler, .budget = 1 };
    arm(&completion, &one);
    to_complete = &completion;
    assert_true(completion_poll(&completion, &context));
    assert_int_equal(probe_read(&one.wakes) + probe_read(&two.wakes), 0);
    assert_int_equal(probe_read(&one.live) + probe_read(&two.live), 0);
}

static void complete_twice(void *argument)
{
    struct completion completion;
    struct waker_probe probe = { 0 };
    (void)argument;
    arm(&completion, &probe);
    completion_complete(&completion);
    completion_complete(&completion);
}

static void completing_twice_is_a_bug(void **state)
{
    (void)state;
    assert_dies(complete_twice, NULL, "completed twice");
}

/* ---- with threads: the memory is freed as soon as poll says done (C15) */

struct job {
    struct completion completion;
    int result; /* published by complete */
};

static void *finish_job(void *argument)
{
    struct job *job = argument;
    job->result = 42;
    completion_complete(&job->completion);
    return NULL;
}

static void C15_the_memory_is_the_waiters_as_soon_as_it_is_done(void **state)
{
    (void)state;
    struct waker_probe probes[2] = { 0 };
    for (int round = 0; round < 200; round++) {
        struct job *job = malloc(sizeof *job);
        assert_non_null(job);
        job->result = 0;
        arm(&job->completion, &probes[0]);
        pthread_t thread = start_thread(finish_job, job);
        bool done = false;
        uint64_t give_up = testing_deadline();
        for (unsigned poll = 0; !done && !testing_expired(give_up); poll++)
            done = ask(&job->completion, &probes[poll % 2]); /* renews each time */
        int result = job->result;
        free(job);
        pthread_join(thread, NULL);
        assert_true(done);
        assert_int_equal(result, 42);
    }
    assert_int_equal(probe_read(&probes[0].live) + probe_read(&probes[1].live), 0);
}

static void W1_a_waiter_that_sleeps_between_polls_is_woken(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    for (int round = 0; round < 100; round++) {
        struct job job = { .result = 0 };
        arm(&job.completion, &probe);
        pthread_t thread = start_thread(finish_job, &job);
        long woken = probe_read(&probe.wakes);
        while (!ask(&job.completion, &probe)) {
            WAIT_UNTIL(probe_read(&probe.wakes) != woken);
            woken = probe_read(&probe.wakes);
        }
        pthread_join(thread, NULL);
        assert_int_equal(job.result, 42);
    }
    assert_int_equal(probe_read(&probe.live), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_wakes_once_and_poll_says_done),
        cmocka_unit_test(completed_before_the_first_poll),
        cmocka_unit_test(W7_the_waker_of_the_last_poll_is_woken),
        cmocka_unit_test(nobody_to_wake_is_allowed),
        cmocka_unit_test(disarm_drops_the_waker),
        cmocka_unit_test(completed_in_the_middle_of_a_renewal),
        cmocka_unit_test(completing_twice_is_a_bug),
        cmocka_unit_test(C15_the_memory_is_the_waiters_as_soon_as_it_is_done),
        cmocka_unit_test(W1_a_waiter_that_sleeps_between_polls_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
