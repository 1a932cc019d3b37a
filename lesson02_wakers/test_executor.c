/* The executor: the contract of every scheduler, its sleep, its limits, its report of a
 * deadlock, and every failure on the way. */
#include "lesson02_wakers/scheduler_contract.h"

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"

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

/* ---- the contract */

static struct scheduler *open_subject(void *world)
{
    open_executor(world);
    return &((struct executor *)world)->scheduler;
}

static void turn_subject(void *world)
{
    run_what_can_run(world);
}

static void stop_subject(void *world)
{
    executor_cancel_all(world);
    assert_int_equal(executor_run(world), 0);
}

static void close_subject(void *world)
{
    close_executor(world);
}

static struct scheduler_subject an_executor = {
    .name = "executor",
    .world = &executor,
    .open = open_subject,
    .turn = turn_subject,
    .stop = stop_subject,
    .close = close_subject,
};

/* ---- running */

static void nothing_to_do_returns_at_once(void **state)
{
    (void)state;
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(executor_run_for(&executor, UINT64_MAX), 0);
    assert_int_equal(executor.parks, 0);
}

static void finish_accepts_null_and_zeroed(void **state)
{
    (void)state;
    struct executor zeroed = { 0 };
    assert_int_equal(executor_finish(NULL), 0);
    assert_int_equal(executor_finish(&zeroed), 0);
    open_executor(&zeroed);
    close_executor(&zeroed);
    close_executor(&zeroed);
}

static void run_for_ends_although_nobody_wakes(void **state)
{
    (void)state;
    static struct event event; /* teardown still cancels who waits for it */
    assert_int_equal(SPAWN(&executor.scheduler, NULL, wait_for(&event)), 0);
    uint64_t before = clock_now();
    assert_int_equal(executor_run_for(&executor, 20 * NS_PER_MS), -ETIMEDOUT);
    assert_true(clock_now() - before >= 20 * NS_PER_MS);
    assert_true(executor.parks > 0);
    assert_int_equal(probe_read(&event.polls), 1);
}

static void run_for_ends_although_tasks_never_rest(void **state)
{
    (void)state;
    struct task_handle handle = { NULL };
    assert_int_equal(SPAWN(&executor.scheduler, &handle, steps(INT32_MAX, NULL)), 0);
    assert_int_equal(executor_run_for(&executor, NS_PER_MS), -ETIMEDOUT);
    assert_int_equal(executor_run_for(&executor, 0), -ETIMEDOUT);
    task_cancel(&handle);
    task_detach(&handle);
}

static void run_until_leaves_the_others(void **state)
{
    (void)state;
    struct task_handle brief = { NULL }, lasting = { NULL };
    assert_int_equal(SPAWN(&executor.scheduler, &lasting, steps(100, NULL)), 0);
    assert_int_equal(SPAWN(&executor.scheduler, &brief, steps(2, NULL)), 0);
    assert_int_equal(executor_run_until(&executor, &brief), 0);
    assert_true(task_is_done(&brief));
    assert_false(task_is_done(&lasting));
    assert_int_equal(executor_run(&executor), 0);
    task_detach(&brief);
    task_detach(&lasting);
}

static void block_on_is_a_local_task(void **state)
{
    (void)state;
    struct steps count = steps(4, NULL);
    struct task_handle handle = { NULL };
    assert_int_equal(executor_block_on(&executor, &count.future, &handle), 0);
    assert_true(task_is_local(handle.task));
    assert_int_equal(TASK_OUTPUT(&handle, steps)->result, 40);
    task_detach(&handle);
    executor_cancel_all(&executor);
    assert_int_equal(executor_block_on(&executor, &count.future, &handle), -ESHUTDOWN);
}

/* ---- executor_call */

static void note_call(struct executor *self, void *argument)
{
    (void)self;
    probe_count(argument, 1);
}

static void *call_it(void *argument)
{
    (void)argument;
    executor_call(&executor);
    return NULL;
}

static void calls_are_answered_also_in_sleep(void **state)
{
    (void)state;
    _Atomic long calls = 0;
    static struct event event; /* teardown still cancels who waits for it */
    executor.on_call = note_call;
    executor.on_call_argument = &calls;
    assert_int_equal(SPAWN(&executor.scheduler, NULL, wait_for(&event)), 0);
    executor_call(&executor);
    executor_call(&executor);
    run_what_can_run(&executor);
    assert_int_equal(probe_read(&calls), 1); /* merged */
    pthread_t thread = start_thread(call_it, NULL);
    while (probe_read(&calls) == 1)
        assert_int_equal(executor_run_for(&executor, 50 * NS_PER_MS), -ETIMEDOUT);
    pthread_join(thread, NULL);
    assert_int_equal(probe_read(&event.polls), 1);
}

