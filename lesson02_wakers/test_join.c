/* Join: the three ends told apart, one owner of the joiner's waker at every instant, and
 * the contract of every future. */
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/task_testing.h"

#include "lesson01_futures/combine.h"
#include "lesson02_wakers/block_on.h"

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

/* An async function that joins the task of a handle. */
struct joiner {
    ASYNC_FRAME;
    struct task_handle *handle;
    struct task_join join;
    enum join_status status;
    const char *panic;
    int result;
};

static enum poll_state joiner_poll(struct future *future, struct context *context)
{
    struct joiner *self = ASYNC_SELF(joiner, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->join, task_join(self->handle));
    self->status = self->join.status;
    self->panic = self->join.panic;
    self->result = self->join.result;
    ASYNC_END;
}

static const struct future_ops joiner_ops = ASYNC_OPS(joiner);

static struct joiner joiner(struct task_handle *handle)
{
    return (struct joiner){ .future = { &joiner_ops }, .handle = handle };
}

struct panics {
    ASYNC_FRAME;
    struct yield yield;
};

static enum poll_state panics_poll(struct future *future, struct context *context)
{
    struct panics *self = ASYNC_SELF(panics, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->yield, yield_now());
    task_panic("the answer is %d", 42);
    ASYNC_END;
}

static const struct future_ops panics_ops = ASYNC_OPS(panics);

static void for_both(void (*body)(unsigned flags))
{
    body(SPAWN_SHARED);
    body(SPAWN_LOCAL);
}

static void join_task(unsigned flags, struct future *future, bool cancel,
                      enum join_status expected, const char *panic)
{
    struct task_handle task = { NULL }, waiter = { NULL };
    struct joiner join = joiner(&task);
    assert_int_equal(spawn_on(&executor, flags, future, &task), 0);
    assert_int_equal(task_status(&task), JOIN_WAITING);
    assert_int_equal(spawn_on(&executor, flags, &join.future, &waiter), 0);
    if (cancel) {
        run_what_can_run(&executor);
        task_cancel(&task);
    }
    assert_int_equal(executor_run(&executor), 0);
    struct joiner *done = TASK_OUTPUT(&waiter, joiner);
    assert_int_equal(done->status, expected);
    assert_int_equal(done->result, 0);
    if (panic)
        assert_string_equal(done->panic, panic);
    else
        assert_null(done->panic);
    task_detach(&task);
    task_detach(&waiter);
}

static void three_ends(unsigned flags)
{
    struct event event = { 0 };
    struct steps count = steps(3, NULL);
    struct wait_for wait = wait_for(&event);
    struct panics panics = { .future = { &panics_ops } };
    join_task(flags, &count.future, false, JOIN_OK, NULL);
    join_task(flags, &wait.future, true, JOIN_CANCELLED, NULL);
    join_task(flags, &panics.future, false, JOIN_PANICKED, "the answer is 42");
}

static void returned_cancelled_and_panicked_are_told_apart(void **state)
{
    (void)state;
    for_both(three_ends);
}

static void a_join_of_a_finished_task_is_ready_at_once(void **state)
{
    (void)state;
    struct task_handle task = { NULL };
    struct waker_probe probe = { 0 };
    struct steps count = steps(0, NULL);
    assert_int_equal(spawn_on(&executor, 0, &count.future, &task), 0);
    assert_int_equal(executor_run(&executor), 0);
    struct task_join join = task_join(&task);
    assert_int_equal(probe_poll(&probe, &join.future), POLL_READY);
    assert_int_equal(join.status, JOIN_OK);
    struct task_join again = task_join(&task);
    assert_int_equal(probe_poll(&probe, &again.future), POLL_READY);
    assert_int_equal(probe_read(&probe.clones), 0);
    task_detach(&task);
}

