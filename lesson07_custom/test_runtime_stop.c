/* How the runtime ends, in every cell: the three phases, stragglers, spawns that come in
 * between, allocations and system calls that fail; and what a dump shows meanwhile. */
#include "lesson07_custom/runtime_testing.h"

#include <signal.h>
#include <unistd.h>

#include "common/testing/faults.h"

#define HOUR (UINT64_C(3600) * NS_PER_S)

/* ---- the phases */

static void spawn_on_all_lanes(struct runtime *runtime, uint64_t delay, counter *woken,
                               counter *cancelled)
{
    for (unsigned lane = 0; lane < runtime_lanes(runtime); lane++)
        if (SPAWN_ON(runtime, lane, NULL, napper(delay, woken, cancelled)) < 0)
            fail_msg("a spawn failed");
}

static void phase_1_waits_and_phase_2_cancels(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        counter woken = 0, cancelled = 0;
        struct runtime_config config = cell_config(*state, i);
        struct runtime *runtime = open_runtime(&config);
        int lanes = (int)runtime_lanes(runtime);
        spawn_on_all_lanes(runtime, 20 * NS_PER_MS, &woken, &cancelled);
        assert_int_equal(runtime_stop(runtime, 60 * NS_PER_S), 0);
        assert_int_equal(count_of(&woken), lanes);
        assert_int_equal(runtime_stop(runtime, 0), 0); /* again: nothing to do */
        assert_true(runtime_is_stopping(runtime));
        runtime_destroy(runtime);
        runtime = open_runtime(&config);
        spawn_on_all_lanes(runtime, HOUR, &woken, &cancelled);
        assert_int_equal(runtime_stop(runtime, NS_PER_MS), 0);
        assert_int_equal(count_of(&cancelled), lanes);
        assert_int_equal(count_of(&woken), lanes);
        assert_int_equal(SPAWN_ON(runtime, 0, NULL, napper(0, NULL, NULL)), -ESHUTDOWN);
        runtime_destroy(runtime);
    }
}

/* Sends work from lane to lane, each piece after a nap. */
struct relay {
    ASYNC_FRAME;
    int left;
    counter *ended, *cancelled; /* borrows */
    struct sleep nap;
};

static const struct future_ops relay_ops;

static enum poll_state relay_poll(struct future *future, struct context *context)
{
    struct relay *self = ASYNC_SELF(relay, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->nap, sleep_ms(10));
    if (self->nap.result < 0)
        count_up(self->cancelled);
    if (self->left > 0 &&
        SPAWN_ON(runtime_here(),
                 (runtime_lane_here() + 1) % runtime_lanes(runtime_here()), NULL,
                 ((struct relay){ .future = { &relay_ops },
                                  .left = self->left - 1,
                                  .ended = self->ended,
                                  .cancelled = self->cancelled })) < 0)
        count_up(self->cancelled);
    count_up(self->ended);
    ASYNC_END;
}

static const struct future_ops relay_ops = ASYNC_OPS(relay);

static void phase_1_waits_for_work_that_lanes_send_each_other(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        counter ended = 0, cancelled = 0;
        struct runtime_config config = cell_config(*state, i);
        struct runtime *runtime = open_runtime(&config);
        assert_int_equal(SPAWN_ON(runtime, 0, NULL,
                                  ((struct relay){ .future = { &relay_ops },
                                                   .left = 5,
                                                   .ended = &ended,
                                                   .cancelled = &cancelled })),
                         0);
        assert_int_equal(runtime_stop(runtime, 60 * NS_PER_S), 0);
        assert_int_equal(count_of(&ended), 6);
        assert_int_equal(count_of(&cancelled), 0);
        runtime_destroy(runtime);
    }
}

/* ---- those that do not end */

/* Waits for ever, and does not listen. */
struct deaf {
    struct future future;
    struct waker waker;
};

static enum poll_state deaf_poll(struct future *future, struct context *context)
{
    struct deaf *self = container_of(future, struct deaf, future);
    waker_store(&self->waker, context);
    return POLL_PENDING;
}

static void deaf_cancel(struct future *future)
{
    (void)future;
}

static const struct future_ops deaf_ops = { .name = "deaf future",
                                            .size = sizeof(struct deaf),
                                            .poll = deaf_poll,
                                            .cancel = deaf_cancel };