/* ---- a parker that counts, and one that fails */

struct counting_parker {
    struct parker parker;
    struct thread_parker inner;
    unsigned long turns;  /* park(0) */
    unsigned long sleeps; /* any other */
    int error;
};

static int counting_park(struct parker *parker, int64_t timeout_ns)
{
    struct counting_parker *self = container_of(parker, struct counting_parker, parker);
    if (self->error)
        return self->error;
    *(timeout_ns ? &self->sleeps : &self->turns) += 1;
    return parker_park(&self->inner.parker, timeout_ns);
}

static void counting_unpark(struct parker *parker)
{
    struct counting_parker *self = container_of(parker, struct counting_parker, parker);
    parker_unpark(&self->inner.parker);
}

static const struct parker_ops counting_ops = { "counting", counting_park,
                                                counting_unpark };

static void busy_tasks_give_the_parker_its_turns(void **state)
{
    (void)state;
    struct executor own;
    struct counting_parker parker = { .parker = { &counting_ops } };
    thread_parker_init(&parker.inner);
    assert_int_equal(executor_init(&own, &parker.parker), 0);
    assert_int_equal(SPAWN(&own.scheduler, NULL, steps(61 * 10, NULL)), 0);
    assert_int_equal(executor_run(&own), 0);
    assert_in_range(parker.turns, 10,
                    610); /* P5: every PARK_INTERVAL polls, or sooner */
    assert_int_equal(parker.sleeps, 0);
    close_executor(&own);
}

/* Polls that take a millisecond each. */
struct slow {
    ASYNC_FRAME;
    int left;
    uint64_t until;
    struct yield yield;
};

static enum poll_state slow_poll(struct future *future, struct context *context)
{
    struct slow *self = ASYNC_SELF(slow, future);
    ASYNC_BEGIN(self, context);
    while (self->left-- > 0) {
        self->until = clock_after(clock_now(), NS_PER_MS);
        while (clock_now() < self->until)
            ;
        AWAIT(self->yield, yield_now());
    }
    ASYNC_END;
}

static void S9_long_polls_give_the_parker_more_turns(void **state)
{
    (void)state;
    static const struct future_ops slow_ops = ASYNC_OPS(slow);
    struct executor own;
    struct counting_parker parker = { .parker = { &counting_ops } };
    thread_parker_init(&parker.inner);
    assert_int_equal(executor_init(&own, &parker.parker), 0);
    /* The first two stretches find out how long a poll is; then it is one turn a poll. */
    assert_int_equal(SPAWN(&own.scheduler, NULL,
                           ((struct slow){ .future = { &slow_ops },
                                           .left = 2 * PARK_INTERVAL + 50 })),
                     0);
    assert_int_equal(executor_run(&own), 0);
    assert_in_range(parker.turns, 50, 2 * PARK_INTERVAL + 50);
    close_executor(&own);
}

static void the_pace_follows_the_length_of_polls(void **state)
{
    (void)state;
    struct pace pace;
    uint64_t now = NS_PER_S;
    pace_init(&pace);
    for (int i = 1; i < PARK_INTERVAL; i++)
        assert_false(pace_count(&pace));
    assert_true(pace_count(&pace));
    pace_look(&pace, now); /* nothing to compare with */
    assert_int_equal(pace.interval, PARK_INTERVAL);
    pace_look(&pace, now += 2 * PACE_NS);
    assert_int_equal(pace.interval, PARK_INTERVAL / 2);
    pace_look(&pace, now += 1000 * PACE_NS);
    assert_int_equal(pace.interval, 1);
    assert_true(pace_count(&pace));
    pace_slept(&pace);
    pace_look(&pace, now += 1000 * PACE_NS); /* a sleep is no long poll, and no short */
    assert_int_equal(pace.interval, 1);
    for (unsigned expected = 2; expected < PARK_INTERVAL; expected *= 2) {
        pace_look(&pace, ++now);
        assert_int_equal(pace.interval, expected);
    }
    pace_look(&pace, ++now);
    assert_int_equal(pace.interval, PARK_INTERVAL);
}

