/* Exercise 6.4: What an injector must never do.
 * What to do stands in 6.4_kill_injector.md. */
/* Every order of steps of the injector: cases that stay quiet on any right version of
 * injector.c, and find what is wrong with the others. A case creates threads, joins them,
 * and says by EXPLORE_RULE what must hold. Data races, leaks and threads that wait for
 * ever are found without a word from you. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "common/todo.h"
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

/* One thread is enough for some promises: order, batches, max, the length. */
static void what_one_thread_sees(void)
{
    /* Yours: first in first out, also after it ran dry */
    EXERCISE_TODO("6.4");
}

/* For the others it takes two or three, which push and pop at once. */
static void one_pushes_one_pops(void)
{
    /* Yours: each task comes out once, and the length says so */
    EXERCISE_TODO("6.4");
}

#define CASE(scenario_)                                                                \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = "W1"                       \
    }

EXPLORE_MAIN(CASE(one_in_one_out), CASE(what_one_thread_sees),
             CASE(one_pushes_one_pops), )