struct straggler {
    ASYNC_FRAME;
    struct deaf deaf;
};

static enum poll_state straggler_poll(struct future *future, struct context *context)
{
    struct straggler *self = ASYNC_SELF(straggler, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->deaf, ((struct deaf){ .future = { &deaf_ops } }));
    ASYNC_END;
}

static const struct future_ops straggler_ops = ASYNC_OPS(straggler);

static counter stuck; /* threads inside a poll that does not end */

static enum poll_state spinner_poll(struct future *future, struct context *context)
{
    (void)future;
    (void)context;
    count_up(&stuck);
    while (count_of(&stuck) > 0)
        pause();
    return POLL_PENDING;
}

static const struct future_ops spinner_ops = { .name = "spinner",
                                               .size = sizeof(struct future),
                                               .poll = spinner_poll,
                                               .cancel = deaf_cancel };

/* Each cell on a thread of its own: the limits pass side by side. */
struct ordeal {
    struct runtime_config config;
    struct future *task; /* the last lane gets it */
    bool dump;
    int result; /* output: of runtime_stop */
};

static void *stop_with_straggler(void *argument)
{
    struct ordeal *self = argument;
    struct runtime *runtime;
    struct task_handle handle = { 0 };
    self->config.cancel_ns = NS_PER_S / 4; /* it is not going to help */
    /* One after the other: the kernel hands the address range of one's probe ring on to the
     * next, and TSan sees no order in that. */
    static pthread_mutex_t creating = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&creating);
    self->result = runtime_create(&runtime, &self->config);
    pthread_mutex_unlock(&creating);
    if (self->result < 0)
        return NULL;
    if (runtime_spawn_on(runtime, runtime_lanes(runtime) - 1, self->task, NULL) < 0 ||
        RUN(runtime, &handle, napper(NS_PER_MS, NULL, NULL)) < 0)
        return NULL;
    if (self->dump) {
        while (count_of(&stuck) < 2) /* both: ours is one of them */
            testing_pause();
        runtime_dump(runtime);
    }
    self->result = runtime_stop(runtime, NS_PER_MS);
    if (runtime_stop(runtime, 0) != self->result) /* it stays so */
        self->result = 0;
    runtime_destroy(runtime); /* leaks, on purpose */
    return NULL;
}

static void stragglers_are_named(void *driver)
{
    pthread_t threads[3];
    struct ordeal ordeals[3];
    struct straggler tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = (struct straggler){ .future = { &straggler_ops } };
        ordeals[i] = (struct ordeal){ .config = cell_config(driver, i),
                                      .task = &tasks[i].future };
        pthread_create(&threads[i], NULL, stop_with_straggler, &ordeals[i]);
    }
    int timed_out = 0;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        timed_out += ordeals[i].result == -ETIMEDOUT;
    }
    _exit(timed_out);
}

static int occurrences(const char *text, const char *words)
{
    int count = 0;
    while ((text = strstr(text, words)) != NULL) {
        text += strlen(words);
        count++;
    }
    return count;
}

static char said[16384];

static void phase_3_names_who_ignores_the_stop(void **state)
{
    NEEDS_DRIVER(state);
    assert_int_equal(run_in_child(stragglers_are_named, *state, said, sizeof said), 3);
    /* On a machine so loaded that a lane does not get to answer within 100 ms, the lane is
     * named in its task's place. */
    int late = occurrences(said, "stalled");
    assert_true(occurrences(said, "task 'straggler'") >= 3 - late);
    assert_true(
        occurrences(said, "straggler at lesson07_custom/test_runtime_stop.c:") >=
        3 - late);
    assert_true(occurrences(said, "deaf future") >= 3 - late);
    assert_true(late < 3);
}

static void a_worker_is_stuck(void *driver)
{
    pthread_t threads[2];
    struct ordeal ordeals[2];
    struct future spinners[2] = { { &spinner_ops }, { &spinner_ops } };
    int timed_out = 0;
    for (int i = 0; i < 2; i++) { /* current runs on our own thread */
        ordeals[i] = (struct ordeal){ .config = cell_config(driver, i + 1),
                                      .task = &spinners[i],
                                      .dump = true };
        pthread_create(&threads[i], NULL, stop_with_straggler, &ordeals[i]);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        timed_out += ordeals[i].result == -ETIMEDOUT;
    }
    _exit(timed_out);
}

