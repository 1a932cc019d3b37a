/* The pool: that it is a scheduler like lesson 2's, only with more threads; and that
 * every failure on the way to one is undone. */
#include "lesson06_worksteal/pool_testing.h"

#include <signal.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson06_worksteal/samples.h"

/* ---- config */

static void S10_absurd_worker_counts_are_refused(void **state)
{
    (void)state;
    struct pool *pool;
    const int bad[] = { -1, POOL_WORKERS_MAX + 1, 1000000, INT32_MIN };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct pool_config config = { .workers = bad[i] };
        assert_int_equal(pool_create(&pool, &config), -EINVAL);
        assert_null(pool);
        assert_non_null(pool_config_problem(&config));
    }
    const unsigned bad_capacity[] = { 1, 3, 512, 1u << 31 };
    for (size_t i = 0; i < ARRAY_SIZE(bad_capacity); i++) {
        struct pool_config config = { .queue_capacity = bad_capacity[i] };
        assert_int_equal(pool_create(&pool, &config), -EINVAL);
        assert_non_null(strstr(pool_config_problem(&config), "2, 4, 8"));
    }
    assert_null(pool_config_problem(&(struct pool_config){ 0 }));
    pool = open_pool((struct pool_config){ .workers = 0 }); /* one for each CPU */
    assert_true(pool->count >= 1 && pool->count <= POOL_WORKERS_MAX);
    close_pool(pool);
}

/* ---- it runs */

static void run_fib(struct pool_config config, int n, uint64_t expected)
{
    struct pool *pool = open_pool(config);
    struct fib root = fib(&pool->scheduler, n);
    struct task_handle handle = { NULL };
    assert_int_equal(pool_block_on(pool, &root.future, &handle), 0);
    assert_int_equal(task_status(&handle), JOIN_OK);
    assert_int_equal(TASK_OUTPUT(&handle, fib)->error, 0);
    assert_int_equal(TASK_OUTPUT(&handle, fib)->result, expected);
    task_detach(&handle);
    WAIT_UNTIL(pool_live(pool) == 0);
    assert_int_equal(pool_stalled(pool), 0);
    close_pool(pool);
}

static void fork_join_in_every_shape(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 4; workers++) {
        run_fib((struct pool_config){ .workers = workers }, 15, 610);
        run_fib((struct pool_config){ .workers = workers, .queue_capacity = 2 }, 15,
                610);
        run_fib((struct pool_config){ .workers = workers, .no_lifo_slot = true }, 15,
                610);
        run_fib((struct pool_config){ .workers = workers, .no_stealing = true }, 15,
                610);
    }
}

static void an_unbalanced_tree_is_counted_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct pool *pool =
            open_pool((struct pool_config){ .workers = 3, .queue_capacity = 4 });
        struct tree root = tree(&pool->scheduler, seed, 10, 1);
        struct task_handle handle = { NULL };
        assert_int_equal(pool_block_on(pool, &root.future, &handle), 0);
        assert_int_equal(TASK_OUTPUT(&handle, tree)->nodes, tree_count(seed, 10));
        task_detach(&handle);
        close_pool(pool);
    }
}

static _Atomic unsigned called;

static void count_call(void *argument)
{
    (void)argument;
    atomic_fetch_add_explicit(&called, 1, memory_order_relaxed);
}

/* One at a time, each to a pool that has gone to sleep, or is just about to. */
static void S5_a_task_from_outside_always_finds_a_worker(void **state)
{
    (void)state;
    called = 0;
    struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
    for (unsigned i = 1; i <= 500; i++) {
        assert_int_equal(CALL_POOL(pool, NULL, count_call, NULL), 0);
        if (i % 3 == 0)
            WAIT_UNTIL(called == i);
        else
            while (i % 3 == 1 && called != i)
                sched_yield();
    }
    WAIT_UNTIL(called == 500);
    WAIT_UNTIL(idle_sleeping(&pool->idle) == 2); /* and then all sleep (S6) */
    assert_int_equal(idle_searching(&pool->idle), 0);
    close_pool(pool);
}

static void panic_now(void *argument)
{
    (void)argument;
    task_panic("on purpose");
}

static void a_panic_ends_its_task_and_not_its_worker(void **state)
{
    (void)state;
    called = 0;
    struct pool *pool = open_pool((struct pool_config){ .workers = 1 });
    struct call bad = call(panic_now, NULL), good = call(count_call, NULL);
    assert_int_equal(pool_run(pool, &bad.future), JOIN_PANICKED);
    assert_int_equal(pool_run(pool, &good.future), JOIN_OK);
    assert_int_equal(called, 1);
    close_pool(pool);
}

