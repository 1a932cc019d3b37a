/* Tasks: spawn, wake, cancel, detach, and what a wake may and may not do. Most cases run
 * for SHARED and for LOCAL tasks; what other threads may do to a LOCAL one is in
 * test_local.c. */
#include "lesson02_wakers/task_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/combine.h"

static struct executor executor;

static int setup(void **state)
{
    (void)state;
    open_executor(&executor);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_executor(&executor);
    return 0;
}

static void for_both(void (*body)(unsigned flags))
{
    body(SPAWN_SHARED);
    body(SPAWN_LOCAL);
}

static struct task_handle spawned(unsigned flags, struct future *future)
{
    struct task_handle handle = { NULL };
    assert_int_equal(spawn_on(&executor, flags, future, &handle), 0);
    return handle;
}

static void run_to_the_end(unsigned flags)
{
    struct steps count = steps(5, NULL);
    struct task_handle handle = spawned(flags, &count.future);
    count.n = 0; /* moved: what the spawner does to its copy is its own affair */
    assert_false(task_is_done(&handle));
    assert_int_equal(executor_run(&executor), 0);
    assert_true(task_is_done(&handle));
    assert_int_equal(task_status(&handle), JOIN_OK);
    assert_int_equal(TASK_OUTPUT(&handle, steps)->result, 50);
    assert_string_equal(task_state_name(handle.task), "done");
    task_detach(&handle);
    assert_null(handle.task);
    task_detach(&handle);
}

static void a_task_runs_and_keeps_its_output_for_the_handle(void **state)
{
    (void)state;
    for_both(run_to_the_end);
}

static void run_detached(unsigned flags)
{
    _Atomic long total = 0;
    struct steps a = steps(3, &total), b = steps(4, &total);
    struct task_handle handle = spawned(flags, &a.future);
    assert_int_equal(spawn_on(&executor, flags, &b.future, NULL), 0);
    task_detach(&handle);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&total), 7);
}

static void a_detached_task_goes_on(void **state)
{
    (void)state;
    for_both(run_detached);
}

static void poll_once_a_wake(unsigned flags)
{
    struct event event = { 0 };
    struct wait_for wait = wait_for(&event);
    struct task_handle handle = spawned(flags, &wait.future);
    run_what_can_run(&executor);
    run_what_can_run(&executor);
    assert_int_equal(probe_read(&event.polls), 1);
    assert_string_equal(task_state_name(handle.task), "waiting");
    struct waker waker = waker_clone(&event.cell.waker);
    for (int i = 0; i < 100000; i++)
        waker_wake_by_ref(&waker); /* W3: one entry in the queue */
    waker_drop(&waker);
    run_what_can_run(&executor);
    assert_int_equal(probe_read(&event.polls), 2);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&event.polls), 3);
    task_detach(&handle);
    assert_int_equal(probe_read(&event.held), 0);
}

static void W3_many_wakes_are_one_poll(void **state)
{
    (void)state;
    for_both(poll_once_a_wake);
}

/* ---- W2: woken in the middle of a poll */

struct self_waker {
    struct future future;
    unsigned polls;
    unsigned wakes; /* in each of the first two polls */
};

static enum poll_state self_waker_poll(struct future *future, struct context *context)
{
    struct self_waker *self = container_of(future, struct self_waker, future);
    if (++self->polls == 3)
        return POLL_READY;
    for (unsigned i = 0; i < self->wakes; i++)
        waker_wake_by_ref(context->waker);
    return POLL_PENDING;
}

static void never_cancelled(struct future *future)
{
    (void)future;
}

static const struct future_ops self_waker_ops = { .name = "self-waker",
                                                  .size = sizeof(struct self_waker),
                                                  .poll = self_waker_poll,
                                                  .cancel = never_cancelled };

static void wake_in_the_poll(unsigned flags)
{
    struct self_waker twice = { { &self_waker_ops }, 0, 2 };
    struct task_handle handle = spawned(flags, &twice.future);
    uint64_t before = atomic_load_explicit(&executor.polls, memory_order_relaxed);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(executor.polls - before, 3);
    task_detach(&handle);
}

static void W2_a_wake_during_the_poll_polls_once_more(void **state)
{
    (void)state;
    for_both(wake_in_the_poll);
}

/* ---- W4, W5: wakers that live longer */

