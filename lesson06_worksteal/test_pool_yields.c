/* The pool under seeded yields: the files with the races in them are compiled into this
 * program, and each thread gives its core away at one pause in four. What a fast machine
 * does once in a million times then happens all the time. */
#include "lesson06_worksteal/pause_testing.h"

#include "lesson06_worksteal/deque.c"
#include "lesson06_worksteal/idle.c"
#include "lesson06_worksteal/injector.c"
#include "lesson06_worksteal/pool_schedule.c"
#include "lesson06_worksteal/worker.c"
#include "lesson06_worksteal/worker_loop.c"

#include "lesson06_worksteal/pool_testing.h"
#include "lesson06_worksteal/samples.h"

static uint64_t seed;

static int start_dice(void *argument, unsigned worker)
{
    (void)argument;
    TLS(pause_dice) = seed * 1000 + worker + 1;
    return 0;
}

static struct pool *open_seeded(int workers, unsigned capacity)
{
    return open_pool((struct pool_config){ .workers = workers,
                                           .queue_capacity = capacity,
                                           .seed = seed,
                                           .hooks = { .worker_start = start_dice } });
}

static void fork_join_under_yields(void **state)
{
    (void)state;
    for (seed = 1; seed <= 8; seed++) {
        struct pool *pool = open_seeded(2 + (int)(seed % 3), seed % 2 ? 2 : 8);
        struct fib root = fib(&pool->scheduler, 12);
        struct task_handle handle = { NULL };
        assert_int_equal(pool_block_on(pool, &root.future, &handle), 0);
        assert_int_equal(TASK_OUTPUT(&handle, fib)->result, 144);
        task_detach(&handle);
        close_pool(pool);
    }
}

static void count_one(void *argument)
{
    atomic_fetch_add_explicit((_Atomic unsigned *)argument, 1, memory_order_relaxed);
}

static void W1_no_wake_is_lost_between_last_look_and_sleep(void **state)
{
    (void)state;
    for (seed = 1; seed <= 4; seed++) {
        _Atomic unsigned ran = 0;
        struct pool *pool = open_seeded(2, 4);
        TLS(pause_dice) = seed;
        for (unsigned i = 1; i <= 600; i++) {
            assert_int_equal(CALL_POOL(pool, NULL, count_one, &ran), 0);
            uint64_t give_up = testing_deadline();
            while (ran != i && !testing_expired(give_up))
                sched_yield();
            assert_int_equal(ran, i);
        }
        TLS(pause_dice) = 0;
        close_pool(pool);
    }
}

struct late_waker {
    struct gate gate;
    uint64_t dice;
};

static void *open_with_dice(void *argument)
{
    struct late_waker *waker = argument;
    TLS(pause_dice) = waker->dice;
    gate_open(&waker->gate);
    return NULL;
}

static void W5_a_wake_is_still_on_its_way_out_when_the_pool_goes(void **state)
{
    (void)state;
    for (seed = 1; seed <= 150; seed++) {
        struct late_waker waker = { .dice = seed };
        pthread_t thread;
        struct pool *pool = open_seeded(1, 4);
        assert_int_equal(SPAWN(&pool->scheduler, NULL, waiting(&waker.gate, NULL)), 0);
        WAIT_UNTIL(sum_of_runs(pool) == 1);
        assert_int_equal(pthread_create(&thread, NULL, open_with_dice, &waker), 0);
        while (pool_live(pool))
            sched_yield();
        close_pool(pool);
        pthread_join(thread, NULL);
        waker_cell_finish(&waker.gate.cell);
    }
}

/* The same, without luck: the waker is held while it is inside. */
static void *open_with_trap(void *argument)
{
    struct late_waker *waker = argument;
    pause_set_trap("pool: queued from outside, nobody told");
    gate_open(&waker->gate);
    return NULL;
}

/* Gives a stop that does not wait every chance to be over first. */
static void *release_later(void *unused)
{
    (void)unused;
    for (int i = 0; i < 5000; i++)
        sched_yield();
    pause_release();
    return NULL;
}

static void W5_the_stop_waits_for_its_visitors(void **state)
{
    (void)state;
    struct late_waker waker = { .dice = 0 };
    pthread_t visitor, releaser;
    struct pool *pool = open_seeded(1, 4);
    assert_int_equal(SPAWN(&pool->scheduler, NULL, waiting(&waker.gate, NULL)), 0);
    WAIT_UNTIL(sum_of_runs(pool) == 1);
    atomic_store_explicit(&pause_reached, false, memory_order_relaxed);
    assert_int_equal(pthread_create(&visitor, NULL, open_with_trap, &waker), 0);
    WAIT_UNTIL(pause_is_reached());
    assert_int_equal(atomic_load_explicit(&pool->visitors, memory_order_relaxed), 1);
    assert_int_equal(pthread_create(&releaser, NULL, release_later, NULL), 0);
    close_pool(pool); /* and frees it: whoever is inside now would be lost */
    assert_true(atomic_load_explicit(&pause_go, memory_order_relaxed));
    pthread_join(visitor, NULL);
    pthread_join(releaser, NULL);
    waker_cell_finish(&waker.gate.cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_join_under_yields),
        cmocka_unit_test(W1_no_wake_is_lost_between_last_look_and_sleep),
        cmocka_unit_test(W5_a_wake_is_still_on_its_way_out_when_the_pool_goes),
        cmocka_unit_test(W5_the_stop_waits_for_its_visitors),
    };
    return cmocka_run_group_tests_name("pool, seeded yields", tests, NULL, NULL);
}