static void a_waiting_task_can_be_cancelled_from_outside(void **state)
{
    (void)state;
    struct gate gate = { 0 };
    struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
    struct task_handle handle = { NULL };
    assert_int_equal(SPAWN(&pool->scheduler, &handle, waiting(&gate, NULL)), 0);
    task_cancel(&handle);
    WAIT_UNTIL(task_is_done(&handle));
    assert_int_equal(task_status(&handle), JOIN_CANCELLED);
    task_detach(&handle);
    close_pool(pool);
    waker_cell_finish(&gate.cell);
}

/* ---- LOCAL tasks */

struct stay_home {
    ASYNC_FRAME;
    struct gate *gate;
    struct gate_wait wait;
    struct yield yield;
    pthread_t home;
    int left;
    _Atomic unsigned *moved;
};

static enum poll_state stay_home_poll(struct future *future, struct context *context)
{
    struct stay_home *self = ASYNC_SELF(stay_home, future);
    if (self->async.line == 0)
        self->home = pthread_self();
    else if (!pthread_equal(self->home, pthread_self()))
        atomic_fetch_add_explicit(self->moved, 1, memory_order_relaxed);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, gate_wait(self->gate));
    for (self->left = 20; self->left > 0; self->left--)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

static const struct future_ops stay_home_ops = ASYNC_OPS(stay_home);

struct host {
    struct pool *pool;
    struct gate gates[8];
    _Atomic unsigned moved;
    _Atomic bool spawned;
    int errors;
};

static void spawn_local_tasks(void *argument)
{
    struct host *host = argument;
    for (size_t i = 0; i < ARRAY_SIZE(host->gates); i++) {
        struct stay_home task = { .future = { &stay_home_ops },
                                  .gate = &host->gates[i],
                                  .moved = &host->moved };
        host->errors |=
            task_spawn(&host->pool->scheduler, &task.future, SPAWN_LOCAL, NULL);
    }
    set_flag(&host->spawned);
}

static void local_tasks_never_leave_their_worker(void **state)
{
    (void)state;
    static struct host host;
    host = (struct host){ .pool = open_pool((struct pool_config){ .workers = 3 }) };
    assert_int_equal(CALL_POOL(host.pool, NULL, spawn_local_tasks, &host), 0);
    WAIT_UNTIL(flag_is_set(&host.spawned));
    assert_int_equal(host.errors, 0);
    for (size_t i = 0; i < ARRAY_SIZE(host.gates); i++)
        gate_open(&host.gates[i]); /* mail from a thread that is no worker */
    WAIT_UNTIL(pool_live(host.pool) == 0);
    assert_int_equal(host.moved, 0);
    struct call outside = call(count_call, NULL);
    assert_int_equal(
        task_spawn(&host.pool->scheduler, &outside.future, SPAWN_LOCAL, NULL), -EPERM);
    close_pool(host.pool);
    for (size_t i = 0; i < ARRAY_SIZE(host.gates); i++)
        waker_cell_finish(&host.gates[i].cell);
}

/* ---- hooks, names, signals */

struct hooks_seen {
    _Atomic unsigned started, stopped;
    unsigned fail_at; /* worker index + 1; 0: none */
};

static int on_start(void *argument, unsigned worker)
{
    struct hooks_seen *seen = argument;
    if (worker + 1 == seen->fail_at)
        return -ENODEV;
    atomic_fetch_add_explicit(&seen->started, 1, memory_order_relaxed);
    return 0;
}

static void on_stop(void *argument, unsigned worker)
{
    (void)worker;
    atomic_fetch_add_explicit(&((struct hooks_seen *)argument)->stopped, 1,
                              memory_order_relaxed);
}

struct thread_facts {
    char name[16];
    bool blocks_signals;
};

static void look_at_thread(void *argument)
{
    struct thread_facts *facts = argument;
    sigset_t set;
    pthread_getname_np(pthread_self(), facts->name, sizeof facts->name);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    facts->blocks_signals = sigismember(&set, SIGTERM) && sigismember(&set, SIGUSR1);
}

static void threads_have_hooks_names_and_no_signals(void **state)
{
    (void)state;
    struct hooks_seen seen = { 0 };
    struct thread_facts facts = { .blocks_signals = false };
    struct pool_config config = { .workers = 2,
                                  .name = "kitchen",
                                  .hooks = { on_start, on_stop, &seen } };
    struct pool *pool = open_pool(config);
    assert_int_equal(seen.started, 2);
    struct call look = call(look_at_thread, &facts);
    assert_int_equal(pool_run(pool, &look.future), JOIN_OK);
    assert_int_equal(strncmp(facts.name, "kitchen-", 8), 0);
    assert_true(facts.blocks_signals);
    close_pool(pool);
    assert_int_equal(seen.stopped, 2);
    seen = (struct hooks_seen){ .fail_at = 2 };
    assert_int_equal(pool_create(&pool, &config), -ENODEV);
    assert_int_equal(seen.started, 1);
    assert_int_equal(seen.stopped, 1); /* only where the start went well */
}

