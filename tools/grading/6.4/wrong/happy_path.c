/* Rule: W1
 * Why: only the way that everybody goes is tried, by one thread: push, push, pop all.
 */
#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

static struct injector injector;
static struct task tasks[2];

static void push_and_pop(void)
{
    struct task *got[2];
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    injector_push(&injector, &tasks[0]);
    injector_push(&injector, &tasks[1]);
    unsigned count = injector_pop_batch(&injector, got, 2);
    EXPLORE_RULE("order", count == 2 && got[0] == &tasks[0], "the wrong tasks");
    injector_finish(&injector);
}

EXPLORE_MAIN({ .name = "push_and_pop", .scenario = push_and_pop }, )