static void an_error_of_the_parker_ends_the_run(void **state)
{
    (void)state;
    struct executor own;
    struct event event = { 0 };
    struct counting_parker parker = { .parker = { &counting_ops }, .error = -EIO };
    thread_parker_init(&parker.inner);
    assert_int_equal(executor_init(&own, &parker.parker), 0);
    assert_int_equal(SPAWN(&own.scheduler, NULL, wait_for(&event)), 0);
    assert_int_equal(executor_run(&own), -EIO);
    assert_int_equal(SPAWN(&own.scheduler, NULL, steps(100, NULL)), 0);
    assert_int_equal(executor_run(&own), -EIO);
    parker.error = 0;
    event_set(&event);
    assert_int_equal(executor_run(&own), 0);
    close_executor(&own);
}

/* ---- spawns that are still on their way */

static int cancel_all_then_home_calls;

/* Comes between admit and schedule of a spawn from outside. */
static struct task_home *cancel_all_then_home(struct scheduler *scheduler)
{
    cancel_all_then_home_calls++;
    executor_cancel_all(container_of(scheduler, struct executor, scheduler));
    return executor.home;
}

static void S12_a_spawn_that_the_stop_did_not_see_is_cancelled_all_the_same(
    void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = { NULL };
    struct scheduler_ops racing = *executor.scheduler.ops;
    racing.home = cancel_all_then_home;
    executor.scheduler.ops = &racing;
    cancel_all_then_home_calls = 0;
    assert_int_equal(SPAWN(&executor.scheduler, &handle, wait_for(&event)), 0);
    assert_int_equal(cancel_all_then_home_calls, 1);
    assert_int_equal(executor_run_for(&executor, TEST_PATIENCE_S * NS_PER_S), 0);
    assert_int_equal(task_status(&handle), JOIN_CANCELLED);
    task_detach(&handle);
    close_executor(&executor);
}

static void a_spawn_that_fails_after_it_was_counted_is_not_waited_for(void **state)
{
    (void)state;
    const struct scheduler_ops *ops = executor.scheduler.ops;
    assert_int_equal(ops->admit(&executor.scheduler), 0); /* as from another thread */
    assert_int_equal(SPAWN(&executor.scheduler, NULL, steps(1, NULL)), 0);
    run_what_can_run(&executor); /* counts both, and runs the one that is there */
    ops->retire(&executor.scheduler);
    assert_int_equal(executor_run_for(&executor, TEST_PATIENCE_S * NS_PER_S), 0);
}

/* ---- W10 */

struct forgets {
    ASYNC_FRAME;
    struct forgetful wait;
};

static enum poll_state forgets_poll(struct future *future, struct context *context)
{
    struct forgets *self = ASYNC_SELF(forgets, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, forgetful(false));
    ASYNC_END;
}

static const struct future_ops forgets_ops = ASYNC_OPS(forgets);

static void run_forgets(void *argument)
{
    struct forgets forgets = { .future = { &forgets_ops } };
    open_executor(&executor);
    spawn_on(&executor, *(unsigned *)argument, &forgets.future, NULL);
    if (executor_run(&executor) != -EDEADLK)
        _Exit(1);
    close_executor(&executor); /* a cancel still ends it */
}

static void W10_a_task_that_nobody_will_wake_is_named(void **state)
{
    (void)state;
    static char output[4096];
    for (unsigned flags = 0; flags < 2; flags++) {
        assert_int_equal(run_in_child(run_forgets, &flags, output, sizeof output), 0);
        const char *const lines[] = {
            "no runnable task, and 1 that wait with nobody left to wake them",
            "task 'forgets': waiting, and nobody holds a waker for it",
            "    forgets at lesson02_wakers/test_executor.c:", "      forgetful"
        };
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
            if (!strstr(output, lines[i]))
                fail_msg("\"%s\" is not in: %s", lines[i], output);
    }
}

static void W10_tasks_that_can_run_or_be_woken_are_no_deadlock(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct forgets forgets = { .future = { &forgets_ops } };
    struct task_handle handle = { NULL }, waits = { NULL };
    assert_int_equal(task_spawn(&executor.scheduler, &forgets.future, 0, &handle), 0);
    assert_int_equal(SPAWN(&executor.scheduler, &waits, wait_for(&event)), 0);
    assert_int_equal(executor_run_for(&executor, NS_PER_MS), -ETIMEDOUT);
    event_set(&event);
    assert_int_equal(executor_run(&executor), -EDEADLK); /* now only forgets is left */
    assert_true(task_is_done(&waits));
    task_cancel(&handle); /* a stalled task that comes back is not counted any more */
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(executor.stalled, 0);
    task_detach(&handle);
    task_detach(&waits);
}

static void *drop_last_waker(void *argument)
{
    struct event *event = argument;
    struct waker last = waker_cell_take(&event->cell);
    waker_drop(&last);
    return NULL;
}