static void a_cancelled_join_leaves_the_task_alone(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle task = { NULL }, waiter = { NULL };
    struct wait_for wait = wait_for(&event);
    struct joiner join = joiner(&task);
    assert_int_equal(spawn_on(&executor, 0, &wait.future, &task), 0);
    assert_int_equal(spawn_on(&executor, 0, &join.future, &waiter), 0);
    run_what_can_run(&executor);
    task_cancel(&waiter);
    run_what_can_run(&executor);
    assert_int_equal(TASK_OUTPUT(&waiter, joiner)->result, -ECANCELED);
    assert_int_equal(TASK_OUTPUT(&waiter, joiner)->status, JOIN_WAITING);
    assert_int_equal(task_status(&task), JOIN_WAITING);
    task_detach(&waiter);
    assert_int_equal(spawn_on(&executor, 0, &join.future, &waiter), 0);
    event_set(&event); /* and another join gets it */
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(TASK_OUTPUT(&waiter, joiner)->status, JOIN_OK);
    task_detach(&waiter);
    task_detach(&task);
}

static void join_twice(void *argument)
{
    struct event event = { 0 };
    struct task_handle task = { NULL };
    struct wait_for wait = wait_for(&event);
    (void)argument;
    open_executor(&executor);
    spawn_on(&executor, 0, &wait.future, &task);
    struct joiner a = joiner(&task), b = joiner(&task);
    spawn_on(&executor, 0, &a.future, NULL);
    spawn_on(&executor, 0, &b.future, NULL);
    executor_run(&executor);
}

static void join_nothing(void *argument)
{
    struct task_handle none = { NULL };
    struct task_join join = task_join(&none);
    (void)argument;
    block_on(&join.future);
}

static void misuse_is_a_bug(void **state)
{
    (void)state;
    assert_dies(join_twice, NULL, "two joins wait for task 'wait_for'");
    assert_dies(join_nothing, NULL, "a join on an empty handle");
}

/* ---- the contract: a join of a task that waits for an event */

static struct world {
    struct event event;
    struct task_handle task;
    struct waker_probe probes[2];
    struct waker wakers[2];
    struct task_home *before;
    unsigned flags;
} world;

static void open_world(void *argument)
{
    struct world *self = argument;
    unsigned flags = self->flags;
    *self = (struct world){ .flags = flags };
    for (int i = 0; i < 2; i++)
        self->wakers[i] = probe_waker(&self->probes[i]);
    struct wait_for wait = wait_for(&self->event);
    open_executor(&executor);
    assert_int_equal(spawn_on(&executor, flags, &wait.future, &self->task), 0);
    run_what_can_run(&executor);
    self->before = task_home_enter(executor.home);
}

static void open_shared(void *argument)
{
    ((struct world *)argument)->flags = SPAWN_SHARED;
    open_world(argument);
}

static void open_local(void *argument)
{
    ((struct world *)argument)->flags = SPAWN_LOCAL;
    open_world(argument);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    task_detach(&self->task);
    task_home_leave(executor.home, self->before);
    close_executor(&executor);
    for (int i = 0; i < 2; i++)
        assert_int_equal(probe_read(&self->probes[i].live), 0);
}

static void make_join(void *argument, void *storage)
{
    struct world *self = argument;
    struct task_join join = task_join(&self->task);
    memcpy(storage, &join, sizeof join);
}

static void finish_task(void *argument, void *storage)
{
    (void)storage;
    event_set(&((struct world *)argument)->event);
}

static void run_executor(void *argument)
{
    struct world *self = argument;
    task_home_leave(executor.home, self->before);
    run_what_can_run(&executor);
    self->before = task_home_enter(executor.home);
}

static struct context context_of(void *argument, unsigned which)
{
    struct world *self = argument;
    return (struct context){ &self->wakers[which], CONTEXT_BUDGET };
}

static unsigned long wakes_of(void *argument, unsigned which)
{
    struct world *self = argument;
    return (unsigned long)probe_read(&self->probes[which].wakes);
}

static int64_t result_of(void *argument, const void *storage)
{
    (void)argument;
    const struct task_join *join = storage;
    return join->result < 0 ? join->result : (int64_t)join->status;
}

