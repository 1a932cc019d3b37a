/* Every order of steps of the pool's pieces where threads meet: a spawn and the stop, a
 * visitor and the end of the pool, an errand and a worker on its way to sleep. */
#include <errno.h>

#include "common/clock.h"
#include "lesson06_worksteal/explore_pool.h"

static int spawned; /* what the outsider's spawn came to */

static void *outsider_main(void *pool)
{
    explore_name("outsider");
    spawned = spawn_note(pool, 0);
    return NULL;
}

/* No worker plays here: what was admitted is in the injector, where the stop finds it. */
static void stop_against_spawn(void)
{
    pthread_t outsider;
    struct task *left[NOTES];
    struct pool *pool = small_pool(1);
    explore_name("stopper");
    pthread_create(&outsider, NULL, outsider_main, pool);
    pool_stop(pool, PARK_FOREVER);
    unsigned found = injector_length(&pool->injector);
    pthread_join(outsider, NULL);
    EXPLORE_RULE("S12", found == (spawned == 0),
                 "the spawn came to %d, and the stop found %u tasks", spawned, found);
    run_all(&pool->workers[0], left, collect_the_rest(pool, left, NOTES));
    pool_destroy(pool);
}

/* The outsider is still inside pool_schedule when its task has ended the pool (W5). */
static void destroy_against_visitor(void)
{
    pthread_t outsider, worker;
    struct pool *pool = small_pool(1);
    explore_name("main");
    atomic_init(&notes_due, 1);
    pthread_create(&outsider, NULL, outsider_main, pool);
    pthread_create(&worker, NULL, worker_main, &pool->workers[0]);
    pthread_join(worker, NULL);
    pool_destroy(pool);
    pthread_join(outsider, NULL);
    each_ran_once("S12", 1);
}

/* ---- an errand */

static int errands;

static void count_errand(struct worker *worker, void *argument)
{
    (void)worker;
    (void)argument;
    errands++;
}

static void start_worker(struct pool *pool)
{
    pthread_create(&pool->workers[0].thread, NULL, worker_main, &pool->workers[0]);
    pool->threads = 1;
}

static void send_home(struct pool *pool)
{
    pool_wake_all(pool, POOL_EXIT);
    pthread_join(pool->workers[0].thread, NULL);
    pool->threads = 0;
    pool_destroy(pool);
}

static void errand_against_sleep(void)
{
    struct pool *pool = small_pool(1);
    explore_name("caller");
    start_worker(pool);
    int err = pool_errand(pool, count_errand, NULL, PARK_FOREVER);
    EXPLORE_RULE("errand", err == 0 && errands == 1, "%d errands were run: %d", errands,
                 err);
    send_home(pool);
}

static void errand_in_time_or_not(void)
{
    struct pool *pool = small_pool(1);
    explore_name("caller");
    start_worker(pool);
    int err = pool_errand(pool, count_errand, NULL, (int64_t)NS_PER_MS);
    EXPLORE_RULE("errand", err == 0 ? errands == 1 : err == -ETIMEDOUT && errands == 0,
                 "%d errands were run: %d", errands, err);
    send_home(pool);
}

static void exit_against_sleep(void)
{
    struct pool *pool = small_pool(1);
    explore_name("caller");
    start_worker(pool);
    send_home(pool);
}

static void stop_against_sleep(void)
{
    struct pool *pool = small_pool(1);
    explore_name("stopper");
    start_worker(pool);
    pool_destroy(pool);
}

/* ---- how many tasks are there? */

static void *busy_main(void *argument)
{
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    explore_name("worker");
    struct task_home *before = sit_down(worker);
    pool->scheduler.ops->admit(&pool->scheduler);
    pool->scheduler.ops->retire(&pool->scheduler);
    stand_up(worker, before);
    return NULL;
}

/* One task is live; it spawns another, and ends. */
static void count_against_spawn(void)
{
    pthread_t busy;
    struct pool *pool = small_pool(1);
    explore_name("stopper");
    STAT_ADD(pool->workers[0].stats.admitted, 1);
    pthread_create(&busy, NULL, busy_main, &pool->workers[0]);
    uint64_t live = pool_live(pool);
    pthread_join(busy, NULL);
    EXPLORE_RULE("count", live == 1 || live == 2,
                 "one task or two are live, and %llu are counted",
                 (unsigned long long)live);
    pool_destroy(pool);
}

/* ---- the whole pool, from the creation of its threads */

static void whole(unsigned workers)
{
    struct pool *pool;
    struct pool_config config = { .workers = (int)workers, .queue_capacity = 2 };
    explore_name("main");
    CHECK(pool_create(&pool, &config) == 0, "no pool");
    CHECK(spawn_note(pool, 0) == 0, "no task");
    pool_destroy(pool);
    each_ran_once("S12", 1);
}

static void whole_pool(void)
{
    whole(1);
}

static void whole_pool_of_two(void)
{
    whole(2);
}

#define CASE(scenario_, ...)                                                           \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = __VA_ARGS__                \
    }

EXPLORE_MAIN(CASE(stop_against_spawn, "S12"), CASE(destroy_against_visitor, "W5"),
             CASE(errand_against_sleep, "W1, S12", .hang_rule = "W1"),
             CASE(errand_in_time_or_not, "S12", .hang_rule = "W1", .timeouts = 1),
             CASE(exit_against_sleep, "W1", .hang_rule = "W1"),
             CASE(stop_against_sleep, "W1", .hang_rule = "W1"),
             CASE(count_against_spawn, "S12"),
             CASE(whole_pool, "S12", .hang_rule = "W1", .models = 1, .bound = 2),
             CASE(whole_pool_of_two, "S12", .hang_rule = "W1", .models = 1, .bound = 1,
                  .deep = true), )
