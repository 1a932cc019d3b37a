/* The pool through lesson 2's list of what every scheduler must do: with one worker,
 * which leaves no second one to hide behind, and with three. */
#include "lesson02_wakers/scheduler_contract.h"

#include "lesson06_worksteal/pool.h"

struct pool_world {
    int workers;
    unsigned queue_capacity;
    struct pool *pool;
};

static struct scheduler *open_subject(void *argument)
{
    struct pool_world *world = argument;
    struct pool_config config = { .workers = world->workers,
                                  .queue_capacity = world->queue_capacity };
    assert_int_equal(pool_create(&world->pool, &config), 0);
    return &world->pool->scheduler;
}

static void stop_subject(void *argument)
{
    struct pool_world *world = argument;
    int64_t patience = TEST_PATIENCE_S * (int64_t)NS_PER_S;
    assert_int_equal(pool_stop(world->pool, patience), 0);
}

static void close_subject(void *argument)
{
    struct pool_world *world = argument;
    assert_int_equal(pool_live(world->pool), 0);
    assert_int_equal(pool_stalled(world->pool), 0);
    pool_destroy(world->pool);
}

static struct pool_world alone = { .workers = 1 };
static struct pool_world three = { .workers = 3 };
static struct pool_world narrow = { .workers = 3, .queue_capacity = 2 };

#define POOL_SUBJECT(subject_world)                                                    \
    {                                                                                  \
        .name = "pool", .world = &(subject_world), .open = open_subject,               \
        .stop = stop_subject, .close = close_subject                                   \
    }

static struct scheduler_subject one_worker = POOL_SUBJECT(alone);
static struct scheduler_subject three_workers = POOL_SUBJECT(three);
static struct scheduler_subject queues_of_two = POOL_SUBJECT(narrow);

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEDULER_CONTRACT(one_worker),
        SCHEDULER_CONTRACT(three_workers),
        SCHEDULER_CONTRACT(queues_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
