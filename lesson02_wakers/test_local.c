/* LOCAL tasks: what other threads may do to their wakers and handles, in every order
 * with the end of the task and of the executor. */
#include "lesson02_wakers/task_testing.h"

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

/* A LOCAL task that waits for the event, polled once. */
static struct task_handle waiting_task(struct executor *on, struct event *event)
{
    struct task_handle handle = { NULL };
    struct wait_for wait = wait_for(event);
    assert_int_equal(spawn_on(on, SPAWN_LOCAL, &wait.future, &handle), 0);
    run_what_can_run(on);
    return handle;
}

static int32_t home_count(const struct task_handle *handle)
{
    uint32_t word = atomic_load_explicit(&handle->task->state, memory_order_relaxed);
    return (int32_t)word >> 10; /* TASK_WAKER is 1 << 10 */
}

/* ---- who may spawn one */

static void *spawn_elsewhere(void *argument)
{
    struct steps count = steps(1, NULL);
    *(int *)argument =
        task_spawn(&executor.scheduler, &count.future, SPAWN_LOCAL, NULL);
    return NULL;
}

static void spawning_from_another_thread_is_refused(void **state)
{
    (void)state;
    int err = 0;
    on_a_thread(spawn_elsewhere, &err);
    assert_int_equal(err, -EPERM);
    spawn_elsewhere(&err); /* this thread runs no executor either */
    assert_int_equal(err, -EPERM);
    struct executor other;
    open_executor(&other);
    struct task_home *before = task_home_enter(other.home);
    spawn_elsewhere(&err); /* and this one runs another one */
    task_home_leave(other.home, before);
    assert_int_equal(err, -EPERM);
    close_executor(&other);
    assert_int_equal(executor_run(&executor), 0);
}

/* ---- wakers elsewhere */

static void *wake_it(void *waker)
{
    waker_wake(waker);
    return NULL;
}

static void *drop_it(void *waker)
{
    waker_drop(waker);
    return NULL;
}

static void *wake_by_ref_it(void *waker)
{
    waker_wake_by_ref(waker);
    return NULL;
}

struct pair {
    struct waker from;
    struct waker to;
};

static void *clone_it(void *argument)
{
    struct pair *pair = argument;
    pair->to = waker_clone(&pair->from);
    return NULL;
}

static void a_wake_from_another_thread_polls_it(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    struct waker copy = waker_clone(&event.cell.waker);
    on_a_thread(wake_by_ref_it, &copy);
    on_a_thread(wake_by_ref_it, &copy);
    run_what_can_run(&executor);
    assert_int_equal(probe_read(&event.polls), 2);
    on_a_thread(wake_it, &copy);
    run_what_can_run(&executor);
    assert_int_equal(probe_read(&event.polls), 3);
    on_a_thread(set_event, &event);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(TASK_OUTPUT(&handle, wait_for)->result, 0);
    task_detach(&handle);
}

/* Cloned at home, dropped elsewhere: the other half of the count is below zero. */
static void the_remote_count_goes_below_zero(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    struct task_home *before = task_home_enter(executor.home);
    struct waker copies[3];
    for (int i = 0; i < 3; i++)
        copies[i] = waker_clone(&event.cell.waker);
    task_home_leave(executor.home, before);
    assert_int_equal(home_count(&handle), 4);
    for (int i = 0; i < 3; i++)
        on_a_thread(drop_it, &copies[i]);
    assert_int_equal(home_count(&handle), 4); /* home does not know yet */
    run_what_can_run(&executor);
    assert_int_equal(home_count(&handle), 1);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    task_detach(&handle);
}

/* Cloned elsewhere, dropped at home: now home's half is below zero, and another clone
 * at home is no overflow. */
static void the_home_count_goes_below_zero(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    struct pair pairs[3];
    for (int i = 0; i < 3; i++) {
        pairs[i].from = event.cell.waker; /* borrowed */
        on_a_thread(clone_it, &pairs[i]);
    }
    struct task_home *before = task_home_enter(executor.home);
    for (int i = 0; i < 3; i++)
        waker_drop(&pairs[i].to);
    assert_int_equal(home_count(&handle), -2);
    struct waker copy = waker_clone(&event.cell.waker);
    waker_drop(&copy);
    task_home_leave(executor.home, before);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(task_status(&handle), JOIN_OK);
    task_detach(&handle);
}

static void the_last_drop_of_a_done_task_is_elsewhere(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    struct waker copy = waker_clone(&event.cell.waker);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    task_detach(&handle);
    on_a_thread(drop_it, &copy); /* the home frees it when it collects its mail */
    assert_int_equal(executor_run(&executor), 0);
}

static void W4_a_wake_from_elsewhere_after_completion(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    struct waker copy = waker_clone(&event.cell.waker);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    uint64_t polls = executor.polls;
    on_a_thread(wake_by_ref_it, &copy);
    assert_int_equal(executor_run(&executor), 0);
    task_detach(&handle);
    on_a_thread(wake_it, &copy);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(executor.polls, polls);
}

