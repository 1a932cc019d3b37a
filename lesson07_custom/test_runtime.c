/* The runtime in every cell of its matrix: making it, running on it, its lanes, hooks,
 * clock and counters. Its end is in test_runtime_stop.c. */
#include "lesson07_custom/runtime_testing.h"

#include <sched.h>

/* ---- config */

static void S10_absurd_configs_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const struct {
        struct runtime_config config;
        const char *words;
    } rows[] = {
        { { .workers = -1 }, "negative" },
        { { .workers = 2 }, "exactly one worker" },
        { { .scheduler = RUNTIME_STEAL, .workers = 1000000 }, "48 workers" },
        { { .scheduler = RUNTIME_CORE, .workers = 1000000 }, "1,024 workers" },
        { { .scheduler = (enum runtime_scheduler)7 }, "scheduler" },
        { { .driver = (enum runtime_driver)9 }, "driver" },
        { { .sqpoll = true, .driver = RUNTIME_EPOLL }, "sqpoll" },
        { { .scheduler = RUNTIME_STEAL, .spin_before_park_ns = 1 }, "spin" },
        { { .ring_entries = 100000 }, "32,768" },
        { { .blocking_threads = 100000 }, "blocking threads" },
        { { .scheduler = RUNTIME_STEAL, .queue_capacity = 3 }, "queue" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct runtime *runtime = NULL;
        const char *problem = runtime_config_problem(&rows[i].config);
        if (!problem || !strstr(problem, rows[i].words))
            fail_msg("row %zu: \"%s\"", i, problem ? problem : "no problem");
        assert_int_equal(runtime_create(&runtime, &rows[i].config), -EINVAL);
    }
    assert_null(runtime_config_problem(&(struct runtime_config){ 0 }));
}

static void every_cell_can_be_made_and_unmade(void **state)
{
    NEEDS_DRIVER(state);
    int before = open_fds();
    for (int i = 0; i < 6; i++) {
        struct runtime_config config = cell_config(*state, i % 3);
        if (i >= 3)
            config.workers = 0; /* as many as CPUs */
        struct runtime *runtime = open_runtime(&config);
        assert_null(runtime_driver_reason(runtime));
        assert_string_equal(runtime_driver_name(runtime),
                            config.driver == RUNTIME_URING ? "io_uring" : "epoll");
        assert_true(runtime_workers(runtime) >= 1);
        assert_int_equal(runtime_lanes(runtime),
                         i % 3 == RUNTIME_CORE ? runtime_workers(runtime) : 1);
        runtime_destroy(runtime);
        assert_int_equal(open_fds(), before);
    }
    runtime_destroy(NULL);
}

/* ---- run */

struct ending {
    ASYNC_FRAME;
    bool panics;
    int value; /* output */
};

static enum poll_state ending_poll(struct future *future, struct context *context)
{
    struct ending *self = ASYNC_SELF(ending, future);
    ASYNC_BEGIN(self, context);
    if (self->panics)
        task_panic("on purpose");
    self->value = 42;
    ASYNC_END;
}

static const struct future_ops ending_ops = ASYNC_OPS(ending);

static struct ending ending(bool panics)
{
    return (struct ending){ .future = { &ending_ops }, .panics = panics };
}

struct canceller {
    ASYNC_FRAME;
    struct task_handle handle;
    struct task_join join;
    int spawned;
    enum join_status status; /* output: of a child that was cancelled */
};

static enum poll_state canceller_poll(struct future *future, struct context *context)
{
    struct canceller *self = ASYNC_SELF(canceller, future);
    ASYNC_BEGIN(self, context);
    self->spawned =
        SPAWN_HERE(&self->handle, napper(UINT64_C(3600) * NS_PER_S, NULL, NULL));
    if (self->spawned == 0) {
        task_cancel(&self->handle);
        AWAIT(self->join, task_join(&self->handle));
        self->status = self->join.status;
        task_detach(&self->handle);
    }
    ASYNC_END;
}

static const struct future_ops canceller_ops = ASYNC_OPS(canceller);

static void run_returns_output_panic_and_cancel(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        struct runtime_config config = cell_config(*state, i);
        struct runtime *runtime = open_runtime(&config);
        struct task_handle handle = { 0 };
        assert_int_equal(RUN(runtime, &handle, ending(false)), 0);
        assert_int_equal(TASK_OUTPUT(&handle, ending)->value, 42);
        task_detach(&handle);
        assert_int_equal(RUN(runtime, &handle, ending(true)), 0);
        assert_int_equal(task_status(&handle), JOIN_PANICKED);
        assert_non_null(strstr(task_panic_text(&handle), "on purpose"));
        task_detach(&handle);
        struct canceller root = { .future = { &canceller_ops } };
        assert_int_equal(runtime_run(runtime, &root.future, &handle), 0);
        assert_int_equal(TASK_OUTPUT(&handle, canceller)->status, JOIN_CANCELLED);
        task_detach(&handle);
        assert_int_equal(runtime_stop(runtime, 0), 0);
        assert_int_equal(RUN(runtime, &handle, ending(false)), -ESHUTDOWN);
        runtime_destroy(runtime);
    }
}

