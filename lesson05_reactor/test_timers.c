/* Sleeps: exact in virtual time, and never starved in real time. */
#include "lesson05_reactor/timers_testing.h"

#include <pthread.h>

#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/executor.h"

#define HOUR (3600 * NS_PER_S)

/* ---- a wheel and a clock, nothing else */

static struct timers_world bare;

static void open_bare(void *world)
{
    memset(world, 0, sizeof bare);
    open_timers_world(world, 5 * HOUR);
}

static void make_sleep(void *world, void *storage)
{
    (void)world;
    *(struct sleep *)storage = sleep_ms(10);
}

static void let_time_pass(void *world, void *storage)
{
    struct timers_world *self = world;
    (void)storage;
    atomic_fetch_add_explicit(&self->clock.now, 10 * NS_PER_MS, memory_order_relaxed);
}

static int64_t sleep_result(void *world, const void *storage)
{
    (void)world;
    return ((const struct sleep *)storage)->result;
}

/* let_finish runs before the first poll in some cases, so the clock moves on each turn. */
static void pass_and_fire(void *world)
{
    struct timers_world *self = world;
    if (atomic_load_explicit(&self->clock.now, memory_order_relaxed) > 5 * HOUR)
        let_time_pass(world, NULL);
    timers_world_fire(world);
}

static struct future_subject a_sleep = {
    .name = "sleep",
    .size = sizeof(struct sleep),
    .world = &bare,
    .setup = open_bare,
    .teardown = close_timers_world,
    .make = make_sleep,
    .let_finish = let_time_pass,
    .turn = pass_and_fire,
    .context = timers_world_context,
    .wakes = timers_world_wakes,
    .result = sleep_result,
    .cancelled = -ECANCELED,
};

static enum poll_state poll_bare(struct future *future)
{
    struct context context = timers_world_context(&bare, 0);
    return future_poll(future, &context);
}

static void T1_no_deadline_is_the_sentinel(void **state)
{
    (void)state;
    open_bare(&bare);
    const uint64_t delays[] = { UINT64_C(1) << 36, (UINT64_C(1) << 36) + 1,
                                (UINT64_C(1) << 36) - 1, UINT64_MAX - 1, UINT64_MAX };
    for (unsigned i = 0; i < ARRAY_SIZE(delays); i++) {
        struct sleep nap = sleep_ns(delays[i]), until = sleep_until(delays[i]);
        struct sleep ms = sleep_ms(delays[i]);
        assert_int_equal(poll_bare(&nap.future), POLL_PENDING);
        assert_int_equal(poll_bare(&ms.future), POLL_PENDING);
        bool past = delays[i] <= 5 * HOUR;
        assert_int_equal(poll_bare(&until.future), POLL_PENDING);
        timers_fire(&bare.timers);
        if (past) {
            assert_int_equal(poll_bare(&until.future), POLL_READY);
        } else {
            future_cancel(&until.future);
            assert_int_equal(poll_bare(&until.future), POLL_READY);
            assert_int_equal(until.result, -ECANCELED);
        }
        future_cancel(&nap.future);
        assert_int_equal(poll_bare(&nap.future), POLL_READY);
        assert_int_equal(nap.result, -ECANCELED);
        future_cancel(&ms.future);
        assert_int_equal(poll_bare(&ms.future), POLL_READY);
    }
    struct sleep none = sleep_ns(0);
    assert_int_equal(poll_bare(&none.future), POLL_PENDING);
    timers_fire(&bare.timers);
    assert_int_equal(poll_bare(&none.future), POLL_READY);
    close_timers_world(&bare);
}

static void an_interval_does_not_drift_and_skips_what_it_missed(void **state)
{
    (void)state;
    open_bare(&bare);
    struct interval interval = { .period = 10 * NS_PER_MS };
    uint64_t start = timers_now(&bare.timers);
    assert_true(interval_tick(&interval).when == start);
    assert_true(interval_tick(&interval).when == start + 10 * NS_PER_MS);
    bare.clock.now = start + 13 * NS_PER_MS;
    assert_true(interval_tick(&interval).when == start + 20 * NS_PER_MS);
    bare.clock.now = start + 57 * NS_PER_MS; /* three were missed */
    assert_true(interval_tick(&interval).when == start + 60 * NS_PER_MS);
    close_timers_world(&bare);
}

