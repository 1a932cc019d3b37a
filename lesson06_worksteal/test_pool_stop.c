/* The end of a pool: whatever happens at that moment, each task is refused or run to its
 * end, the threads are gone, and nobody touches the pool's memory any more. */
#include "lesson06_worksteal/pool_testing.h"

#include <unistd.h>

#include "lesson06_worksteal/samples.h"

/* ---- S12 */

#define SPAWNERS 3

struct rush {
    struct pool *pool;
    struct gate never; /* nobody opens it: only a cancel ends who waits here */
    _Atomic bool stop_seen;
    _Atomic unsigned spawned;
    _Atomic unsigned ended;
    _Atomic unsigned wrong;
    _Atomic unsigned refused;
};

/* Owns one unit of `spawned`, gives it back as `ended`, whatever happens to it. */
struct guest {
    ASYNC_FRAME;
    struct rush *rush;
    struct yield yield;
    int turns;
};

static enum poll_state guest_poll(struct future *future, struct context *context);
static const struct future_ops guest_ops = ASYNC_OPS(guest);

static int spawn_guest(struct rush *rush, int turns)
{
    struct guest guest = { .future = { &guest_ops }, .rush = rush, .turns = turns };
    int err = pool_spawn(rush->pool, &guest.future, NULL);
    if (err == 0)
        atomic_fetch_add_explicit(&rush->spawned, 1, memory_order_relaxed);
    else if (err == -ESHUTDOWN)
        atomic_fetch_add_explicit(&rush->refused, 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&rush->wrong, 1, memory_order_relaxed);
    return err;
}

/* Each guest brings another one, so the pool never empties by itself. */
static enum poll_state guest_poll(struct future *future, struct context *context)
{
    struct guest *self = ASYNC_SELF(guest, future);
    ASYNC_BEGIN(self, context);
    for (; self->turns > 0; self->turns--)
        AWAIT(self->yield, yield_now());
    (void)spawn_guest(self->rush, 3);
    atomic_fetch_add_explicit(&self->rush->ended, 1, memory_order_relaxed);
    ASYNC_END;
}

static void *outside_spawner(void *argument)
{
    struct rush *rush = argument;
    int err;
    do
        err = spawn_guest(rush, 1);
    while (err == 0 && rush->spawned < 200000);
    return NULL;
}

static void S12_a_spawn_during_the_stop_is_refused_or_run(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 12; round++) {
        static struct rush rush;
        memset(&rush, 0, sizeof rush);
        rush.pool =
            open_pool((struct pool_config){ .workers = 2, .queue_capacity = 4 });
        pthread_t threads[SPAWNERS];
        for (int i = 0; i < SPAWNERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, outside_spawner, &rush),
                             0);
        WAIT_UNTIL(rush.spawned > round * 20);
        assert_int_equal(pool_stop(rush.pool, TEST_PATIENCE_S * (int64_t)NS_PER_S), 0);
        assert_int_equal(pool_live(rush.pool), 0);
        for (int i = 0; i < SPAWNERS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(rush.spawned, rush.ended);
        assert_int_equal(rush.wrong, 0);
        assert_true(rush.refused > 0);
        assert_int_equal(spawn_guest(&rush, 1), -ESHUTDOWN);
        pool_destroy(rush.pool);
    }
}

static void the_stop_cancels_who_waits(void **state)
{
    (void)state;
    static struct gate gates[100];
    _Atomic unsigned ended = 0;
    memset(gates, 0, sizeof gates);
    struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        assert_int_equal(SPAWN(&pool->scheduler, NULL, waiting(&gates[i], &ended)), 0);
    close_pool(pool);
    assert_int_equal(ended, 100);
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
        waker_cell_finish(&gates[i].cell);
}

static void a_fork_join_that_is_stopped_leaves_no_part_behind(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
        struct task_handle handle = { NULL };
        assert_int_equal(SPAWN(&pool->scheduler, &handle, fib(&pool->scheduler, 20)),
                         0);
        WAIT_UNTIL(sum_of_runs(pool) > 50);
        close_pool(pool);
        assert_true(task_is_done(&handle));
        struct fib *out = TASK_OUTPUT(&handle, fib);
        assert_true(out->error == -ESHUTDOWN || out->error == -ECANCELED ||
                    out->result == 6765);
        task_detach(&handle);
    }
}

struct locals {
    struct pool *pool;
    struct gate gates[4];
    _Atomic unsigned ended;
};

static void spawn_locals(void *argument)
{
    struct locals *locals = argument;
    for (size_t i = 0; i < ARRAY_SIZE(locals->gates); i++)
        (void)SPAWN_ON_THIS_THREAD(&locals->pool->scheduler, NULL,
                                   waiting(&locals->gates[i], &locals->ended));
}

static void the_stop_reaches_local_tasks(void **state)
{
    (void)state;
    static struct locals locals;
    locals = (struct locals){ .pool = open_pool((struct pool_config){ .workers = 3 }) };
    struct call spawn = call(spawn_locals, &locals);
    assert_int_equal(pool_run(locals.pool, &spawn.future), JOIN_OK);
    close_pool(locals.pool);
    assert_int_equal(locals.ended, 4);
    for (size_t i = 0; i < ARRAY_SIZE(locals.gates); i++)
        waker_cell_finish(&locals.gates[i].cell);
}

/* ---- W5: wakes on their way while the pool ends */

#define WAKERS 20

struct wakers {
    struct gate gates[WAKERS];
};

static void *open_all(void *argument)
{
    struct wakers *wakers = argument;
    for (int i = 0; i < WAKERS; i++)
        gate_open(&wakers->gates[i]);
    return NULL;
}

