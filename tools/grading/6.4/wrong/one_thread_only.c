/* Rule: data race
 * Why: order, batches and the length are tried with care, and never two threads at once.
 */
#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

static struct injector injector;
static struct task tasks[4];

static void expect(unsigned max, unsigned first, unsigned expected)
{
    struct task *got[5];
    unsigned count = injector_pop_batch(&injector, got, max);
    EXPLORE_RULE("order", count == expected, "expected %u, got %u", expected, count);
    for (unsigned i = 0; i < count; i++)
        EXPLORE_RULE("order", got[i] == &tasks[first + i], "the wrong task");
}

static void alone(void)
{
    struct task *batch[3] = { &tasks[1], &tasks[2], &tasks[3] };
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    injector_push(&injector, &tasks[0]);
    injector_push_batch(&injector, batch, 3);
    EXPLORE_RULE("W1", injector_length(&injector) == 4, "the length is not four");
    expect(1, 0, 1);
    expect(3, 1, 3);
    injector_push(&injector, &tasks[0]);
    expect(4, 0, 1);
    injector_finish(&injector);
}

EXPLORE_MAIN({ .name = "alone", .scenario = alone }, )