static void a_poll_that_does_not_end_is_named_by_dump_and_stop(void **state)
{
    NEEDS_DRIVER(state);
    assert_int_equal(run_in_child(a_worker_is_stuck, *state, said, sizeof said), 2);
    assert_true(occurrences(said, "stalled") >= 2);
    assert_true(occurrences(said, "'spinner'") >= 4);
}

/* ---- S12 */

/* Spawns on every lane until it is refused; each spawned task does so, too. */
struct breeder {
    ASYNC_FRAME;
    counter *started, *ended; /* borrows */
    int rounds;
    struct yield yield;
};

static const struct future_ops breeder_ops;

static struct breeder breeder(counter *started, counter *ended)
{
    return (struct breeder){ .future = { &breeder_ops },
                             .started = started,
                             .ended = ended };
}

static bool breed(struct runtime *runtime, counter *started, counter *ended)
{
    bool refused = false;
    for (unsigned lane = 0; lane < runtime_lanes(runtime) && !refused; lane++) {
        int err = SPAWN_ON(runtime, lane, NULL, breeder(started, ended));
        if (err == 0)
            count_up(started);
        refused = err == -ESHUTDOWN;
    }
    return refused;
}

static enum poll_state breeder_poll(struct future *future, struct context *context)
{
    struct breeder *self = ASYNC_SELF(breeder, future);
    ASYNC_BEGIN(self, context);
    while (self->rounds++ < 30) {
        if (count_of(self->started) - count_of(self->ended) < 200 &&
            breed(runtime_here(), self->started, self->ended))
            break;
        AWAIT(self->yield, yield_now());
    }
    count_up(self->ended);
    ASYNC_END;
}

static const struct future_ops breeder_ops = ASYNC_OPS(breeder);

struct outsider {
    struct runtime *runtime;
    counter *started, *ended;
    counter tries;
    _Atomic bool enough;
};

static void *spawn_from_outside(void *argument)
{
    struct outsider *self = argument;
    while (!atomic_load_explicit(&self->enough, memory_order_acquire)) {
        if (count_of(self->started) - count_of(self->ended) < 300)
            breed(self->runtime, self->started, self->ended);
        count_up(&self->tries);
        testing_pause();
    }
    return NULL;
}

static void S12_spawn_against_stop_is_refused_or_run(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 9; i++) {
        counter started = 0, ended = 0;
        struct runtime_config config = cell_config(*state, i % 3);
        struct runtime *runtime = open_runtime(&config);
        struct outsider outsider = { runtime, &started, &ended, 0, false };
        struct task_handle handle = { 0 };
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, spawn_from_outside, &outsider),
                         0);
        WAIT_UNTIL(count_of(&started) > 0);
        assert_int_equal(RUN(runtime, &handle, napper(2 * NS_PER_MS, NULL, NULL)), 0);
        task_detach(&handle);
        assert_int_equal(runtime_stop(runtime, i < 3 ? 0 : NS_PER_MS), 0);
        int tries = count_of(&outsider.tries);
        WAIT_UNTIL(count_of(&outsider.tries) >= tries + 2); /* refused, too */
        atomic_store_explicit(&outsider.enough, true, memory_order_release);
        pthread_join(thread, NULL);
        assert_true(count_of(&started) > 0);
        assert_int_equal(count_of(&started), count_of(&ended));
        runtime_destroy(runtime);
    }
}

/* ---- dump */

static counter rested; /* tasks that slept, after the others had begun to */

static void *dump_from_outside(void *runtime)
{
    while (count_of(&rested) == 0)
        testing_pause();
    runtime_dump(runtime);
    return NULL;
}

static void dump_in_child(void *driver)
{
    for (int i = 0; i < 3; i++) {
        struct runtime_config config = cell_config(driver, i);
        struct runtime *runtime = open_runtime(&config);
        struct task_handle handle = { 0 };
        pthread_t thread;
        atomic_store_explicit(&rested, 0, memory_order_relaxed);
        spawn_on_all_lanes(runtime, HOUR, NULL, NULL);
        SPAWN_ON(runtime, runtime_lanes(runtime) - 1, NULL,
                 napper(NS_PER_MS, &rested, NULL));
        pthread_create(&thread, NULL, dump_from_outside, runtime);
        RUN(runtime, &handle, napper(300 * NS_PER_MS, NULL, NULL));
        pthread_join(thread, NULL);
        task_detach(&handle);
        runtime_destroy(runtime);
    }
}