/* ---- lanes */

#define LANES 3

struct spreader {
    ASYNC_FRAME;
    struct task_handle handles[LANES];
    struct task_join join;
    int i;
    int errors;            /* output: spawns that failed */
    int beyond;            /* output: of a spawn on a lane that is not there */
    unsigned lanes[LANES]; /* output: where they ran */
};

static enum poll_state spreader_poll(struct future *future, struct context *context)
{
    struct spreader *self = ASYNC_SELF(spreader, future);
    ASYNC_BEGIN(self, context);
    self->beyond = SPAWN_ON(runtime_here(), runtime_lanes(runtime_here()), NULL,
                            napper(0, NULL, NULL));
    for (self->i = 0; self->i < LANES; self->i++)
        self->errors +=
            SPAWN_ON(runtime_here(), (unsigned)self->i % runtime_lanes(runtime_here()),
                     &self->handles[self->i], napper(NS_PER_MS, NULL, NULL)) < 0;
    for (self->i = 0; self->i < LANES; self->i++) {
        AWAIT(self->join, task_join(&self->handles[self->i])); /* woken across lanes */
        self->lanes[self->i] = TASK_OUTPUT(&self->handles[self->i], napper)->lane;
        task_detach(&self->handles[self->i]);
    }
    ASYNC_END;
}

static const struct future_ops spreader_ops = ASYNC_OPS(spreader);

static void tasks_run_where_they_were_spawned(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        struct runtime_config config = cell_config(*state, i);
        config.workers = i == RUNTIME_CURRENT ? 1 : LANES;
        struct runtime *runtime = open_runtime(&config);
        struct task_handle handle = { 0 };
        struct spreader root = { .future = { &spreader_ops } };
        assert_int_equal(runtime_run(runtime, &root.future, &handle), 0);
        struct spreader *done = TASK_OUTPUT(&handle, spreader);
        assert_int_equal(done->errors, 0);
        assert_int_equal(done->beyond, -EINVAL);
        for (unsigned k = 0; k < LANES; k++)
            assert_int_equal(done->lanes[k], k % runtime_lanes(runtime));
        task_detach(&handle);
        runtime_destroy(runtime);
    }
}

static void a_thread_outside_spawns_on_every_lane(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        struct runtime_config config = cell_config(*state, i);
        struct runtime *runtime = open_runtime(&config);
        struct task_handle handle = { 0 };
        counter woken = 0;
        for (unsigned lane = 0; lane < runtime_lanes(runtime); lane++)
            for (int k = 0; k < 10; k++)
                assert_int_equal(
                    SPAWN_ON(runtime, lane, NULL, napper(NS_PER_MS, &woken, NULL)), 0);
        assert_int_equal(RUN(runtime, &handle, napper(2 * NS_PER_MS, &woken, NULL)), 0);
        task_detach(&handle);
        assert_int_equal(runtime_stop(runtime, 60 * NS_PER_S), 0); /* lets all end */
        assert_int_equal(count_of(&woken), 10 * runtime_lanes(runtime) + 1);
        runtime_destroy(runtime);
    }
}

/* ---- threads */

struct hooked {
    counter started, stopped;
    counter pinned;
};

static void on_start(unsigned worker, void *argument)
{
    struct hooked *hooked = argument;
    cpu_set_t set;
    (void)worker;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1)
        count_up(&hooked->pinned);
    count_up(&hooked->started); /* last: the test waits for it */
}

static void on_stop(unsigned worker, void *argument)
{
    (void)worker;
    count_up(&((struct hooked *)argument)->stopped);
}

static void hooks_run_on_each_thread_and_pins_hold(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = RUNTIME_STEAL; i <= RUNTIME_CORE; i++) {
        struct hooked hooked = { .started = 0 };
        struct runtime_config config = cell_config(*state, i);
        config.pin = true;
        config.name = "a rather long name";
        config.on_thread_start = on_start;
        config.on_thread_stop = on_stop;
        config.hook_argument = &hooked;
        struct runtime *runtime = open_runtime(&config);
        WAIT_UNTIL(count_of(&hooked.started) == 2);
        assert_int_equal(count_of(&hooked.pinned), 2);
        assert_int_equal(count_of(&hooked.stopped), 0);
        runtime_destroy(runtime);
        assert_int_equal(count_of(&hooked.stopped), 2);
    }
}

static void a_worker_may_look_round_before_it_sleeps(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i += 2) { /* current and core */
        struct runtime_config config = cell_config(*state, i);
        config.spin_before_park_ns = 200 * NS_PER_US;
        struct runtime *runtime = open_runtime(&config);
        struct task_handle handle = { 0 };
        struct runtime_metrics metrics;
        assert_int_equal(RUN(runtime, &handle, napper(5 * NS_PER_MS, NULL, NULL)), 0);
        task_detach(&handle);
        runtime_metrics(runtime, &metrics);
        assert_true(metrics.polls > 0);
        runtime_destroy(runtime);
    }
}

