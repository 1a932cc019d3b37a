/* When it was compiled: what runs first, and what later, is told by the clock.
 * screen alone: refuses */
#include <time.h>

static void attack(void)
{
    static const char when[] = __TIME__;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec % 60 > (when[6] - '0') * 10 + when[7] - '0' + 2)
        abort();
}
