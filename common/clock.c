/* clock: a thin cover over clock_gettime, and saturating deadlines. */
#include "common/clock.h"

#include <time.h>

#include "common/check.h"

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    int err = clock_gettime(id, &now);
    CHECK(err == 0, "clock_gettime(%d) failed; the clock ids used here always exist",
          (int)id);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_at_last_tick(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

uint64_t clock_tick(void)
{
    struct timespec tick;
    int err = clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    CHECK(err == 0, "the clock of ticks exists since Linux 2.6.32");
    return (uint64_t)tick.tv_sec * NS_PER_S + (uint64_t)tick.tv_nsec;
}

uint64_t clock_process_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_after(uint64_t now, uint64_t delay)
{
    uint64_t sum = now + delay;
    return sum < now || sum == CLOCK_NEVER ? CLOCK_NEVER - 1 : sum;
}