/* Virtual time may well begin at 0, which is a time like any other. */
static void an_interval_may_begin_at_zero(void **state)
{
    (void)state;
    open_bare(&bare);
    struct interval interval = { .period = 10 };
    bare.clock.now = 0;
    assert_true(interval_tick(&interval).when == 0);
    assert_true(interval_tick(&interval).when == 10);
    assert_true(interval_tick(&interval).when == 20);
    close_timers_world(&bare);
}

static void more_than_a_batch_is_due(void **state)
{
    (void)state;
    static struct sleep naps[200];
    open_bare(&bare);
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++) {
        naps[i] = sleep_ns(1 + i % 7);
        assert_int_equal(poll_bare(&naps[i].future), POLL_PENDING);
    }
    bare.clock.now += 7;
    assert_int_equal(timers_fire(&bare.timers), ARRAY_SIZE(naps));
    for (unsigned i = 0; i < ARRAY_SIZE(naps); i++)
        assert_int_equal(poll_bare(&naps[i].future), POLL_READY);
    close_timers_world(&bare);
}

static void finish_bare(void *argument)
{
    timers_finish(argument);
}

static void timers_that_are_pending_are_not_freed(void **state)
{
    (void)state;
    open_bare(&bare);
    struct sleep nap = sleep_ms(1);
    assert_int_equal(poll_bare(&nap.future), POLL_PENDING);
    assert_dies(finish_bare, &bare.timers, "a sleep is still pending");
    future_cancel(&nap.future);
    assert_int_equal(poll_bare(&nap.future), POLL_READY);
    close_timers_world(&bare);
}

/* ---- with a parker: virtual time */

static struct driver_subject subjects[] = {
    { .name = "epoll", .open = open_reactor, .close = close_reactor },
    { .name = "epoll", .open = open_reactor, .close = close_reactor, .shared = true },
    { .name = "io_uring", .open = open_ring_driver, .close = close_ring_driver },
    { .name = "io_uring",
      .open = open_ring_driver,
      .close = close_ring_driver,
      .shared = true },
};

struct nap_task {
    ASYNC_FRAME;
    uint64_t delay;
    int times;
    uint64_t *woke; /* borrows: where each wake's time goes */
    struct sleep sleep;
};

static enum poll_state nap_task_poll(struct future *future, struct context *context)
{
    struct nap_task *self = ASYNC_SELF(nap_task, future);
    ASYNC_BEGIN(self, context);
    while (self->times-- > 0) {
        AWAIT(self->sleep, sleep_ns(self->delay));
        *self->woke++ = timers_current_time();
    }
    ASYNC_END;
}

static const struct future_ops nap_task_ops = ASYNC_OPS(nap_task);

static struct nap_task nap_task(uint64_t delay, int times, uint64_t *woke)
{
    return (struct nap_task){
        .future = { &nap_task_ops }, .delay = delay, .times = times, .woke = woke
    };
}

/* An hour passes in no time, and to the nanosecond. */
static void T2_virtual_time_is_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        struct virtual_clock clock;
        struct driver_world w = { .clock = &clock };
        struct executor executor;
        uint64_t slow[3] = { 0 }, quick[5] = { 0 };
        virtual_clock_init(&clock, 7);
        if (!open_world(&w, &subjects[i]))
            continue;
        assert_int_equal(executor_init(&executor, w.parker), 0);
        SPAWN(&executor.scheduler, NULL, nap_task(HOUR, 3, slow));
        SPAWN(&executor.scheduler, NULL, nap_task(HOUR / 2 + 1, 5, quick));
        assert_int_equal(executor_run(&executor), 0);
        for (uint64_t k = 0; k < 3; k++)
            assert_true(slow[k] == 7 + (k + 1) * HOUR);
        for (uint64_t k = 0; k < 5; k++)
            assert_true(quick[k] == 7 + (k + 1) * (HOUR / 2 + 1));
        assert_int_equal(executor_finish(&executor), 0);
        close_world(&w);
    }
}

static void *release_later(void *clock)
{
    testing_pause();
    virtual_clock_release(clock);
    return NULL;
}

static void held_time_stands_still(void **state)
{
    (void)state;
    struct virtual_clock clock;
    struct driver_world w = { .clock = &clock };
    pthread_t thread;
    virtual_clock_init(&clock, 0);
    assert_true(open_world(&w, &subjects[1]));
    struct sleep nap = sleep_ns(HOUR);
    virtual_clock_hold(&clock);
    assert_int_equal(poll_in(&w, &nap.future), POLL_PENDING);
    turn_for(&w, NS_PER_MS);
    assert_true(timers_now(w.timers) == 0);
    assert_int_equal(pthread_create(&thread, NULL, release_later, &clock), 0);
    while (poll_in(&w, &nap.future) == POLL_PENDING)
        turn_for(&w, PARK_FOREVER); /* the release unparks us */
    assert_true(timers_now(w.timers) == HOUR);
    pthread_join(thread, NULL);
    close_world(&w);
}