static void keep_a_waker(unsigned flags)
{
    struct event event = { 0 };
    struct wait_for wait = wait_for(&event);
    assert_int_equal(spawn_on(&executor, flags, &wait.future, NULL), 0);
    run_what_can_run(&executor);
    struct waker kept = waker_clone(&event.cell.waker);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&event.held), 0); /* nobody could look: discarded */
    uint64_t polls = executor.polls;
    waker_wake_by_ref(&kept);
    struct waker another = waker_clone(&kept);
    waker_drop(&another);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(executor.polls, polls);
    waker_wake(&kept); /* the last one frees the task */
}

static void W4_a_wake_after_completion_does_nothing(void **state)
{
    (void)state;
    for_both(keep_a_waker);
}

static void outlive(unsigned flags)
{
    struct executor shortlived;
    struct event event = { 0 };
    struct wait_for wait = wait_for(&event);
    open_executor(&shortlived);
    assert_int_equal(spawn_on(&shortlived, flags, &wait.future, NULL), 0);
    run_what_can_run(&shortlived);
    struct waker kept = waker_clone(&event.cell.waker);
    close_executor(&shortlived); /* cancels the task */
    memset(&shortlived, 0xa5, sizeof shortlived);
    waker_wake_by_ref(&kept);
    struct waker another = waker_clone(&kept);
    waker_drop(&another);
    waker_wake(&kept);
}

static void W5_a_waker_outlives_its_executor(void **state)
{
    (void)state;
    for_both(outlive);
}

static void outlive_by_handle(unsigned flags)
{
    struct executor shortlived;
    struct steps count = steps(2, NULL);
    struct task_handle handle = { NULL };
    open_executor(&shortlived);
    assert_int_equal(spawn_on(&shortlived, flags, &count.future, &handle), 0);
    assert_int_equal(executor_run(&shortlived), 0);
    close_executor(&shortlived);
    assert_int_equal(TASK_OUTPUT(&handle, steps)->result, 20);
    assert_int_equal(task_status(&handle), JOIN_OK);
    task_cancel(&handle);
    task_detach(&handle);
}

static void W5_a_handle_outlives_its_executor(void **state)
{
    (void)state;
    for_both(outlive_by_handle);
}

/* ---- W6 */

struct under_lock {
    pthread_mutex_t lock;
    struct event event;
    bool ran_inside; /* while the lock was held */
    bool held;
};

struct lock_user {
    ASYNC_FRAME;
    struct under_lock *shared;
    struct event_wait wait;
};

static enum poll_state lock_user_poll(struct future *future, struct context *context)
{
    struct lock_user *self = ASYNC_SELF(lock_user, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, event_wait(&self->shared->event));
    self->shared->ran_inside = self->shared->held;
    pthread_mutex_lock(&self->shared->lock);
    pthread_mutex_unlock(&self->shared->lock);
    ASYNC_END;
}

static const struct future_ops lock_user_ops = ASYNC_OPS(lock_user);

static void wake_under_lock(unsigned flags)
{
    struct under_lock shared = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct lock_user user = { .future = { &lock_user_ops }, .shared = &shared };
    assert_int_equal(spawn_on(&executor, flags, &user.future, NULL), 0);
    run_what_can_run(&executor);
    struct task_home *before = task_home_enter(executor.home);
    pthread_mutex_lock(&shared.lock);
    shared.held = true;
    event_set(&shared.event);
    shared.held = false;
    pthread_mutex_unlock(&shared.lock);
    task_home_leave(executor.home, before);
    assert_int_equal(executor_run(&executor), 0);
    assert_false(shared.ran_inside);
}

static void W6_a_wake_runs_no_task_and_may_come_under_a_lock(void **state)
{
    (void)state;
    for_both(wake_under_lock);
}

/* ---- cancel */

static void cancel_early_and_late(unsigned flags)
{
    _Atomic long total = 0;
    struct event event = { 0 };
    struct wait_for wait = wait_for(&event);
    struct steps count = steps(5, &total);
    struct task_handle early = spawned(flags, &count.future);
    struct task_handle waiting = spawned(flags, &wait.future);
    task_cancel(&early); /* before its first poll: it runs, its awaits are cancelled */
    task_cancel(&early);
    run_what_can_run(&executor);
    assert_int_equal(task_status(&early), JOIN_CANCELLED);
    assert_int_equal(probe_read(&total), 1);
    task_cancel(&waiting);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(task_status(&waiting), JOIN_CANCELLED);
    assert_int_equal(TASK_OUTPUT(&waiting, wait_for)->result, -ECANCELED);
    task_cancel(&waiting); /* after the end: nothing */
    task_detach(&early);
    task_detach(&waiting);
    struct steps whole = steps(1, NULL);
    struct task_handle done = spawned(flags, &whole.future);
    assert_int_equal(executor_run(&executor), 0);
    task_cancel(&done);
    assert_int_equal(task_status(&done), JOIN_OK);
    task_detach(&done);
    task_cancel(&done);
}

