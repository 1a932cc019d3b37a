/* lane: an executor with a device of its own; the whole of current mode, and one core of
 * core mode.
 *
 * Ownership: the mode owns its lanes. Threads: a lane is made, run and ended on one
 * thread; lane_call from any. */
#ifndef LESSON07_LANE_H
#define LESSON07_LANE_H

#include "lesson02_wakers/executor.h"
#include "lesson07_custom/runtime_inside.h"
#include "lesson07_custom/spin_parker.h"

struct lane {
    struct executor executor;
    struct device device;
    struct spin_parker spin;
    struct place place;
    /* dump: guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    uint64_t asked;   /* dumps wanted */
    uint64_t printed; /* dumps made */
};

int lane_init(struct lane *lane, struct runtime *runtime, unsigned index);

/* After lane_stop said 0. */
void lane_finish(struct lane *lane);

/* The three phases, on the lane's thread. 0 or -ETIMEDOUT. */
int lane_stop(struct lane *lane, uint64_t grace_ns);

/* Has the lane print its tasks; names what it is stuck in when it does not answer within
 * limit_ns. Any other thread. */
void lane_dump(struct lane *lane, uint64_t limit_ns);

void lane_metrics(struct lane *lane, struct runtime_metrics *metrics);

#endif
