/* Every order of steps of the injector: who pushes, who pops, who is about to sleep. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

enum { TASKS = 3 };

static struct injector injector;
static struct task tasks[TASKS];

/* Who pops, and what came out. */
struct popper {
    unsigned max, rounds;
    unsigned got, twice; /* bit n: task n */
};

static void begin(void)
{
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
}

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

/* Everything is out, once; and the length, which a sleeper trusts, says so. */
static void end(struct popper *popper, unsigned pushed)
{
    struct popper rest = { .max = TASKS, .rounds = 1 };
    pop(&rest);
    EXPLORE_RULE("S2", !(popper->got & rest.got) && !popper->twice && !rest.twice,
                 "a task came out twice");
    EXPLORE_RULE("W1", (popper->got | rest.got) == (1u << pushed) - 1,
                 "a task is left behind; its length says %u",
                 injector_length(&injector));
    EXPLORE_RULE("W1", injector_length(&injector) == 0,
                 "the injector is empty, its length says %u",
                 injector_length(&injector));
    injector_finish(&injector);
}

static void push_against_pop(void)
{
    pthread_t worker;
    struct popper popper = { .max = 1, .rounds = 2 };
    struct task *batch[2] = { &tasks[1], &tasks[2] };
    begin();
    injector_push(&injector, &tasks[0]);
    pthread_create(&worker, NULL, pop_main, &popper);
    injector_push_batch(&injector, batch, 2);
    pthread_join(worker, NULL);
    end(&popper, 3);
}

static void two_push(void)
{
    pthread_t outsider, worker;
    struct popper popper = { .max = 2, .rounds = 1 };
    begin();
    pthread_create(&outsider, NULL, push_main, &tasks[0]);
    pthread_create(&worker, NULL, pop_main, &popper);
    injector_push(&injector, &tasks[1]);
    pthread_join(outsider, NULL);
    pthread_join(worker, NULL);
    end(&popper, 2);
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
    end(&popper, 2);
}

/* ---- what push promises to one who is about to sleep */

static _Atomic bool sleeping;

static void *announce_main(void *looked)
{
    explore_name("sleeper");
    /* seq_cst: pairs with the look in push_against_sleep */
    atomic_store_explicit(&sleeping, true, memory_order_seq_cst);
    *(unsigned *)looked = injector_length(&injector);
    return NULL;
}

static void push_against_sleep(void)
{
    pthread_t sleeper;
    unsigned looked;
    struct popper none = { 0 };
    begin();
    pthread_create(&sleeper, NULL, announce_main, &looked);
    injector_push(&injector, &tasks[0]);
    /* seq_cst: pairs with announce_main */
    bool told = atomic_load_explicit(&sleeping, memory_order_seq_cst);
    pthread_join(sleeper, NULL);
    EXPLORE_RULE("W1", told || looked, "one sleeps beside a task, and nobody knows");
    end(&none, 1);
}

#define CASE(scenario_)                                                                \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = "S2, W1", .models = 7      \
    }

EXPLORE_MAIN(CASE(push_against_pop), CASE(two_push), CASE(two_pop),
             CASE(push_against_sleep), )