static void a_cancelled_task_ends_through_its_own_code(void **state)
{
    (void)state;
    for_both(cancel_early_and_late);
}

/* The real result comes first, the cancel right behind it: the next await sees it. */
static void cancel_while_a_result_wins(unsigned flags)
{
    _Atomic long total = 0;
    struct steps count = steps(1000000, &total);
    struct task_handle handle = spawned(flags, &count.future);
    run_what_can_run(&executor);
    assert_true(probe_read(&total) < 1000);
    task_cancel(&handle); /* its yield has already been READY-to-be */
    long before = probe_read(&total);
    assert_int_equal(executor_run(&executor), 0);
    assert_true(probe_read(&total) <= before + 1);
    assert_int_equal(task_status(&handle), JOIN_CANCELLED);
    task_detach(&handle);
}

static void W12_a_cancel_is_not_swallowed_by_a_loop(void **state)
{
    (void)state;
    for_both(cancel_while_a_result_wins);
}

/* ---- discard: exactly once, whoever comes last */

static void discard_once(unsigned flags)
{
    struct event event = { .set = true };
    struct wait_for wait = wait_for(&event);
    struct task_handle handle = spawned(flags, &wait.future);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&event.held), 1); /* the handle could still look */
    task_detach(&handle);
    assert_int_equal(probe_read(&event.held), 0);
    assert_int_equal(spawn_on(&executor, flags, &wait.future, NULL), 0);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&event.held), 0);
    handle = spawned(flags, &wait.future);
    task_detach(&handle); /* before it ran */
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&event.held), 0);
}

static void an_output_that_nobody_reads_is_discarded_once(void **state)
{
    (void)state;
    for_both(discard_once);
}

/* ---- the future that is spawned */

static void spawn_done(void *argument)
{
    struct steps count = steps(0, NULL);
    (void)argument;
    open_executor(&executor);
    struct context context = { .waker = NULL, .budget = 1 };
    future_poll(&count.future, &context);
    spawn_on(&executor, SPAWN_SHARED, &count.future, NULL);
}

static void spawning_a_finished_future_is_a_bug(void **state)
{
    (void)state;
    assert_dies(spawn_done, NULL, "a finished future was spawned");
}

struct big {
    ASYNC_FRAME;
    char bytes[40000];
    struct yield yield;
    int result;
};

static enum poll_state big_poll(struct future *future, struct context *context)
{
    struct big *self = ASYNC_SELF(big, future);
    ASYNC_BEGIN(self, context);
    memset(self->bytes, 1, sizeof self->bytes);
    AWAIT(self->yield, yield_now());
    self->result = self->bytes[sizeof self->bytes - 1];
    ASYNC_END;
}

static const struct future_ops big_ops = ASYNC_OPS(big);

static void frames_larger_than_a_slab_class(void **state)
{
    (void)state;
    static struct big big;
    for (int i = 0; i < 50; i++) {
        big = (struct big){ .future = { &big_ops } };
        struct task_handle handle = spawned(i % 2 ? SPAWN_LOCAL : 0, &big.future);
        assert_int_equal(executor_run(&executor), 0);
        assert_int_equal(TASK_OUTPUT(&handle, big)->result, 1);
        task_detach(&handle);
    }
}

static void spawn_without_memory(unsigned flags)
{
    struct executor fresh;
    struct steps count = steps(2, NULL);
    struct task_handle handle = { NULL };
    open_executor(&fresh);
    fault_arm("mmap", 1, ENOMEM);
    int err = spawn_on(&fresh, flags, &count.future, &handle);
    fault_disarm();
    assert_int_equal(err, -ENOMEM);
    assert_null(handle.task);
    assert_int_equal(executor_run(&fresh), 0); /* it was not counted */
    assert_int_equal(spawn_on(&fresh, flags, &count.future, &handle), 0);
    assert_int_equal(executor_run(&fresh), 0);
    task_detach(&handle);
    close_executor(&fresh);
}