#define JOIN_SUBJECT(opener, what)                                                     \
    {                                                                                  \
        .name = what, .size = sizeof(struct task_join), .world = &world,               \
        .setup = opener, .teardown = close_world, .make = make_join,                   \
        .let_finish = finish_task, .turn = run_executor, .context = context_of,        \
        .wakes = wakes_of, .result = result_of, .finished = JOIN_OK,                   \
        .cancelled = -ECANCELED,                                                       \
    }

static struct future_subject a_join = JOIN_SUBJECT(open_shared, "join of a task");
static struct future_subject a_local_join =
    JOIN_SUBJECT(open_local, "join of a LOCAL task");

/* ---- W8: with the task on another thread */

struct runs {
    struct executor executor;
    _Atomic bool stop;
};

static void *run_until_stopped(void *argument)
{
    struct runs *runs = argument;
    while (!atomic_load_explicit(&runs->stop, memory_order_relaxed))
        executor_run_for(&runs->executor, NS_PER_MS);
    return NULL;
}

/* The joiner registers, renews with another waker, cancels, comes again, while the task
 * completes on its thread: TSan and valgrind look at who touches the waker. */
static void W8_join_against_complete(void **state)
{
    (void)state;
    static struct runs runs;
    struct waker_probe probes[2] = { 0 };
    open_executor(&runs.executor);
    atomic_store_explicit(&runs.stop, false, memory_order_relaxed);
    pthread_t thread = start_thread(run_until_stopped, &runs);
    int ok = 0;
    const int rounds = 1000;
    for (int round = 0; round < rounds; round++) {
        struct steps count = steps(round % 4, NULL);
        struct task_handle task = { NULL };
        assert_int_equal(task_spawn(&runs.executor.scheduler, &count.future, 0, &task),
                         0);
        struct task_join *join =
            malloc(sizeof *join); /* freed the moment it is READY */
        assert_non_null(join);
        *join = task_join(&task);
        for (unsigned poll = 0;; poll++) {
            if (round % 5 == 4 && poll == 1)
                future_cancel(&join->future);
            if (probe_poll(&probes[poll % 2], &join->future) == POLL_READY)
                break;
        }
        ok += join->status == JOIN_OK || join->result == -ECANCELED;
        free(join);
        task_detach(&task);
    }
    atomic_store_explicit(&runs.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    close_executor(&runs.executor);
    assert_int_equal(ok, rounds);
    assert_int_equal(probe_read(&probes[0].live) + probe_read(&probes[1].live), 0);
}

static void W8_a_thread_that_sleeps_is_woken_by_every_end(void **state)
{
    (void)state;
    static struct runs runs;
    open_executor(&runs.executor);
    atomic_store_explicit(&runs.stop, false, memory_order_relaxed);
    pthread_t thread = start_thread(run_until_stopped, &runs);
    for (int round = 0; round < 300; round++) {
        struct steps count = steps(round % 3, NULL);
        struct task_handle task = { NULL };
        assert_int_equal(task_spawn(&runs.executor.scheduler, &count.future, 0, &task),
                         0);
        if (round % 7 == 0)
            task_cancel(&task);
        struct task_join join = task_join(&task);
        assert_int_equal(block_on(&join.future), 0);
        assert_true(join.status == JOIN_OK || join.status == JOIN_CANCELLED);
        task_detach(&task);
    }
    atomic_store_explicit(&runs.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    close_executor(&runs.executor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(returned_cancelled_and_panicked_are_told_apart),
        TEST(a_join_of_a_finished_task_is_ready_at_once),
        TEST(a_cancelled_join_leaves_the_task_alone),
        cmocka_unit_test(misuse_is_a_bug),
        FUTURE_CONTRACT(a_join),
        FUTURE_CONTRACT_WAKES(a_join),
        FUTURE_CONTRACT(a_local_join),
        FUTURE_CONTRACT_WAKES(a_local_join),
        cmocka_unit_test(W8_join_against_complete),
        cmocka_unit_test(W8_a_thread_that_sleeps_is_woken_by_every_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