/* The event's keeper forgets it while the executor sleeps. The task is polled once more,
 * finds the keeper again and sleeps on; a leaf that finds nobody is reported. */
static void W10_the_last_waker_is_dropped_elsewhere(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 2; flags++) {
        struct event event = { 0 };
        struct wait_for wait = wait_for(&event);
        assert_int_equal(spawn_on(&executor, flags, &wait.future, NULL), 0);
        run_what_can_run(&executor);
        on_a_thread(drop_last_waker, &event);
        run_what_can_run(&executor);
        assert_int_equal(probe_read(&event.polls), 2);
        struct task_home *before = task_home_enter(executor.home);
        drop_last_waker(&event); /* and on the home thread itself */
        task_home_leave(executor.home, before);
        run_what_can_run(&executor);
        assert_int_equal(probe_read(&event.polls), 3);
        event_set(&event);
        assert_int_equal(executor_run(&executor), 0);
    }
}

struct once {
    struct future future;
    struct event *event; /* borrows */
    bool asked;
    bool cancelled;
};

/* Gives its waker away in its first poll only. */
static enum poll_state once_poll(struct future *future, struct context *context)
{
    struct once *self = container_of(future, struct once, future);
    if (self->cancelled)
        return POLL_READY;
    if (!self->asked)
        waker_cell_register(&self->event->cell, context);
    self->asked = true;
    return POLL_PENDING;
}

static void once_cancel(struct future *future)
{
    container_of(future, struct once, future)->cancelled = true;
}

static const struct future_ops once_ops = { .name = "once",
                                            .size = sizeof(struct once),
                                            .poll = once_poll,
                                            .cancel = once_cancel };

static void W10_a_sleeping_executor_notices_that_the_last_waker_is_gone(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 2; flags++) {
        struct event event = { 0 };
        struct once once = { .future = { &once_ops }, .event = &event };
        struct task_handle handle = { NULL };
        assert_int_equal(spawn_on(&executor, flags, &once.future, &handle), 0);
        run_what_can_run(&executor);
        pthread_t thread = start_thread(drop_last_waker, &event);
        assert_int_equal(executor_run(&executor), -EDEADLK); /* does not hang */
        pthread_join(thread, NULL);
        struct task_home *before = task_home_enter(executor.home);
        task_cancel(&handle);
        task_detach(&handle);
        task_home_leave(executor.home, before);
        assert_int_equal(executor_run(&executor), 0);
    }
}

/* Another thread's cancel comes between the look at the inbox and the verdict. */
static struct task_handle to_cancel;

static void *cancel_it(void *argument)
{
    (void)argument;
    task_cancel(&to_cancel);
    return NULL;
}

static void cancel_in_second_call(struct executor *self, void *argument)
{
    int *calls = argument;
    if (++*calls == 1)
        executor_call(self); /* the task was not polled yet: once more */
    else
        on_a_thread(cancel_it, NULL);
}

static void W10_what_is_in_the_inbox_is_looked_at_before_the_verdict(void **state)
{
    (void)state;
    int calls = 0;
    struct forgets forgets = { .future = { &forgets_ops } };
    executor.on_call = cancel_in_second_call;
    executor.on_call_argument = &calls;
    executor_call(&executor);
    assert_int_equal(task_spawn(&executor.scheduler, &forgets.future, 0, &to_cancel),
                     0);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(calls, 2);
    task_detach(&to_cancel);
}

static void leave_a_stubborn_one(void *argument)
{
    struct forgetful never = forgetful(true);
    (void)argument;
    open_executor(&executor);
    spawn_on(&executor, 0, &never.future, NULL);
    if (executor_finish(&executor) != -EDEADLK)
        _Exit(1);
    if (executor_finish(&executor) != -EDEADLK) /* it still stands, and says so again */
        _Exit(2);
}

static void finish_names_what_ignores_the_cancel(void **state)
{
    (void)state;
    static char output[4096];
    assert_int_equal(run_in_child(leave_a_stubborn_one, NULL, output, sizeof output),
                     0);
    assert_non_null(strstr(output, "task 'forgetful'"));
}

/* ---- a dump while others spawn */

static void executor_tasks_are_printed_beside_spawns(void *argument)
{
    _Atomic long total = 0;
    struct spawning_thread spawning = { .scheduler = &executor.scheduler,
                                        .total = &total };
    (void)argument;
    open_executor(&executor);
    pthread_t thread = start_thread(spawn_many, &spawning);
    while (probe_read(&spawning.spawned) < 500)
        executor_print_tasks(&executor);
    pthread_join(thread, NULL);
    close_executor(&executor);
}

