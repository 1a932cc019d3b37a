/* Every order of steps of a task group: a member that ends on one thread, while its owner
 * joins, cancels or destroys on another. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/explore_testing.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/group.h"

static struct single *single;
static struct gate gate;
static struct task_group *group;
static struct sleeper sleepers[1];
static struct group_join join;

static int news_of(const struct future *future)
{
    return ((const struct gate_wait *)future)->result; /* its first member */
}

/* A group with one member, which has not run. */
static void open_group(void)
{
    single = single_begin();
    CHECK(group_create(&group,
                       &(struct group_config){ .scheduler = &single->scheduler }) == 0,
          "no group");
    CHECK(GROUP_SPAWN(group, news_of, gate_wait(&gate)) == 0, "no member");
    join = group_join(group);
}

/* The member has run, and waits at the gate. */
static void open_group_at_the_gate(void)
{
    open_group();
    single_run_one(single);
}

static void close_group(void)
{
    sleepers_end(sleepers, 1, "W1");
    group_destroy(group);
    single_end(single);
    waker_drop(&gate.waker);
}

static void *runs(void *unused)
{
    explore_name("runner");
    single_run_one(single);
    return unused;
}

static void *opens_and_runs(void *unused)
{
    explore_name("runner");
    gate_open(&gate);
    single_run_one(single);
    return unused;
}

static void join_against_end(void)
{
    explore_name("owner");
    open_group_at_the_gate();
    sleeper_poll_against(&sleepers[0], &join.future, opens_and_runs);
    close_group();
    EXPLORE_RULE("F6", join.result == 0, "the member has not failed: %d", join.result);
}

/* The owner waits; the wake of the member's end is under way when it is polled again,
 * joins, and destroys the group at once (W5). */
static void destroy_against_last_wake(void)
{
    pthread_t other;
    explore_name("owner");
    open_group();
    atomic_init(&gate.open, true);
    gate.news = 7;
    sleeper_poll(&sleepers[0], &join.future);
    pthread_create(&other, NULL, runs, NULL);
    bool ready = sleeper_poll_again(&sleepers[0]);
    if (ready)
        group_destroy(group);
    pthread_join(other, NULL);
    if (!ready) {
        close_group();
        return;
    }
    single_end(single);
    waker_drop(&gate.waker);
}

/* The owner cancels the join: the member is cancelled, or it has ended by then. */
static void cancel_against_end(void)
{
    pthread_t other;
    explore_name("owner");
    open_group_at_the_gate();
    sleeper_poll(&sleepers[0], &join.future);
    pthread_create(&other, NULL, opens_and_runs, NULL);
    future_cancel(&join.future);
    sleeper_poll_again(&sleepers[0]);
    pthread_join(other, NULL);
    single_run_one(single);
    close_group();
    EXPLORE_RULE("F6", join.result == 0 || join.result == -ECANCELED, "%d",
                 join.result);
}

#define GROUP_CASE(scenario_name, what)                                                \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 3, \
    }

EXPLORE_MAIN(GROUP_CASE(join_against_end, "W1"),
             GROUP_CASE(destroy_against_last_wake, "W5"),
             GROUP_CASE(cancel_against_end, "W1"), )
