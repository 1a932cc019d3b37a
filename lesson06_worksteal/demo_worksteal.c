/* demo: who does the work.
 *
 * A tree whose shape nobody knows before is counted by one task a node. With stealing the
 * workers share it, however lopsided it is; without, the one worker that got the root
 * does almost everything, beside others that sleep. Exits non-zero if that is not what
 * happened. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/say.h"
#include "lesson06_worksteal/pool.h"
#include "lesson06_worksteal/samples.h"

#define TREE_SEED 40
#define TREE_DEPTH 22
#define TREE_WORK 200
#define FIB_N 24

struct outcome {
    uint64_t result;
    double wall_ms;
    uint64_t run;       /* polls, all workers */
    uint64_t run_most;  /* by the busiest one */
    unsigned took_part; /* workers with more than 1 % of the polls */
};

static void must(int err, const char *what)
{
    if (err == 0)
        return;
    fprintf(stderr, "demo_worksteal: %s: %s\n", what, errtext(err));
    exit(1);
}

static void say_workers(struct pool *pool, struct outcome *outcome)
{
    for (unsigned i = 0; i < pool->count; i++)
        outcome->run += STAT(pool->workers[i].stats.run);
    for (unsigned i = 0; i < pool->count; i++) {
        struct worker_stats *stats = &pool->workers[i].stats;
        uint64_t run = STAT(stats->run);
        say("   worker %u: %7llu polls (%3.0f %%), %5llu tasks stolen, parked %4llu "
            "times",
            i, (unsigned long long)run, 100.0 * (double)run / (double)outcome->run,
            (unsigned long long)STAT(stats->stolen),
            (unsigned long long)STAT(stats->parked));
        if (run > outcome->run_most)
            outcome->run_most = run;
        outcome->took_part += run > outcome->run / 100;
    }
}

/* Runs the tree (or fib) on a fresh pool and prints a line for each worker. */
static struct outcome run(int workers, bool no_stealing, bool use_fib)
{
    struct pool *pool;
    struct task_handle handle = { NULL };
    struct outcome outcome = { 0 };
    must(pool_create(&pool, &(struct pool_config){ .workers = workers,
                                                   .no_stealing = no_stealing }),
         "cannot start the workers");
    struct tree root_tree = tree(&pool->scheduler, TREE_SEED, TREE_DEPTH, TREE_WORK);
    struct fib root_fib = fib(&pool->scheduler, FIB_N);
    uint64_t start = clock_now();
    must(pool_block_on(pool, use_fib ? &root_fib.future : &root_tree.future, &handle),
         "cannot run the root task");
    outcome.wall_ms = (double)(clock_now() - start) / (double)NS_PER_MS;
    outcome.result =
        use_fib ? TASK_OUTPUT(&handle, fib)->result : TASK_OUTPUT(&handle, tree)->nodes;
    task_detach(&handle);
    must(pool_stop(pool, 5 * (int64_t)NS_PER_S), "cannot stop");
    say("%d worker%s: %llu in %.0f ms", workers, workers == 1 ? "" : "s",
        (unsigned long long)outcome.result, outcome.wall_ms);
    say_workers(pool, &outcome);
    pool_destroy(pool);
    return outcome;
}

static int usable_workers(void)
{
    struct pool *pool;
    must(pool_create(&pool, &(struct pool_config){ .workers = 0 }), "cannot start");
    int count = (int)pool->count;
    pool_destroy(pool);
    return count < 2 ? 2 : count > 4 ? 4 : count;
}

int main(void)
{
    int most = usable_workers();
    bool fine = true;
    uint64_t nodes = tree_count(TREE_SEED, TREE_DEPTH);

    say_step("Count the nodes of an unbalanced tree, one task a node");
    struct outcome shared = { 0 };
    for (int workers = 1; workers <= most; workers *= 2) {
        shared = run(workers, false, false);
        fine = fine && shared.result == nodes;
    }
    fine = fine && shared.took_part > 1;
    say_look("few steals move much work: a thief takes the oldest task, near the root");

    say_step("The same, each worker for itself: stealing is switched off");
    struct outcome alone = run(most, true, false);
    fine = fine && alone.result == nodes && alone.run_most > alone.run * 8 / 10;
    say_look("the worker that got the root keeps it all, the others sleep");

    say_step("fib(%d) by two tasks a call: all scheduler, no work", FIB_N);
    for (int workers = 1; workers <= most; workers *= 2) {
        struct outcome outcome = run(workers, false, true);
        fine = fine && outcome.result == 46368;
        say("   %.0f ns a task", outcome.wall_ms * 1e6 / (double)fib_tasks(FIB_N));
    }
    say_look("tasks this small are not worth sharing; the tree's were");

    if (!fine) {
        fprintf(stderr, "demo_worksteal: that is not what the lesson claims\n");
        return 1;
    }
    say_next("read lesson06_worksteal/README.md, then change no_stealing in 2. to "
             "no_lifo_slot");
    return 0;
}