/* What has happened outside comes before what would happen next. */
static void time_jumps_only_when_nothing_came(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        struct virtual_clock clock;
        struct driver_world w = { .clock = &clock };
        int peer;
        char got[4];
        virtual_clock_init(&clock, 0);
        if (!open_world(&w, &subjects[i]))
            continue;
        struct io_source *source = half_pair(&peer);
        struct io_op op = io_recv(source, got, sizeof got);
        start_pending(&w, &op);
        struct sleep nap = sleep_ns(HOUR);
        assert_int_equal(poll_in(&w, &nap.future), POLL_PENDING);
        write_raw(peer, "now", 3);
        while (poll_in(&w, &op.future) == POLL_PENDING)
            turn_for(&w, PARK_FOREVER);
        assert_true(timers_now(w.timers) == 0);
        while (poll_in(&w, &nap.future) == POLL_PENDING)
            turn_for(&w, PARK_FOREVER);
        assert_true(timers_now(w.timers) == HOUR);
        close(peer);
        close_source_in(&w, source);
        close_world(&w);
    }
}

/* ---- real time */

static void T3_a_very_short_sleep_ends(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        struct driver_world w = { 0 };
        if (!open_world(&w, &subjects[i]))
            continue;
        struct sleep far = sleep_ns(1000 * HOUR);
        assert_int_equal(poll_in(&w, &far.future), POLL_PENDING);
        for (int k = 0; k < 20; k++) {
            struct sleep nap = sleep_ns(NS_PER_US);
            drive(&w, &nap.future);
            assert_int_equal(nap.result, 0);
        }
        future_cancel(&far.future);
        drive(&w, &far.future);
        close_world(&w);
    }
}

struct busy_task {
    ASYNC_FRAME;
    const bool *stop; /* borrows */
    struct io_source *ends[2];
    struct io_op op;
    char byte;
};

static enum poll_state busy_task_poll(struct future *future, struct context *context)
{
    struct busy_task *self = ASYNC_SELF(busy_task, future);
    ASYNC_BEGIN(self, context);
    while (!*self->stop) {
        AWAIT(self->op, io_send(self->ends[0], "x", 1));
        AWAIT(self->op, io_recv(self->ends[1], &self->byte, 1));
    }
    ASYNC_END;
}

static const struct future_ops busy_task_ops = ASYNC_OPS(busy_task);

struct alarm_task {
    ASYNC_FRAME;
    bool *rang; /* borrows */
    struct sleep sleep;
};

static enum poll_state alarm_task_poll(struct future *future, struct context *context)
{
    struct alarm_task *self = ASYNC_SELF(alarm_task, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->sleep, sleep_ms(10));
    *self->rang = true;
    ASYNC_END;
}

static const struct future_ops alarm_task_ops = ASYNC_OPS(alarm_task);

/* The executor never runs out of tasks, so it never sleeps; the timer fires all the same. */
static void S8_an_always_ready_source_starves_no_timer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        struct driver_world w = { 0 };
        struct executor executor;
        struct busy_task busy = { .future = { &busy_task_ops } };
        bool rang = false;
        if (!open_world(&w, &subjects[i]))
            continue;
        assert_int_equal(executor_init(&executor, w.parker), 0);
        whole_pair(busy.ends);
        busy.stop = &rang;
        assert_int_equal(task_spawn(&executor.scheduler, &busy.future, 0, NULL), 0);
        SPAWN(&executor.scheduler, NULL,
              ((struct alarm_task){ .future = { &alarm_task_ops }, .rang = &rang }));
        int err = executor_run_for(&executor, TEST_PATIENCE_S * NS_PER_S);
        bool in_time = rang;
        rang = true;
        assert_int_equal(executor_finish(&executor), 0);
        assert_int_equal(err, 0);
        assert_true(in_time);
        close_source_in(&w, busy.ends[0]);
        close_source_in(&w, busy.ends[1]);
        close_world(&w);
    }
}

/* For a deadline that is far away the clock of ticks is read: never a sleep that is too
 * long for it, and a few ticks too short. */