static void a_spawn_without_memory_leaves_nothing(void **state)
{
    (void)state;
    for_both(spawn_without_memory);
    struct executor fresh;
    struct steps count = steps(2, NULL);
    open_executor(&fresh);
    fault_arm("mmap", 1, ENOMEM); /* by a thread that is not home */
    assert_int_equal(SPAWN(&fresh.scheduler, NULL, count), -ENOMEM);
    fault_disarm();
    assert_int_equal(executor_run(&fresh), 0);
    close_executor(&fresh);
}

/* What a dump says at each station. */
static void name_stations(unsigned flags)
{
    struct event event = { 0 };
    struct wait_for wait = wait_for(&event);
    struct forgetful forgets = forgetful(false);
    struct task_handle handle = spawned(flags, &wait.future);
    struct task_handle stalled = spawned(flags, &forgets.future);
    assert_string_equal(task_state_name(handle.task), "scheduled");
    run_what_can_run(&executor);
    assert_string_equal(task_state_name(handle.task), "waiting");
    assert_string_equal(task_state_name(stalled.task),
                        "waiting, and nobody holds a waker for it");
    task_cancel(&stalled);
    assert_string_equal(task_state_name(stalled.task), "scheduled");
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    assert_string_equal(task_state_name(handle.task), "done");
    task_detach(&handle);
    task_detach(&stalled);
}

static void a_dump_names_every_station(void **state)
{
    (void)state;
    for_both(name_stations);
}

static void the_header_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct task) <= 64);
}

/* ---- wakes and spawns from other threads */

static void *wake_often(void *argument)
{
    struct waker *waker = argument;
    for (int i = 0; i < 2000; i++) {
        struct waker copy = waker_clone(waker);
        if (i % 3 == 0)
            waker_drop(&copy);
        waker_wake(&copy);
        waker_wake_by_ref(waker);
    }
    waker_drop(waker);
    return NULL;
}

static void W5_threads_wake_while_the_executor_is_torn_down(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        unsigned flags = round % 2 ? SPAWN_LOCAL : SPAWN_SHARED;
        struct executor shortlived;
        struct event event = { 0 };
        struct wait_for wait = wait_for(&event);
        open_executor(&shortlived);
        assert_int_equal(spawn_on(&shortlived, flags, &wait.future, NULL), 0);
        run_what_can_run(&shortlived);
        struct waker wakers[2] = { waker_clone(&event.cell.waker),
                                   waker_clone(&event.cell.waker) };
        pthread_t a = start_thread(wake_often, &wakers[0]);
        pthread_t b = start_thread(wake_often, &wakers[1]);
        close_executor(&shortlived);
        memset(&shortlived, 0xa5, sizeof shortlived);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
    }
}

/* Polls in one place, is woken in another, finishes: again and again. */
static void W2_a_thread_wakes_in_mid_poll(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct event event = { 0 };
        struct wait_for wait = wait_for(&event);
        struct task_handle handle = spawned(round % 2 ? SPAWN_LOCAL : 0, &wait.future);
        pthread_t thread = start_thread(set_event, &event);
        assert_int_equal(executor_run(&executor), 0);
        assert_int_equal(TASK_OUTPUT(&handle, wait_for)->result, 0);
        task_detach(&handle);
        pthread_join(thread, NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_runs_and_keeps_its_output_for_the_handle),
        TEST(a_detached_task_goes_on),
        TEST(W3_many_wakes_are_one_poll),
        TEST(W2_a_wake_during_the_poll_polls_once_more),
        TEST(W4_a_wake_after_completion_does_nothing),
        TEST(W5_a_waker_outlives_its_executor),
        TEST(W5_a_handle_outlives_its_executor),
        TEST(W6_a_wake_runs_no_task_and_may_come_under_a_lock),
        TEST(a_cancelled_task_ends_through_its_own_code),
        TEST(W12_a_cancel_is_not_swallowed_by_a_loop),
        TEST(an_output_that_nobody_reads_is_discarded_once),
        cmocka_unit_test(spawning_a_finished_future_is_a_bug),
        TEST(frames_larger_than_a_slab_class),
        TEST(a_spawn_without_memory_leaves_nothing),
        TEST(a_dump_names_every_station),
        TEST(the_header_is_small),
        TEST(W5_threads_wake_while_the_executor_is_torn_down),
        TEST(W2_a_thread_wakes_in_mid_poll),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