static void a_dump_runs_beside_spawns(void **state)
{
    (void)state;
    int status = run_in_child(executor_tasks_are_printed_beside_spawns, NULL, NULL, 0);
    assert_int_equal(status, 0); /* TSan's own is another */
}

/* ---- no memory */

static void failing_allocations_are_answered(void **state)
{
    (void)state;
    const char *const calls[] = { "malloc", "calloc", "mmap" };
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        long failed = 0;
        for (long n = 1; fault_sweep(n, calls[i], ENOMEM); n++) {
            struct executor own;
            struct steps count = steps(3, NULL);
            struct task_handle handle = { NULL };
            int err = executor_init(&own, NULL);
            if (err == 0)
                err = executor_block_on(&own, &count.future, &handle);
            bool ran = err == 0 && TASK_OUTPUT(&handle, steps)->result == 30;
            task_detach(&handle);
            int end = executor_finish(&own);
            assert_true(ran || err == -ENOMEM);
            assert_int_equal(end, 0);
            failed += err < 0;
        }
        assert_int_equal(failed, i == 0 ? 0 : 1); /* a task costs no malloc */
    }
}

static void run_twice(void *argument)
{
    (void)argument;
    open_executor(&executor);
    task_home_enter(executor.home);
    executor_run(&executor);
}

static void two_runs_at_once_are_a_bug(void **state)
{
    (void)state;
    assert_dies(run_twice, NULL, "two threads run the same executor at once");
}

/* ---- yield, as a future: it is never pending twice, and wakes itself */

static struct waker_probe yield_probes[2];
static struct waker yield_wakers[2];

static void open_yield(void *world)
{
    (void)world;
    for (int i = 0; i < 2; i++) {
        yield_probes[i] = (struct waker_probe){ 0 };
        yield_wakers[i] = probe_waker(&yield_probes[i]);
    }
}

static void make_yield(void *world, void *storage)
{
    struct yield yield = yield_now();
    (void)world;
    memcpy(storage, &yield, sizeof yield);
}

static struct context yield_context(void *world, unsigned which)
{
    (void)world;
    return (struct context){ &yield_wakers[which], CONTEXT_BUDGET };
}

static unsigned long yield_wakes(void *world, unsigned which)
{
    (void)world;
    return (unsigned long)probe_read(&yield_probes[which].wakes);
}

static int64_t yield_result(void *world, const void *storage)
{
    (void)world;
    return ((const struct yield *)storage)->result;
}

static struct future_subject a_yield = {
    .name = "yield",
    .size = sizeof(struct yield),
    .setup = open_yield,
    .make = make_yield,
    .context = yield_context,
    .wakes = yield_wakes,
    .result = yield_result,
    .finished = 0,
    .cancelled = -ECANCELED,
    .ready_at_once = true, /* the second poll, asked for or not, finds it READY */
};

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(W10_a_task_that_nobody_will_wake_is_named),
        cmocka_unit_test(finish_names_what_ignores_the_cancel),
        cmocka_unit_test(two_runs_at_once_are_a_bug),
        cmocka_unit_test(a_dump_runs_beside_spawns),
        FUTURE_CONTRACT(a_yield),
        FUTURE_CONTRACT_WAKES(a_yield),
        SCHEDULER_CONTRACT(an_executor),
        TEST(nothing_to_do_returns_at_once),
        cmocka_unit_test(finish_accepts_null_and_zeroed),
        TEST(run_for_ends_although_nobody_wakes),
        TEST(run_for_ends_although_tasks_never_rest),
        TEST(run_until_leaves_the_others),
        TEST(block_on_is_a_local_task),
        TEST(calls_are_answered_also_in_sleep),
        cmocka_unit_test(busy_tasks_give_the_parker_its_turns),
        cmocka_unit_test(S9_long_polls_give_the_parker_more_turns),
        cmocka_unit_test(the_pace_follows_the_length_of_polls),
        cmocka_unit_test(an_error_of_the_parker_ends_the_run),
        TEST(S12_a_spawn_that_the_stop_did_not_see_is_cancelled_all_the_same),
        TEST(a_spawn_that_fails_after_it_was_counted_is_not_waited_for),
        TEST(W10_tasks_that_can_run_or_be_woken_are_no_deadlock),
        TEST(W10_the_last_waker_is_dropped_elsewhere),
        TEST(W10_a_sleeping_executor_notices_that_the_last_waker_is_gone),
        TEST(W10_what_is_in_the_inbox_is_looked_at_before_the_verdict),
        cmocka_unit_test(failing_allocations_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