static void a_far_deadline_is_slept_for_by_the_tick(void **state)
{
    (void)state;
    struct timers timers = { 0 };
    struct io_stats stats = { 0 };
    struct io_services services = { .timers = &timers, .stats = &stats };
    const struct io_services *before = io_services_enter(&services);
    assert_int_equal(timers_init(&timers, false, NULL, NULL), 0);
    const uint64_t delays[] = { HOUR, NS_PER_S, NS_PER_MS };
    for (unsigned i = 0; i < ARRAY_SIZE(delays); i++) {
        uint64_t start = clock_now();
        struct sleep nap = sleep_until(start + delays[i]);
        struct context context = { NULL, CONTEXT_BUDGET };
        assert_int_equal(future_poll(&nap.future, &context), POLL_PENDING);
        assert_int_equal(timers_fire(&timers), 0);
        uint64_t first = clock_now();
        int64_t sleep = timers_sleep_for(&timers, PARK_FOREVER);
        uint64_t last = clock_now();
        assert_in_range(first + (uint64_t)sleep, 0, start + delays[i]);
        assert_true(last + (uint64_t)sleep + 8 * clock_tick() >= start + delays[i]);
        future_cancel(&nap.future);
        assert_int_equal(future_poll(&nap.future, &context), POLL_READY);
    }
    assert_int_equal(timers_sleep_for(&timers, PARK_FOREVER), PARK_FOREVER);
    uint64_t first = clock_now(), about = timers_about_now(), last = clock_now();
    assert_true(about >= first && about <= last + 2 * clock_tick());
    timers_finish(&timers);
    io_services_leave(before);
}

/* A deadline that another thread inserts wakes the one that sleeps for a later one. */
struct sleeper {
    struct driver_world *world;
    _Atomic bool stop;
};

static void *park_until_stopped(void *argument)
{
    struct sleeper *self = argument;
    const struct io_services *before = io_services_enter(&self->world->services);
    while (!atomic_load_explicit(&self->stop, memory_order_acquire))
        parker_park(self->world->parker, PARK_FOREVER);
    io_services_leave(before);
    return NULL;
}

static struct waker flag_clone(void *flag);

static void flag_wake(void *flag)
{
    atomic_store_explicit((_Atomic bool *)flag, true, memory_order_release);
}

static void flag_drop(void *flag)
{
    (void)flag;
}

static const struct waker_ops flag_ops = { flag_clone, flag_wake, flag_wake,
                                           flag_drop };

static struct waker flag_clone(void *flag)
{
    return (struct waker){ &flag_ops, flag };
}

static void an_earlier_deadline_wakes_the_sleeper(void **state)
{
    (void)state;
    for (unsigned i = 1; i < ARRAY_SIZE(subjects); i += 2) {
        struct driver_world w = { 0 };
        pthread_t thread;
        if (!open_world(&w, &subjects[i]))
            continue;
        struct sleeper sleeper = { .world = &w };
        assert_int_equal(pthread_create(&thread, NULL, park_until_stopped, &sleeper),
                         0);
        for (int k = 0; k < 50; k++) {
            _Atomic bool woken = false;
            struct waker waker = flag_clone(&woken);
            struct context context = { &waker, CONTEXT_BUDGET };
            struct sleep nap = sleep_ns(k % 3 * 100 * NS_PER_US);
            if (future_poll(&nap.future, &context) == POLL_READY)
                continue;
            WAIT_UNTIL(atomic_load_explicit(&woken, memory_order_acquire));
            assert_int_equal(future_poll(&nap.future, &context), POLL_READY);
        }
        atomic_store_explicit(&sleeper.stop, true, memory_order_release);
        parker_unpark(w.parker);
        pthread_join(thread, NULL);
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_sleep),
        FUTURE_CONTRACT_WAKES(a_sleep),
        cmocka_unit_test(T1_no_deadline_is_the_sentinel),
        cmocka_unit_test(an_interval_does_not_drift_and_skips_what_it_missed),
        cmocka_unit_test(an_interval_may_begin_at_zero),
        cmocka_unit_test(more_than_a_batch_is_due),
        cmocka_unit_test(timers_that_are_pending_are_not_freed),
        cmocka_unit_test(T2_virtual_time_is_exact),
        cmocka_unit_test(held_time_stands_still),
        cmocka_unit_test(time_jumps_only_when_nothing_came),
        cmocka_unit_test(T3_a_very_short_sleep_ends),
        cmocka_unit_test(S8_an_always_ready_source_starves_no_timer),
        cmocka_unit_test(a_far_deadline_is_slept_for_by_the_tick),
        cmocka_unit_test(an_earlier_deadline_wakes_the_sleeper),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