/* ---- W5: the home is closed first */

static void W5_a_waker_is_used_after_the_home_was_closed(void **state)
{
    (void)state;
    void *(*const uses[])(void *) = { drop_it, wake_it };
    for (size_t use = 0; use < ARRAY_SIZE(uses); use++) {
        for (int order = 0; order < 4; order++) {
            struct executor shortlived;
            struct event event = { 0 };
            open_executor(&shortlived);
            struct task_handle handle = waiting_task(&shortlived, &event);
            struct pair pair = { .from = waker_clone(&event.cell.waker) };
            on_a_thread(clone_it, &pair);
            if (order & 1)
                on_a_thread(uses[use], &pair.to); /* in the mail when it is closed */
            close_executor(&shortlived);
            if (order & 2)
                task_detach(&handle); /* the handle before the last waker */
            on_a_thread(wake_by_ref_it, &pair.from);
            on_a_thread(uses[use], &pair.to);
            on_a_thread(uses[use], &pair.from);
            task_detach(&handle);
        }
    }
}

static void *drop_handle(void *handle)
{
    task_detach(handle);
    return NULL;
}

static void a_handle_is_given_up_elsewhere_after_the_executor_ended(void **state)
{
    (void)state;
    struct executor shortlived;
    struct event event = { .set = true };
    open_executor(&shortlived);
    struct task_handle first = waiting_task(&shortlived, &event);
    struct task_handle second = waiting_task(&shortlived, &event);
    assert_int_equal(executor_run(&shortlived), 0);
    on_a_thread(drop_handle, &first); /* nobody is home, but it is not closed */
    close_executor(&shortlived);
    on_a_thread(drop_handle, &second);
    assert_int_equal(probe_read(&event.held), 0);
}

static void a_handle_is_given_up_while_nobody_is_home(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    on_a_thread(drop_handle, &handle); /* the task goes on */
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(probe_read(&event.held), 0);
}

/* ---- W10: both halves are looked at */

static void W10_a_waker_that_only_another_thread_holds_counts(void **state)
{
    (void)state;
    struct event event = { 0 };
    struct task_handle handle = waiting_task(&executor, &event);
    struct pair pair = { .from = event.cell.waker };
    on_a_thread(clone_it, &pair);
    struct waker first = waker_cell_take(&event.cell);
    struct task_home *before = task_home_enter(executor.home);
    waker_drop(&first);
    task_home_leave(executor.home, before);
    assert_int_equal(executor_run_for(&executor, NS_PER_MS), -ETIMEDOUT);
    pthread_t thread = start_thread(wake_it, &pair.to);
    assert_int_equal(executor_run_for(&executor, NS_PER_MS), -ETIMEDOUT);
    pthread_join(thread, NULL);
    event_set(&event);
    assert_int_equal(executor_run(&executor), 0);
    task_detach(&handle);
}

/* ---- misuse */

struct tells {
    ASYNC_FRAME;
    pthread_t *thread;
    void *(*body)(void *);
    struct task_handle *handle;
};

/* Runs body on a thread while the home thread is home. */
static enum poll_state tells_poll(struct future *future, struct context *context)
{
    struct tells *self = ASYNC_SELF(tells, future);
    ASYNC_BEGIN(self, context);
    pthread_create(self->thread, NULL, self->body, self->handle);
    pthread_join(*self->thread, NULL);
    ASYNC_END;
}

static const struct future_ops tells_ops = ASYNC_OPS(tells);

static void *cancel_handle(void *handle)
{
    task_cancel(handle);
    return NULL;
}

static void *join_handle(void *handle)
{
    struct task_join join = task_join(handle);
    block_on(&join.future);
    return NULL;
}

static void misuse(void *body)
{
    struct event event = { 0 };
    pthread_t thread;
    open_executor(&executor);
    struct task_handle handle = waiting_task(&executor, &event);
    struct tells tells = { .future = { &tells_ops },
                           .thread = &thread,
                           .body = *(void *(**)(void *))body,
                           .handle = &handle };
    spawn_on(&executor, SPAWN_LOCAL, &tells.future, NULL);
    executor_run(&executor);
}

static void a_local_handle_on_another_thread_is_a_bug(void **state)
{
    (void)state;
    void *(*body)(void *) = cancel_handle;
    assert_dies(misuse, &body, "cancelled from another thread");
    body = drop_handle;
    assert_dies(misuse, &body, "given up on another thread");
    body = join_handle;
    assert_dies(misuse, &body, "joined on another thread");
}

/* ---- with threads that do all of it at once */

struct stir {
    struct waker waker;
    _Atomic bool *stop;
};

