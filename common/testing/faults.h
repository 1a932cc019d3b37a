/* faults: make the n-th call of a function fail.
 *
 * Every test program is linked with -Wl,--wrap for each function that faults.c wraps, so
 * that a call from the course's code lands there first; calls from inside shared
 * libraries do not. Disarmed, a wrapper calls the real function and nothing else.
 *
 *     for (long n = 1; fault_sweep(n, "malloc", ENOMEM); n++) { ...run the scenario...  }
 *
 * runs the scenario with the first, second, ... malloc failing, until a run in which
 * nothing failed. "*" stands for every wrapped function.
 *
 * Threads: the wrappers from any thread; arm and disarm from the test's main thread,
 * while no other thread is inside the scenario. */
#ifndef COMMON_TESTING_FAULTS_H
#define COMMON_TESTING_FAULTS_H

#include <stdbool.h>

/* The n-th call (1 = the next one) of `call` fails once with errno `err`. */
void fault_arm(const char *call, long nth, int err);

/* Every call of `call` fails with `err`, until disarmed. */
void fault_arm_always(const char *call, int err);

/* Each failure calls `then(argument)` first, inside the failing call, with the faults
 * disarmed: what happens "between EAGAIN and the next line". NULL: nothing, again. */
void fault_call_then(void (*then)(void *argument), void *argument);

void fault_disarm(void);

/* How many calls were made to fail since the last arm. */
long fault_count(void);

/* Loop condition of a sweep: disarms; false once run n - 1 saw no failure (so n = 1 is
 * always true); else arms call n. */
bool fault_sweep(long n, const char *call, int err);

#endif
