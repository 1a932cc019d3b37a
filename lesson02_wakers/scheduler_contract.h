/* scheduler_contract: what everything that runs tasks must do, as a list of tests.
 *
 *     static struct scheduler_subject a_pool = {
 *         .name = "pool",
 *         .world = &world,      // given back to each function below
 *         .open = open_pool,    // a fresh scheduler that runs, or is run by turn
 *         .turn = NULL,         // runs what can run; NULL: it has threads of its own
 *         .stop = stop_pool,    // refuses spawns and cancels every task; all of them
 *                               // are DONE when it returns
 *         .close = close_pool,  // after stop; checks that nothing is left
 *     };
 *     const struct CMUnitTest tests[] = { SCHEDULER_CONTRACT(a_pool) };
 *
 * Tasks are SHARED: they are spawned, cancelled and joined from the test's main thread,
 * which is not one of the scheduler's. */
#ifndef LESSON02_SCHEDULER_CONTRACT_H
#define LESSON02_SCHEDULER_CONTRACT_H

#include "lesson02_wakers/task_testing.h"

struct scheduler_subject {
    const char *name;
    void *world; /* borrows */
    struct scheduler *(*open)(void *world);
    void (*turn)(void *world);
    void (*stop)(void *world);
    void (*close)(void *world);
};

static inline void scheduler_turn(const struct scheduler_subject *subject)
{
    if (subject->turn)
        subject->turn(subject->world);
}

#define SCHEDULER_WAIT(subject, condition)                                             \
    WAIT_UNTIL((scheduler_turn(subject), (condition)))

static inline void scheduler_end(const struct scheduler_subject *subject)
{
    subject->stop(subject->world);
    subject->close(subject->world);
}

static inline void a_task_spawned_from_outside_runs(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    struct task_handle handle = { NULL };
    assert_int_equal(SPAWN(scheduler, &handle, steps(3, NULL)), 0);
    SCHEDULER_WAIT(subject, task_is_done(&handle));
    assert_int_equal(TASK_OUTPUT(&handle, steps)->result, 30);
    assert_int_equal(task_status(&handle), JOIN_OK);
    task_detach(&handle);
    scheduler_end(subject);
}

/* Spawns n tasks and joins each. */
struct fan {
    ASYNC_FRAME;
    struct scheduler *scheduler;
    int n;
    _Atomic long *total;
    struct task_handle handles[50];
    int i;
    int failed;
    struct task_join join;
};

static inline enum poll_state fan_poll(struct future *future, struct context *context)
{
    struct fan *self = ASYNC_SELF(fan, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->n; self->i++)
        self->failed += SPAWN(self->scheduler, &self->handles[self->i],
                              steps(self->i % 5, self->total)) < 0;
    for (self->i = 0; self->i < self->n; self->i++) {
        AWAIT(self->join, task_join(&self->handles[self->i]));
        self->failed += self->join.status != JOIN_OK;
        task_detach(&self->handles[self->i]);
    }
    ASYNC_END;
}

static const struct future_ops fan_ops = ASYNC_OPS(fan);