static void W5_a_wake_may_meet_the_end_of_the_pool(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        static struct wakers wakers;
        memset(&wakers, 0, sizeof wakers);
        struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
        for (int i = 0; i < WAKERS; i++)
            assert_int_equal(
                SPAWN(&pool->scheduler, NULL, waiting(&wakers.gates[i], NULL)), 0);
        pthread_t thread;
        if (round % 2)
            WAIT_UNTIL(sum_of_runs(pool) >= WAKERS);
        assert_int_equal(pthread_create(&thread, NULL, open_all, &wakers), 0);
        close_pool(pool);
        pthread_join(thread, NULL);
        for (int i = 0; i < WAKERS; i++)
            waker_cell_finish(&wakers.gates[i].cell);
    }
}

/* ---- stragglers */

struct stubborn {
    ASYNC_FRAME;
    struct gate *gate;
    struct gate_wait wait;
};

static enum poll_state stubborn_poll(struct future *future, struct context *context)
{
    struct stubborn *self = ASYNC_SELF(stubborn, future);
    ASYNC_BEGIN(self, context);
    AWAIT_SHIELDED(self->wait, gate_wait(self->gate)); /* no cancel gets through */
    ASYNC_END;
}

static const struct future_ops stubborn_ops = ASYNC_OPS(stubborn);

/* In a child, so that its stderr can be read. Exits with 42 when all is as it should. */
static void stop_with_stragglers(void *argument)
{
    (void)argument;
    struct gate gate = { 0 };
    _Atomic bool release = false;
    struct pool *pool;
    if (pool_create(&pool, &(struct pool_config){ .workers = 2 }) != 0)
        _exit(1);
    struct stubborn stubborn = { .future = { &stubborn_ops }, .gate = &gate };
    pool_spawn(pool, &stubborn.future, NULL);
    if (pool_stop(pool, 20 * (int64_t)NS_PER_MS) != -ETIMEDOUT)
        _exit(2);
    gate_open(&gate); /* the straggler ends after all */
    if (pool_stop(pool, 60 * (int64_t)NS_PER_S) != 0)
        _exit(3);
    pool_destroy(pool);
    waker_cell_finish(&gate.cell);
    if (pool_create(&pool, &(struct pool_config){ .workers = 2 }) != 0)
        _exit(4);
    (void)CALL_POOL(pool, NULL, spin_until, &release);
    while (sum_of_runs(pool) < 1)
        sched_yield();
    if (pool_stop(pool, 20 * (int64_t)NS_PER_MS) != -ETIMEDOUT)
        _exit(5);
    pool_destroy(pool); /* leaks on purpose: the task is still in there */
    set_flag(&release);
    if (pool_stop(pool, 60 * (int64_t)NS_PER_S) != 0)
        _exit(6);
    pool_destroy(pool); /* and now it can go */
    _exit(42);
}

static void a_stop_that_times_out_names_the_stragglers(void **state)
{
    (void)state;
    static char output[8192];
    assert_int_equal(run_in_child(stop_with_stragglers, NULL, output, sizeof output),
                     42);
    assert_non_null(strstr(output, "1 tasks did not end within the limit"));
    assert_non_null(strstr(output, "task 'stubborn'"));
    assert_non_null(strstr(output, "test_pool_stop.c:"));
    assert_non_null(strstr(output, "is inside a poll of task 'call'"));
}

static void stop_from_inside(void *argument)
{
    pool_stop(argument, 0);
}

static void stop_own_pool(void *argument)
{
    (void)argument;
    struct pool *pool;
    if (pool_create(&pool, &(struct pool_config){ .workers = 1 }) == 0) {
        struct call stop = call(stop_from_inside, pool);
        pool_run(pool, &stop.future);
    }
}

static void a_worker_cannot_stop_its_own_pool(void **state)
{
    (void)state;
    assert_dies(stop_own_pool, NULL, "a worker stops its own pool");
}

static void destroy_accepts_nothing_and_a_running_pool(void **state)
{
    (void)state;
    pool_destroy(NULL);
    struct gate gate = { 0 };
    struct pool *pool = open_pool((struct pool_config){ .workers = 1 });
    assert_int_equal(SPAWN(&pool->scheduler, NULL, waiting(&gate, NULL)), 0);
    pool_destroy(pool);
    waker_cell_finish(&gate.cell);
}

static void a_handle_may_outlive_the_pool(void **state)
{
    (void)state;
    struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
    struct fib root = fib(&pool->scheduler, 5);
    struct task_handle handle = { NULL };
    assert_int_equal(pool_block_on(pool, &root.future, &handle), 0);
    close_pool(pool);
    assert_int_equal(TASK_OUTPUT(&handle, fib)->result, 5);
    task_detach(&handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S12_a_spawn_during_the_stop_is_refused_or_run),
        cmocka_unit_test(the_stop_cancels_who_waits),
        cmocka_unit_test(a_fork_join_that_is_stopped_leaves_no_part_behind),
        cmocka_unit_test(the_stop_reaches_local_tasks),
        cmocka_unit_test(W5_a_wake_may_meet_the_end_of_the_pool),
        cmocka_unit_test(a_stop_that_times_out_names_the_stragglers),
        cmocka_unit_test(a_worker_cannot_stop_its_own_pool),
        cmocka_unit_test(destroy_accepts_nothing_and_a_running_pool),
        cmocka_unit_test(a_handle_may_outlive_the_pool),
    };
    return cmocka_run_group_tests_name("pool, stop", tests, NULL, NULL);
}
