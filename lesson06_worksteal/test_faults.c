/* Each call that the pool and the blocking pool make fails once, in its turn
 * (common/testing/FAULTS.md). */
#include "lesson06_worksteal/pool_testing.h"

#include "common/testing/faults.h"
#include "lesson02_wakers/block_on.h"
#include "lesson06_worksteal/blocking.h"
#include "lesson06_worksteal/blocking_call.h"
#include "lesson06_worksteal/samples.h"

/* ---- the pool */

static int fork_and_join(void *argument)
{
    struct pool_config config = { .workers = 3, .queue_capacity = 2 };
    struct task_handle handle = { NULL };
    struct pool *pool;
    (void)argument;
    int err = pool_create(&pool, &config);
    if (err < 0)
        return err;
    struct fib root = fib(&pool->scheduler, 8);
    bool right = true;
    err = pool_block_on(pool, &root.future, &handle);
    if (err == 0) {
        const struct fib *out = TASK_OUTPUT(&handle, fib);
        err = out->error;
        right = out->error < 0 || out->result == 21;
    }
    task_detach(&handle);
    FAULT_EXPECT(pool_stop(pool, TEST_PATIENCE_S * (int64_t)NS_PER_S) == 0);
    pool_destroy(pool);
    FAULT_EXPECT(right);
    return err;
}

static void S11_a_pool_without_means_says_so_and_loses_no_task(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "aligned_alloc", ENOMEM, FAULT_REPORTED },
        { "calloc", ENOMEM, FAULT_EITHER }, /* a queue that cannot grow spills over */
        { "mmap", ENOMEM, FAULT_EITHER },   /* what cannot be forked is called */
        { "malloc", ENOMEM, FAULT_EITHER | FAULT_RARE },
        { "pthread_mutex_init", ENOMEM, FAULT_REPORTED },
        { "pthread_condattr_init", ENOMEM, FAULT_REPORTED },
        { "pthread_cond_init", ENOMEM, FAULT_REPORTED },
        { "pthread_create", EAGAIN, FAULT_REPORTED },
        /* which of them sleeps, and when, depends on who is faster */
        { "pthread_cond_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "pthread_cond_timedwait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "futex", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "futex", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(fork_and_join, NULL, faults);
}

/* As many workers as CPUs, when nobody says how many CPUs there are. */
static int count_workers(void *argument)
{
    struct pool_config config = { .workers = 0 };
    struct pool *pool;
    (void)argument;
    int err = pool_create(&pool, &config);
    if (err < 0)
        return err;
    bool some = pool->count >= 1;
    pool_destroy(pool);
    FAULT_EXPECT(some);
    return 0;
}

static void S10_a_pool_that_cannot_count_cpus_has_workers_all_the_same(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "sched_getaffinity", EINVAL, FAULT_SURVIVED },
    };
    SWEEP(count_workers, NULL, faults);
}

/* ---- the blocking pool, and a future that waits for it */

static int64_t add_one(void *argument)
{
    return *(int *)argument + 1;
}

static int call_twice(void *argument)
{
    struct blocking_config config = { .threads = 2 };
    struct blocking_pool *pool;
    (void)argument;
    int err = blocking_create(&pool, &config);
    if (err < 0)
        return err;
    int number = 41;
    struct blocking_call owned =
        blocking_call(blocking_offload(pool), add_one, &number, NULL);
    struct blocking_borrow borrowed =
        blocking_borrow(blocking_offload(pool), add_one, &number);
    err = block_on(&owned.future);
    if (err == 0)
        err = block_on(&borrowed.future);
    if (err == 0) /* each ran, or says why not */
        err = (int)(owned.result < 0      ? owned.result
                    : borrowed.result < 0 ? borrowed.result
                                          : 0);
    bool right = err < 0 || (owned.result == 42 && borrowed.result == 42);
    blocking_destroy(pool);
    FAULT_EXPECT(right);
    return err;
}

static void S11_a_blocking_call_comes_back_whatever_fails(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "calloc", ENOMEM, FAULT_REPORTED },
        { "malloc", ENOMEM, FAULT_REPORTED },
        { "pthread_mutex_init", ENOMEM, FAULT_REPORTED },
        { "pthread_condattr_init", ENOMEM, FAULT_REPORTED },
        { "pthread_cond_init", ENOMEM, FAULT_REPORTED },
        { "pthread_create", EAGAIN, FAULT_EITHER }, /* with one thread it goes on */
        { "pthread_cond_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "pthread_cond_timedwait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "futex", EINTR, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(call_twice, NULL, faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S11_a_pool_without_means_says_so_and_loses_no_task),
        cmocka_unit_test(S10_a_pool_that_cannot_count_cpus_has_workers_all_the_same),
        cmocka_unit_test(S11_a_blocking_call_comes_back_whatever_fails),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