static inline void tasks_spawn_and_join_tasks(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    _Atomic long total = 0;
    struct task_handle handles[4] = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
        struct fan fan = {
            .future = { &fan_ops }, .scheduler = scheduler, .n = 50, .total = &total
        };
        assert_int_equal(task_spawn(scheduler, &fan.future, 0, &handles[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
        SCHEDULER_WAIT(subject, task_is_done(&handles[i]));
        assert_int_equal(TASK_OUTPUT(&handles[i], fan)->failed, 0);
        task_detach(&handles[i]);
    }
    assert_int_equal(probe_read(&total), 4 * 10 * (0 + 1 + 2 + 3 + 4));
    scheduler_end(subject);
}

static inline void W1_a_thread_wakes_a_scheduler_that_sleeps(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    for (int round = 0; round < 100; round++) {
        struct event event = { 0 };
        struct task_handle handle = { NULL };
        assert_int_equal(SPAWN(scheduler, &handle, wait_for(&event)), 0);
        if (round % 2)
            SCHEDULER_WAIT(subject, probe_read(&event.polls) > 0);
        pthread_t thread = start_thread(set_event, &event);
        SCHEDULER_WAIT(subject, task_is_done(&handle));
        pthread_join(thread, NULL);
        assert_int_equal(TASK_OUTPUT(&handle, wait_for)->result, 0);
        task_detach(&handle);
        assert_int_equal(probe_read(&event.held), 0);
    }
    scheduler_end(subject);
}

static inline void a_cancel_from_outside_ends_a_waiting_task(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    struct event event = { 0 };
    struct task_handle handle = { NULL };
    assert_int_equal(SPAWN(scheduler, &handle, wait_for(&event)), 0);
    SCHEDULER_WAIT(subject, probe_read(&event.polls) > 0);
    task_cancel(&handle);
    SCHEDULER_WAIT(subject, task_is_done(&handle));
    assert_int_equal(task_status(&handle), JOIN_CANCELLED);
    assert_int_equal(TASK_OUTPUT(&handle, wait_for)->result, -ECANCELED);
    task_detach(&handle);
    scheduler_end(subject);
}

struct panicker {
    ASYNC_FRAME;
    struct yield yield;
};

static inline enum poll_state panicker_poll(struct future *future,
                                            struct context *context)
{
    struct panicker *self = ASYNC_SELF(panicker, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->yield, yield_now());
    task_panic("for the contract");
    ASYNC_END;
}

static const struct future_ops panicker_ops = ASYNC_OPS(panicker);

static inline void a_panic_ends_its_task_only(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    struct panicker panicker = { .future = { &panicker_ops } };
    struct task_handle bad = { NULL }, good = { NULL };
    assert_int_equal(task_spawn(scheduler, &panicker.future, 0, &bad), 0);
    assert_int_equal(SPAWN(scheduler, &good, steps(100, NULL)), 0);
    SCHEDULER_WAIT(subject, task_is_done(&bad) && task_is_done(&good));
    assert_int_equal(task_status(&bad), JOIN_PANICKED);
    assert_string_equal(task_panic_text(&bad), "for the contract");
    assert_int_equal(task_status(&good), JOIN_OK);
    task_detach(&bad);
    task_detach(&good);
    scheduler_end(subject);
}

static inline void detached_tasks_go_on(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    _Atomic long total = 0;
    for (int i = 0; i < 100; i++) {
        struct task_handle handle = { NULL };
        assert_int_equal(SPAWN(scheduler, i % 2 ? &handle : NULL, steps(10, &total)),
                         0);
        task_detach(&handle);
    }
    SCHEDULER_WAIT(subject, probe_read(&total) == 1000);
    scheduler_end(subject);
}

struct spawning_thread {
    struct scheduler *scheduler;
    _Atomic long *total;
    _Atomic long refused;
    _Atomic long spawned;
};

static inline void *spawn_many(void *argument)
{
    struct spawning_thread *self = argument;
    for (int i = 0; i < 500; i++) {
        int err = SPAWN(self->scheduler, NULL, steps(1, self->total));
        probe_count(err == 0 ? &self->spawned : &self->refused, 1);
    }
    return NULL;
}

static inline void threads_spawn_while_it_runs(void **state)
{
    const struct scheduler_subject *subject = *state;
    _Atomic long total = 0;
    struct spawning_thread spawning = { .scheduler = subject->open(subject->world),
                                        .total = &total };
    pthread_t threads[3];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        threads[i] = start_thread(spawn_many, &spawning);
    SCHEDULER_WAIT(subject, probe_read(&total) == 1500);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(probe_read(&spawning.refused), 0);
    scheduler_end(subject);
}

/* Each spawn runs to its end or is refused; none is leaked. */
static inline void S12_threads_spawn_while_it_stops(void **state)
{
    const struct scheduler_subject *subject = *state;
    _Atomic long total = 0;
    struct spawning_thread spawning = { .scheduler = subject->open(subject->world),
                                        .total = &total };
    pthread_t threads[3];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        threads[i] = start_thread(spawn_many, &spawning);
    SCHEDULER_WAIT(subject, probe_read(&total) > 10);
    subject->stop(subject->world);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(probe_read(&spawning.refused) + probe_read(&spawning.spawned),
                     1500);
    assert_int_equal(probe_read(&total), probe_read(&spawning.spawned));
    subject->close(subject->world);
}

/* lasting: waits until it is cancelled. It keeps a waker, so nobody finds it stalled. */
struct lasting {
    struct future future;
    _Atomic long *ended; /* borrows */
    struct waker waker;  /* owns */
    bool cancelled;
};

static inline enum poll_state lasting_poll(struct future *future,
                                           struct context *context)
{
    struct lasting *self = container_of(future, struct lasting, future);
    if (!self->cancelled) {
        waker_drop(&self->waker);
        self->waker = waker_clone(context->waker);
        return POLL_PENDING;
    }
    waker_drop(&self->waker);
    probe_count(self->ended, 1);
    return POLL_READY;
}

static inline void lasting_cancel(struct future *future)
{
    container_of(future, struct lasting, future)->cancelled = true;
}

static inline struct lasting lasting(_Atomic long *ended)
{
    static const struct future_ops ops = { .name = "lasting",
                                           .size = FUTURE_SIZE(struct lasting),
                                           .poll = lasting_poll,
                                           .cancel = lasting_cancel };
    return (struct lasting){ .future = { &ops }, .ended = ended };
}

static inline void *spawn_lasting(void *argument)
{
    struct spawning_thread *self = argument;
    for (int i = 0; i < 500; i++) {
        int err = SPAWN(self->scheduler, NULL, lasting(self->total));
        probe_count(err == 0 ? &self->spawned : &self->refused, 1);
    }
    return NULL;
}

/* A spawn that was let in must not slip past the cancelling and wait for ever. */
static inline void S12_tasks_that_wait_are_spawned_while_it_stops(void **state)
{
    const struct scheduler_subject *subject = *state;
    for (int round = 0; round < 5; round++) {
        _Atomic long ended = 0;
        struct spawning_thread spawning = { .scheduler = subject->open(subject->world),
                                            .total = &ended };
        pthread_t threads[3];
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
            threads[i] = start_thread(spawn_lasting, &spawning);
        SCHEDULER_WAIT(subject, probe_read(&spawning.spawned) > 50);
        subject->stop(subject->world);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(probe_read(&ended), probe_read(&spawning.spawned));
        subject->close(subject->world);
    }
}

static inline void a_stop_cancels_what_waits_and_refuses_what_comes(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    struct event events[20] = { 0 };
    struct task_handle handles[20] = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        assert_int_equal(SPAWN(scheduler, &handles[i], wait_for(&events[i])), 0);
    SCHEDULER_WAIT(subject, probe_read(&events[19].polls) > 0);
    subject->stop(subject->world);
    assert_int_equal(SPAWN(scheduler, NULL, steps(1, NULL)), -ESHUTDOWN);
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        assert_int_equal(task_status(&handles[i]), JOIN_CANCELLED);
    subject->close(subject->world);
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        task_detach(&handles[i]); /* W5: they outlive it */
}

/* Two that yield all the time, and one behind them. */
static inline void S7_yielding_tasks_starve_nobody(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct scheduler *scheduler = subject->open(subject->world);
    _Atomic long total = 0;
    struct task_handle busy[2] = { 0 }, third = { NULL };
    for (int i = 0; i < 2; i++)
        assert_int_equal(SPAWN(scheduler, &busy[i], steps(INT32_MAX, &total)), 0);
    SCHEDULER_WAIT(subject, probe_read(&total) > 10);
    assert_int_equal(SPAWN(scheduler, &third, steps(5, NULL)), 0);
    SCHEDULER_WAIT(subject, task_is_done(&third));
    assert_false(task_is_done(&busy[0]));
    for (int i = 0; i < 2; i++) {
        task_cancel(&busy[i]);
        task_detach(&busy[i]);
    }
    task_detach(&third);
    scheduler_end(subject);
}

#define SCHEDULER_CASE(case_name, subject)                                             \
    {                                                                                  \
#case_name ": " #subject, case_name, NULL, NULL, &(subject)                    \
    }

#define SCHEDULER_CONTRACT(subject)                                                    \
    SCHEDULER_CASE(a_task_spawned_from_outside_runs, subject),                         \
        SCHEDULER_CASE(tasks_spawn_and_join_tasks, subject),                           \
        SCHEDULER_CASE(a_cancel_from_outside_ends_a_waiting_task, subject),            \
        SCHEDULER_CASE(a_panic_ends_its_task_only, subject),                           \
        SCHEDULER_CASE(detached_tasks_go_on, subject),                                 \
        SCHEDULER_CASE(a_stop_cancels_what_waits_and_refuses_what_comes, subject),     \
        SCHEDULER_CASE(S7_yielding_tasks_starve_nobody, subject),                      \
        SCHEDULER_CASE(W1_a_thread_wakes_a_scheduler_that_sleeps, subject),            \
        SCHEDULER_CASE(threads_spawn_while_it_runs, subject),                          \
        SCHEDULER_CASE(S12_threads_spawn_while_it_stops, subject),                     \
        SCHEDULER_CASE(S12_tasks_that_wait_are_spawned_while_it_stops, subject)

#endif
