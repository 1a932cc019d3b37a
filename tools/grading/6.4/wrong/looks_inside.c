/* Rule: order
 * Why: it asserts how the lesson's version makes its list, which no header promises.
 */
#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

static struct injector injector;
static struct task tasks[2];

static void list(void)
{
    struct task *got[2];
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    injector_push(&injector, &tasks[0]);
    injector_push(&injector, &tasks[1]);
    EXPLORE_RULE("order", injector.head == &tasks[0] && tasks[0].next == &tasks[1],
                 "the list is not in order");
    injector_pop_batch(&injector, got, 2);
    EXPLORE_RULE("order", injector.tail == &injector.head, "the tail is left behind");
    injector_finish(&injector);
}

EXPLORE_MAIN({ .name = "list", .scenario = list }, )
