/* Every order of steps of the blocking pool: jobs against threads that come and go.
 * B1 to B3 stand in blocking.c. */
#include <errno.h>

#include "common/container.h"
#include "common/explore/explore.h"
#include "lesson06_worksteal/blocking.h"

enum { JOBS = 2 };

struct job {
    struct offload_job base;
    int runs; /* plain: the pool hands it over */
    int answer;
    bool withdrawn;
};

static struct job jobs[JOBS];
static struct blocking_pool *pool;

static void run_job(struct offload_job *base)
{
    container_of(base, struct job, base)->runs++;
}

static void submit(struct job *job)
{
    struct offload *offload = blocking_offload(pool);
    job->base.run = run_job;
    job->answer = offload->ops->submit(offload, &job->base);
}

static void *submit_main(void *job)
{
    explore_name("outsider");
    submit(job);
    return NULL;
}

/* false: there is no memory for a pool. */
static bool begin(unsigned threads)
{
    struct blocking_config config = { .threads = threads, .queue = 2 };
    explore_name("main");
    return blocking_create(&pool, &config) == 0;
}

/* What was accepted has run once, when the stop is over; what was refused has not. */
static void end(const char *rule, unsigned count)
{
    int err = blocking_stop(pool, -1);
    EXPLORE_RULE(rule, err == 0, "the stop came to %d", err);
    for (unsigned i = 0; i < count; i++)
        EXPLORE_RULE(rule, jobs[i].runs == (jobs[i].answer == 0 && !jobs[i].withdrawn),
                     "job %u was answered %d and run %d times", i, jobs[i].answer,
                     jobs[i].runs);
    blocking_destroy(pool);
}

static void one_job(void)
{
    begin(1);
    submit(&jobs[0]);
    end("B1", 1);
}

/* The thread may find that it has idled long enough just when the second job comes. */
static void submit_against_idle_end(void)
{
    begin(1);
    submit(&jobs[0]);
    submit(&jobs[1]);
    end("B2", 2);
}

static void two_submit(void)
{
    pthread_t outsider;
    begin(2);
    pthread_create(&outsider, NULL, submit_main, &jobs[0]);
    submit(&jobs[1]);
    pthread_join(outsider, NULL);
    end("B1", 2);
}

static void stop_against_submit(void)
{
    pthread_t outsider;
    begin(1);
    pthread_create(&outsider, NULL, submit_main, &jobs[0]);
    int err = blocking_stop(pool, -1);
    EXPLORE_RULE("S12", err == 0, "the stop came to %d", err);
    pthread_join(outsider, NULL);
    end("S12", 1);
}

static void withdraw_against_run(void)
{
    begin(1);
    submit(&jobs[0]);
    struct offload *offload = blocking_offload(pool);
    jobs[0].withdrawn = offload->ops->withdraw(offload, &jobs[0].base);
    end("B1", 1);
}

/* No thread can be had: for the first job, or for the second. */
static void thread_not_created(void)
{
    if (!begin(2))
        return;
    submit(&jobs[0]);
    submit(&jobs[1]);
    for (unsigned i = 0; i < JOBS; i++)
        EXPLORE_RULE("S11", jobs[i].answer == 0 || jobs[i].answer == -EAGAIN,
                     "the answer is %d", jobs[i].answer);
    end("S11", JOBS);
}

#define CASE(scenario_, rules_, ...)                                                   \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = rules_,                    \
        .hang_rule = __VA_ARGS__                                                       \
    }

EXPLORE_MAIN(CASE(one_job, "B1, B3", "B2", .timeouts = 1),
             CASE(submit_against_idle_end, "B2, B3", "B2", .timeouts = 1),
             CASE(two_submit, "B1, B2", "B2"), CASE(stop_against_submit, "S12", "S12"),
             CASE(withdraw_against_run, "B1", "B1", .timeouts = 1),
             CASE(thread_not_created, "S11", "S11", .failing_allocations = 2), )