static void a_dump_shows_each_task_and_its_line(void **state)
{
    NEEDS_DRIVER(state);
    assert_int_equal(run_in_child(dump_in_child, *state, said, sizeof said), 0);
    assert_true(occurrences(said, "tasks of a runtime:") == 3);
    if (occurrences(said, "lesson07_custom/runtime_testing.h:") < 4)
        fail_msg("the dumps were: %s", said);
}

static void *dump_again_and_again(void *argument)
{
    struct outsider *self = argument;
    while (!atomic_load_explicit(&self->enough, memory_order_acquire)) {
        runtime_dump(self->runtime);
        count_up(&self->tries);
    }
    return NULL;
}

static void dump_and_stop(void *driver)
{
    for (int i = 0; i < 3; i++) {
        struct runtime_config config = cell_config(driver, i);
        struct outsider dumper = { .runtime = open_runtime(&config) };
        pthread_t thread;
        spawn_on_all_lanes(dumper.runtime, 20 * NS_PER_MS, NULL, NULL);
        pthread_create(&thread, NULL, dump_again_and_again, &dumper);
        while (count_of(&dumper.tries) == 0)
            testing_pause();
        int err = runtime_stop(dumper.runtime, NS_PER_S);
        atomic_store_explicit(&dumper.enough, true, memory_order_release);
        pthread_join(thread, NULL);
        runtime_destroy(dumper.runtime);
        if (err < 0)
            _exit(1);
    }
}

static void a_dump_may_meet_the_stop(void **state)
{
    NEEDS_DRIVER(state);
    static char much[1 << 20];
    assert_int_equal(run_in_child(dump_and_stop, *state, much, sizeof much), 0);
}

/* ---- faults */

static void nothing_is_left_when_create_fails(void **state)
{
    NEEDS_DRIVER(state);
    static const struct {
        const char *call;
        int err;
    } faults[] = {
        { "malloc", ENOMEM },
        { "calloc", ENOMEM },
        { "aligned_alloc", ENOMEM },
        { "mmap", ENOMEM },
        { "pthread_create", EAGAIN },
        { "eventfd", EMFILE },
        { "epoll_create1", EMFILE },
        { "epoll_ctl", ENOMEM },
        { "io_uring_queue_init_params", ENOMEM },
    };
    int before = open_fds();
    for (int i = 0; i < 2 * 3; i++)
        for (size_t f = 0; f < ARRAY_SIZE(faults); f++)
            for (long n = 1; fault_sweep(n, faults[f].call, faults[f].err); n++) {
                struct runtime_config config = cell_config(*state, i % 3);
                struct runtime *runtime = NULL;
                struct virtual_clock clock;
                virtual_clock_init(&clock, 0);
                config.clock = i < 3 ? NULL : &clock;
                config.dump_on_signal = true;
                int err = runtime_create(&runtime, &config);
                fault_disarm();
                if (err == 0)
                    runtime_destroy(runtime);
                if (open_fds() != before)
                    fail_msg("%s no. %ld in cell %d: %d descriptors left",
                             faults[f].call, n, i, open_fds() - before);
                if (clock.jumper ||
                    atomic_load_explicit(&clock.holds, memory_order_relaxed) != 0)
                    fail_msg("%s no. %ld in cell %d: the clock is still held, or wakes "
                             "who is gone",
                             faults[f].call, n, i);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_DRIVERS(phase_1_waits_and_phase_2_cancels),
        ON_BOTH_DRIVERS(phase_1_waits_for_work_that_lanes_send_each_other),
        ON_BOTH_DRIVERS(phase_3_names_who_ignores_the_stop),
        ON_BOTH_DRIVERS(a_poll_that_does_not_end_is_named_by_dump_and_stop),
        ON_BOTH_DRIVERS(S12_spawn_against_stop_is_refused_or_run),
        ON_BOTH_DRIVERS(a_dump_shows_each_task_and_its_line),
        ON_BOTH_DRIVERS(a_dump_may_meet_the_stop),
        ON_BOTH_DRIVERS(nothing_is_left_when_create_fails),
    };
    return cmocka_run_group_tests_name("runtime, its end", tests, NULL, NULL);
}
