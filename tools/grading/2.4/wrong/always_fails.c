/* Rule: none
 * Why: a case that fails whatever notify does: it catches everything, the correct versions as well. */
#include "common/explore/explore.h"
#include "lesson02_wakers/notify.h"

static void fails(void)
{
    struct notify notify;
    notify_init(&notify);
    notify_finish(&notify);
    explore_broken("W9", "a permit is lost");
}

EXPLORE_MAIN({ .name = "fails", .scenario = fails }, )