/* ---- failures */

static void every_failed_call_of_create_is_undone(void **state)
{
    (void)state;
    const char *calls[] = { "calloc", "aligned_alloc", "pthread_create" };
    for (size_t c = 0; c < ARRAY_SIZE(calls); c++) {
        int failed = 0;
        for (long n = 1; fault_sweep(n, calls[c], EAGAIN); n++) {
            struct pool *pool;
            int err = pool_create(&pool, &(struct pool_config){ .workers = 3 });
            long faults = fault_count();
            failed += err < 0;
            if (err == 0) {
                close_pool(pool);
                assert_int_equal(faults, 0);
            }
        }
        assert_true(failed > 0);
    }
    fault_disarm();
}

static void fork_join_survives_a_failed_mmap(void **state)
{
    (void)state;
    for (long n = 1; fault_sweep(n, "mmap", ENOMEM); n++) {
        struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
        struct fib root = fib(&pool->scheduler, 8);
        struct task_handle handle = { NULL };
        int err = pool_block_on(pool, &root.future, &handle);
        if (err == 0) {
            struct fib *out = TASK_OUTPUT(&handle, fib);
            assert_true(out->error == -ENOMEM || out->result == 21);
        } else {
            assert_int_equal(err, -ENOMEM);
        }
        task_detach(&handle);
        close_pool(pool);
    }
    fault_disarm();
}

/* ---- W10, errands */

/* Stores no waker: nobody could wake it. Only a cancel ends it. */
struct forgetful {
    struct future future;
    bool cancelled;
};

static enum poll_state forgetful_poll(struct future *future, struct context *context)
{
    (void)context;
    bool cancelled = container_of(future, struct forgetful, future)->cancelled;
    return cancelled ? POLL_READY : POLL_PENDING;
}

static void forgetful_cancel(struct future *future)
{
    container_of(future, struct forgetful, future)->cancelled = true;
}

static const struct future_ops forgetful_ops = {
    .name = "forgetful",
    .size = sizeof(struct forgetful),
    .poll = forgetful_poll,
    .cancel = forgetful_cancel,
};

static void block_on_forgetful(void *argument)
{
    (void)argument;
    struct pool *pool;
    if (pool_create(&pool, &(struct pool_config){ .workers = 2 }) != 0)
        _exit(1);
    struct forgetful forgetful = { .future = { &forgetful_ops } };
    struct task_handle handle = { NULL };
    if (pool_block_on(pool, &forgetful.future, &handle) != -EDEADLK)
        _exit(2);
    task_detach(&handle);
    pool_destroy(pool); /* its cancel ends the task */
    _exit(42);
}

static void W10_a_task_that_nobody_can_wake_is_named(void **state)
{
    (void)state;
    static char output[4096];
    assert_int_equal(run_in_child(block_on_forgetful, NULL, output, sizeof output), 42);
    assert_non_null(strstr(output, "nobody left to wake them"));
    assert_non_null(strstr(output, "task 'forgetful'"));
}

static void note_errand(struct worker *worker, void *argument)
{
    unsigned *times = argument;
    times[worker->index] += TLS(worker_here) == worker;
}

static void an_errand_runs_once_on_each_worker(void **state)
{
    (void)state;
    _Atomic bool release = false;
    struct pool *pool = open_pool((struct pool_config){ .workers = 3 });
    unsigned times[3] = { 0 };
    for (int i = 0; i < 20; i++)
        assert_int_equal(
            pool_errand(pool, note_errand, times, TEST_PATIENCE_S * (int64_t)NS_PER_S),
            0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(times[i], 20);
    assert_int_equal(CALL_POOL(pool, NULL, spin_until, &release), 0);
    WAIT_UNTIL(sum_of_runs(pool) == 1);
    assert_int_equal(pool_errand(pool, note_errand, times, 1000000), -ETIMEDOUT);
    set_flag(&release);
    for (int i = 0; i < 3; i++)
        assert_int_equal(times[i], 20);
    close_pool(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S10_absurd_worker_counts_are_refused),
        cmocka_unit_test(fork_join_in_every_shape),
        cmocka_unit_test(an_unbalanced_tree_is_counted_once),
        cmocka_unit_test(S5_a_task_from_outside_always_finds_a_worker),
        cmocka_unit_test(a_panic_ends_its_task_and_not_its_worker),
        cmocka_unit_test(a_waiting_task_can_be_cancelled_from_outside),
        cmocka_unit_test(local_tasks_never_leave_their_worker),
        cmocka_unit_test(threads_have_hooks_names_and_no_signals),
        cmocka_unit_test(every_failed_call_of_create_is_undone),
        cmocka_unit_test(fork_join_survives_a_failed_mmap),
        cmocka_unit_test(W10_a_task_that_nobody_can_wake_is_named),
        cmocka_unit_test(an_errand_runs_once_on_each_worker),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
