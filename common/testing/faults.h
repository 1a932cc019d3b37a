/* faults: make the n-th call of a function fail.
 *
 * Every test program is linked with -Wl,--wrap for each function that faults_wrap.c wraps,
 * so that a call from the course's code lands there first; calls from inside shared
 * libraries do not. Disarmed, a wrapper calls the real function and nothing else.
 *
 *     for (long n = 1; fault_sweep(n, "malloc", ENOMEM); n++) { ...run the scenario...  }
 *
 * runs the scenario with the first, second, ... malloc failing, until a run in which
 * nothing failed. "*" stands for every wrapped function.
 *
 * SWEEP does that for a whole table of faults, and says what all such tests have to say:
 *
 *     static int serve_one(void *argument) { ...; return err; }
 *     static const struct fault faults[] = { { "socket", EMFILE, FAULT_REPORTED },
 *                                            { "recv", EINTR, FAULT_SURVIVED } };
 *     SWEEP(serve_one, NULL, faults);
 *
 * After each run as many descriptors are open, as many blocks allocated and as many bytes
 * mapped as before it; the answer is the one in the table; and no run may take longer than
 * TEST_PATIENCE_S, which is how a lost wake-up shows itself. FAULTS.md beside this file
 * lists which module makes which calls, and which test makes them fail.
 *
 * Some names of calls are not functions: "futex" (to wait), "openat2", "io_uring_setup" and
 * "io_uring_enter" stand for syscall(2) with that number, and "sqe" for an operation that is
 * handed to a ring: it does nothing and completes with -err. "getline" is __getdelim.
 *
 * Threads: the wrappers from any thread; arm and disarm from the test's main thread,
 * while no other thread is inside the scenario. Pause and resume at any time. */
#ifndef COMMON_TESTING_FAULTS_H
#define COMMON_TESTING_FAULTS_H

#include <stdbool.h>

#include "common/container.h"

/* In place of an errno, for calls that move bytes: one byte only, or none (result 0). */
#define FAULT_SHORT (-1)
#define FAULT_NOTHING (-2)

/* The n-th call (1 = the next one) of `call` fails once with errno `err`. A close that
 * fails has closed all the same; a wait for a condition that "fails" is a wake-up for no
 * reason. */
void fault_arm(const char *call, long nth, int err);

/* Every call of `call` fails with `err`, until disarmed. */
void fault_arm_always(const char *call, int err);

/* Each failure calls `then(argument)` first, inside the failing call, with the faults
 * disarmed: what happens "between EAGAIN and the next line". NULL: nothing, again. */
void fault_call_then(void (*then)(void *argument), void *argument);

void fault_disarm(void);

/* For the parts of a scenario that are not to fail: calls between the two count as if the
 * faults were disarmed. */
void fault_pause(void);
void fault_resume(void);

/* How many calls were made to fail since the last arm. */
long fault_count(void);

/* Loop condition of a sweep: disarms; false once run n - 1 saw no failure (so n = 1 is
 * always true); else arms call n. */
bool fault_sweep(long n, const char *call, int err);

/* Can an operation on a ring be made to fail ("sqe")? Needs Linux 6.10. */
bool fault_sqe_works(void);

/* ---- tables of faults */

enum fault_answer {
    FAULT_REPORTED, /* the scenario answers -err */
    FAULT_SURVIVED, /* it answers 0: tried again, or done without */
    FAULT_EITHER,   /* it depends on which call it was */
    FAULT_RARE = 4, /* or'ed to one of them: the call is not made on every machine */
};

struct fault {
    const char *call;
    int err;    /* an errno, FAULT_SHORT or FAULT_NOTHING */
    int answer; /* enum fault_answer */
};

/* Runs the scenario once without a fault, when it has to answer 0; then with the first,
 * second, ... call failing, for each row. It answers 0, a negative errno, or the line at
 * which it saw something wrong (FAULT_EXPECT). It undoes what it did, whatever fails, and
 * asserts nothing itself. */
#define SWEEP(run, argument, faults)                                                   \
    sweep_faults(#run, (run), (argument), (faults), ARRAY_SIZE(faults))
void sweep_faults(const char *name, int (*run)(void *argument), void *argument,
                  const struct fault *faults, unsigned count);

#define FAULT_EXPECT(condition)                                                        \
    do {                                                                               \
        if (!(condition))                                                              \
            return __LINE__;                                                           \
    } while (0)

/* ---- what is alive */

/* Blocks that wrapped calls allocated and did not free; of those that libc itself
 * allocates, getline's, open_memstream's and scandir's. */
long fault_blocks_alive(void);

/* Bytes that wrapped calls mapped and did not unmap, in whole pages. */
long fault_bytes_mapped(void);

#endif
