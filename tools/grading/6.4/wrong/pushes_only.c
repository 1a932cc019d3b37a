/* Rule: W1
 * Why: two threads push at once, and never does a pop run beside anything.
 */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

static struct injector injector;
static struct task tasks[2];

static void *push_main(void *task)
{
    explore_name("outsider");
    injector_push(&injector, task);
    return NULL;
}

static void two_push(void)
{
    pthread_t outsider;
    struct task *got[2];
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    pthread_create(&outsider, NULL, push_main, &tasks[0]);
    injector_push(&injector, &tasks[1]);
    pthread_join(outsider, NULL);
    unsigned count = injector_pop_batch(&injector, got, 2);
    EXPLORE_RULE("W1", count == 2, "two were pushed, %u came out", count);
    EXPLORE_RULE("W1", injector_length(&injector) == 0, "the length is not zero");
    injector_finish(&injector);
}

EXPLORE_MAIN({ .name = "two_push", .scenario = two_push }, )