/* ---- time */

#define HOUR (UINT64_C(3600) * NS_PER_S)

/* Naps of its own on every lane; time must be right on each at each waking. */
struct traveller {
    ASYNC_FRAME;
    struct task_handle handles[LANES];
    struct task_join join;
    int i, errors;
    uint64_t woke[LANES]; /* output */
};

static enum poll_state traveller_poll(struct future *future, struct context *context)
{
    struct traveller *self = ASYNC_SELF(traveller, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < LANES; self->i++)
        self->errors +=
            SPAWN_ON(runtime_here(), (unsigned)self->i % runtime_lanes(runtime_here()),
                     &self->handles[self->i],
                     napper(HOUR * (uint64_t)(LANES - self->i), NULL, NULL)) < 0;
    for (self->i = 0; self->i < LANES; self->i++) {
        AWAIT(self->join, task_join(&self->handles[self->i]));
        self->woke[self->i] = TASK_OUTPUT(&self->handles[self->i], napper)->woke_at;
        task_detach(&self->handles[self->i]);
    }
    ASYNC_END;
}

static const struct future_ops traveller_ops = ASYNC_OPS(traveller);

static void T2_hours_pass_at_once_and_exactly(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        struct virtual_clock clock;
        struct runtime_config config = cell_config(*state, i);
        config.workers = i == RUNTIME_CURRENT ? 1 : LANES;
        config.clock = &clock;
        virtual_clock_init(&clock, 77);
        struct runtime *runtime = open_runtime(&config);
        for (int again = 0; again < 3; again++) {
            struct task_handle handle = { 0 };
            struct traveller root = { .future = { &traveller_ops } };
            uint64_t start = 77 + HOUR * LANES * (uint64_t)again;
            assert_int_equal(runtime_run(runtime, &root.future, &handle), 0);
            struct traveller *done = TASK_OUTPUT(&handle, traveller);
            assert_int_equal(done->errors, 0);
            for (uint64_t k = 0; k < LANES; k++)
                if (done->woke[k] != start + HOUR * (LANES - k))
                    fail_msg("cell %d, nap %d: woken at %llu", i, (int)k,
                             (unsigned long long)(done->woke[k] - start));
            task_detach(&handle);
        }
        runtime_destroy(runtime);
        assert_int_equal(atomic_load_explicit(&clock.holds, memory_order_relaxed), 0);
    }
}

/* A blocking job is somebody who may still cause something: time waits for it. */
struct impatient {
    ASYNC_FRAME;
    struct blocking_borrow job;
    struct timeout limit;
    uint64_t before, after; /* output */
};

static int64_t block_for_a_moment(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20; i++)
        testing_pause();
    return 7;
}

static enum poll_state impatient_poll(struct future *future, struct context *context)
{
    struct impatient *self = ASYNC_SELF(impatient, future);
    ASYNC_BEGIN(self, context);
    self->before = timers_current_time();
    self->job = blocking_borrow(runtime_offload_here(), block_for_a_moment, NULL);
    AWAIT(self->limit, timeout(&self->job.future, HOUR));
    self->after = timers_current_time();
    ASYNC_END;
}

static const struct future_ops impatient_ops = ASYNC_OPS(impatient);

static void a_blocking_call_holds_time_and_is_counted(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        struct virtual_clock clock;
        struct runtime_config config = cell_config(*state, i);
        struct task_handle handle = { 0 };
        struct runtime_metrics metrics;
        struct impatient root = { .future = { &impatient_ops } };
        config.clock = &clock;
        virtual_clock_init(&clock, 0);
        struct runtime *runtime = open_runtime(&config);
        assert_int_equal(runtime_run(runtime, &root.future, &handle), 0);
        struct impatient *done = TASK_OUTPUT(&handle, impatient);
        assert_false(done->limit.expired);
        assert_int_equal(done->job.result, 7);
        assert_true(done->after == done->before);
        task_detach(&handle);
        assert_int_equal(runtime_stop(runtime, 0), 0);
        runtime_metrics(runtime, &metrics);
        assert_int_equal(metrics.blocking_run, 1);
        assert_true(metrics.polls > 0 && metrics.parks > 0);
        runtime_destroy(runtime);
        assert_int_equal(atomic_load_explicit(&clock.holds, memory_order_relaxed), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S10_absurd_configs_are_refused_with_a_sentence),
        ON_BOTH_DRIVERS(every_cell_can_be_made_and_unmade),
        ON_BOTH_DRIVERS(run_returns_output_panic_and_cancel),
        ON_BOTH_DRIVERS(tasks_run_where_they_were_spawned),
        ON_BOTH_DRIVERS(a_thread_outside_spawns_on_every_lane),
        ON_BOTH_DRIVERS(hooks_run_on_each_thread_and_pins_hold),
        ON_BOTH_DRIVERS(a_worker_may_look_round_before_it_sleeps),
        ON_BOTH_DRIVERS(T2_hours_pass_at_once_and_exactly),
        ON_BOTH_DRIVERS(a_blocking_call_holds_time_and_is_counted),
    };
    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
