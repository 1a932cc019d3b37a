/* Rule: W1
 * Why: it takes for granted that the worker comes after the push: in half of the orders it
 * comes before, and rightly gets nothing.
 */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

static struct injector injector;
static struct task task;
static unsigned count;

static void *pop_main(void *unused)
{
    struct task *got[1];
    explore_name("worker");
    count = injector_pop_batch(&injector, got, 1);
    return unused;
}

static void push_then_pop(void)
{
    pthread_t worker;
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    pthread_create(&worker, NULL, pop_main, NULL);
    injector_push(&injector, &task);
    pthread_join(worker, NULL);
    EXPLORE_RULE("W1", count == 1, "the worker got %u tasks", count);
    injector_finish(&injector);
}

EXPLORE_MAIN({ .name = "push_then_pop", .scenario = push_then_pop }, )
