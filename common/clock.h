/* clock: monotonic time in nanoseconds.
 *
 * Unit: nanoseconds since an arbitrary start, in a uint64_t (584 years). CLOCK_NEVER is
 * the deadline that no clock reaches. Threads: any. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

uint64_t clock_now(void);

/* The same clock for a third of the price: what it said at the kernel's last tick.
 * clock_tick() is how long ago that may be, 1 to 10 ms. */
uint64_t clock_at_last_tick(void);
uint64_t clock_tick(void);

/* CPU time that this process (all its threads) has used. */
uint64_t clock_process_cpu(void);

/* now + delay, or CLOCK_NEVER - 1 where that would wrap or be the sentinel: a deadline
 * that somebody asked for is always reachable in principle (RULES T1). */
uint64_t clock_after(uint64_t now, uint64_t delay);

#endif
