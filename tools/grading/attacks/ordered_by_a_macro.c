/* The same by a macro of the course's: it tells the race detector that there is an order.
 * screen alone: refuses */
#define MEMCHECK_TSAN 1
#include "common/memcheck.h"

static void attack(void)
{
    static int orders;
    MEM_HANDED_OVER(&orders);
    MEM_TAKEN_OVER(&orders);
}
