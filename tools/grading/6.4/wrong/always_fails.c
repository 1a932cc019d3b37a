/* Rule: W1
 * Why: it is loud on everything, also on the versions that are right.
 */
#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

static void broken(void)
{
    struct injector injector;
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    injector_finish(&injector);
    EXPLORE_RULE("W1", false, "there must be something");
}

EXPLORE_MAIN({ .name = "broken", .scenario = broken }, )
