/* Every order of steps of the injector: cases that stay quiet on any right version of
 * injector.c, and find what is wrong with the others. A case creates threads, joins them,
 * and says by EXPLORE_RULE what must hold. Data races, leaks and threads that wait for
 * ever are found without a word from you. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

enum { TASKS = 4 };

static struct injector injector;
static struct task tasks[TASKS];

static void begin(void)
{
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
}

/* An example. It is right, and finds nothing wrong with any version. */
static void one_in_one_out(void)
{
    struct task *got[TASKS];
    begin();
    injector_push(&injector, &tasks[0]);
    unsigned count = injector_pop_batch(&injector, got, TASKS);
    EXPLORE_RULE("W1", count == 1 && got[0] == &tasks[0],
                 "one task was pushed, %u came out", count);
    injector_finish(&injector);
}

/* exercise 6.4 { */
static void expect_length(unsigned expected)
{
    unsigned length = injector_length(&injector);
    EXPLORE_RULE("W1", length == expected, "%u tasks are inside, the length says %u",
                 expected, length);
}

static void expect_pop(unsigned max, unsigned first, unsigned expected)
{
    struct task *got[TASKS + 1];
    unsigned count = injector_pop_batch(&injector, got, max);
    EXPLORE_RULE("order", count == expected, "pop of at most %u: expected %u, got %u",
                 max, expected, count);
    for (unsigned i = 0; i < count; i++)
        EXPLORE_RULE("order", got[i] == &tasks[first + i],
                     "pop of at most %u: task %u is not the oldest", max, i);
}

/* Who pops beside others, and what came out. */
struct popper {
    unsigned max, rounds;
    unsigned got, twice; /* bit n: task n */
};

static void pop(struct popper *popper)
{
    struct task *batch[TASKS];
    for (unsigned round = 0; round < popper->rounds; round++) {
        unsigned count = injector_pop_batch(&injector, batch, popper->max);
        for (unsigned i = 0; i < count; i++) {
            unsigned bit = 1u << (batch[i] - tasks);
            popper->twice |= popper->got & bit;
            popper->got |= bit;
        }
    }
}

static void *pop_main(void *popper)
{
    explore_name("worker");
    pop(popper);
    return NULL;
}

static void *push_main(void *task)
{
    explore_name("outsider");
    injector_push(&injector, task);
    return NULL;
}

static void each_came_out_once(struct popper *popper, unsigned pushed)
{
    struct popper rest = { .max = TASKS, .rounds = 2 };
    pop(&rest);
    EXPLORE_RULE("S2", !(popper->got & rest.got) && !popper->twice && !rest.twice,
                 "a task came out twice");
    EXPLORE_RULE("W1", (popper->got | rest.got) == (1u << pushed) - 1,
                 "a task is left behind; its length says %u",
                 injector_length(&injector));
    expect_length(0);
    injector_finish(&injector);
}
/* } exercise 6.4 */

/* One thread is enough for some promises: order, batches, max, the length. */
static void what_one_thread_sees(void)
{
    /* exercise 6.4 { */
    struct task *batch[3] = { &tasks[1], &tasks[2], &tasks[3] };
    begin();
    injector_push(&injector, &tasks[0]);
    injector_push_batch(&injector, batch, 3);
    expect_length(4);
    expect_pop(2, 0, 2);
    expect_length(2);
    expect_pop(TASKS, 2, 2);
    expect_pop(TASKS, 0, 0);
    injector_push(&injector, &tasks[0]); /* after it ran dry */
    injector_push_batch(&injector, batch, 1);
    expect_pop(1, 0, 1);
    expect_pop(TASKS, 1, 1);
    expect_length(0);
    injector_finish(&injector);
    /* } exercise 6.4: () first in first out, also after it ran dry */
}

/* For the others it takes two or three, which push and pop at once. */
static void one_pushes_one_pops(void)
{
    /* exercise 6.4 { */
    pthread_t worker;
    struct popper popper = { .max = 1, .rounds = 2 };
    struct task *batch[2] = { &tasks[1], &tasks[2] };
    begin();
    injector_push(&injector, &tasks[0]);
    pthread_create(&worker, NULL, pop_main, &popper);
    injector_push_batch(&injector, batch, 2);
    pthread_join(worker, NULL);
    each_came_out_once(&popper, 3);
    /* } exercise 6.4: () each task comes out once, and the length says so */
}

/* exercise 6.4 { */
static void two_push(void)
{
    pthread_t outsider;
    struct popper none = { 0 };
    begin();
    pthread_create(&outsider, NULL, push_main, &tasks[0]);
    injector_push(&injector, &tasks[1]);
    pthread_join(outsider, NULL);
    expect_length(2);
    each_came_out_once(&none, 2);
}

static void two_pop(void)
{
    pthread_t worker;
    struct popper popper = { .max = 2, .rounds = 1 }, other = { .max = 1, .rounds = 1 };
    begin();
    injector_push(&injector, &tasks[0]);
    injector_push(&injector, &tasks[1]);
    pthread_create(&worker, NULL, pop_main, &popper);
    pop(&other);
    pthread_join(worker, NULL);
    popper.twice |= other.twice | (popper.got & other.got);
    popper.got |= other.got;
    each_came_out_once(&popper, 2);
}

static void two_pop_one_task(void)
{
    pthread_t worker;
    struct popper popper = { .max = 2, .rounds = 1 }, other = popper;
    begin();
    injector_push(&injector, &tasks[0]);
    pthread_create(&worker, NULL, pop_main, &popper);
    pop(&other);
    pthread_join(worker, NULL);
    popper.twice |= other.twice | (popper.got & other.got);
    popper.got |= other.got;
    each_came_out_once(&popper, 1);
}
/* } exercise 6.4 */

#define CASE(scenario_)                                                                \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = "W1"                       \
    }

EXPLORE_MAIN(CASE(one_in_one_out), CASE(what_one_thread_sees),
             /* exercise 6.4 { */
             CASE(two_push), CASE(two_pop), CASE(two_pop_one_task),
             /* } exercise 6.4 */
             CASE(one_pushes_one_pops), )