static void *stir_wakers(void *argument)
{
    struct stir *stir = argument;
    struct waker bag[8] = { 0 };
    for (unsigned i = 0; !atomic_load_explicit(stir->stop, memory_order_relaxed); i++) {
        struct waker *slot = &bag[i * 2654435761u >> 29];
        if (i % 3 == 0)
            waker_wake(slot);
        else
            waker_drop(slot);
        *slot = waker_clone(&stir->waker);
        if (i % 16 == 0)
            sched_yield();
    }
    for (size_t i = 0; i < ARRAY_SIZE(bag); i++)
        waker_drop(&bag[i]);
    waker_drop(&stir->waker);
    return NULL;
}

static void wakers_are_stirred_by_threads_while_the_task_runs(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct event event = { 0 };
        _Atomic bool stop = false;
        struct task_handle handle = waiting_task(&executor, &event);
        struct stir stirs[2];
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            stirs[i] = (struct stir){ waker_clone(&event.cell.waker), &stop };
            threads[i] = start_thread(stir_wakers, &stirs[i]);
        }
        for (int i = 0; i < 50; i++)
            run_what_can_run(&executor);
        event_set(&event);
        assert_int_equal(executor_run(&executor), 0);
        task_detach(&handle); /* while they still hold wakers */
        run_what_can_run(&executor);
        atomic_store_explicit(&stop, true, memory_order_relaxed);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- notes */

/* In its first poll its wakers make a journey: two are cloned elsewhere, one of them is
 * used up there, the other and the first come home and are dropped. Then home's half of
 * the count is -1, the other half 1, and a wake is on its way. */
struct traveller {
    struct future future;
    struct waker first, second; /* own */
    int polls;
};

static void *clone_and_wake(void *argument)
{
    struct traveller *self = argument;
    struct waker used = waker_clone(&self->first);
    waker_wake(&used);
    self->second = waker_clone(&self->first);
    return NULL;
}

static void note_stalled(struct executor *self, void *argument)
{
    *(uint64_t *)argument = self->stalled;
}

static enum poll_state traveller_poll(struct future *future, struct context *context)
{
    struct traveller *self = container_of(future, struct traveller, future);
    if (self->polls++ > 0)
        return POLL_READY;
    self->first = waker_clone(context->waker);
    on_a_thread(clone_and_wake, self);
    waker_drop(&self->first);
    waker_drop(&self->second);
    executor_call(&executor); /* looks after the pause, before the next poll */
    return POLL_PENDING;
}

static void traveller_cancel(struct future *future)
{
    (void)future;
}

static const struct future_ops traveller_ops = { .name = "traveller",
                                                 .size = sizeof(struct traveller),
                                                 .poll = traveller_poll,
                                                 .cancel = traveller_cancel };

static void W10_a_wake_on_its_way_is_no_stall(void **state)
{
    (void)state;
    struct traveller traveller = { .future = { &traveller_ops } };
    struct task_handle handle = { NULL };
    uint64_t stalled = UINT64_MAX;
    executor.on_call = note_stalled;
    executor.on_call_argument = &stalled;
    assert_int_equal(spawn_on(&executor, SPAWN_LOCAL, &traveller.future, &handle), 0);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(stalled, 0);
    assert_true(task_is_done(&handle));
    assert_int_equal(TASK_OUTPUT(&handle, traveller)->polls, 2);
    task_detach(&handle);
}

/* ---- the output, seen from elsewhere */

static void *run_it(void *argument)
{
    return executor_run(argument) == 0 ? NULL : argument;
}

static void another_thread_may_look_at_a_done_task(void **state)
{
    (void)state;
    struct steps count = steps(5, NULL);
    struct task_handle handle = { NULL };
    void *failed;
    assert_int_equal(spawn_on(&executor, SPAWN_LOCAL, &count.future, &handle), 0);
    pthread_t thread = start_thread(run_it, &executor);
    WAIT_UNTIL(task_is_done(&handle));
    assert_int_equal(TASK_OUTPUT(&handle, steps)->result, 50); /* TSan looks, too */
    assert_int_equal(task_status(&handle), JOIN_OK);
    pthread_join(thread, &failed);
    assert_null(failed);
    task_detach(&handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_handle_on_another_thread_is_a_bug),
        TEST(spawning_from_another_thread_is_refused),
        TEST(a_wake_from_another_thread_polls_it),
        TEST(the_remote_count_goes_below_zero),
        TEST(the_home_count_goes_below_zero),
        TEST(the_last_drop_of_a_done_task_is_elsewhere),
        TEST(W4_a_wake_from_elsewhere_after_completion),
        cmocka_unit_test(W5_a_waker_is_used_after_the_home_was_closed),
        cmocka_unit_test(a_handle_is_given_up_elsewhere_after_the_executor_ended),
        TEST(a_handle_is_given_up_while_nobody_is_home),
        TEST(W10_a_waker_that_only_another_thread_holds_counts),
        TEST(W10_a_wake_on_its_way_is_no_stall),
        TEST(another_thread_may_look_at_a_done_task),
        TEST(wakers_are_stirred_by_threads_while_the_task_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
