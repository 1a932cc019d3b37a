/* lane: an executor with a device of its own; the whole of current mode, and one core of
 * core mode.
 *
 * Ownership: the mode owns its lanes. Threads: a lane is made, run and closed on one
 * thread; lane_dump and lane_metrics from any other. */
#ifndef LESSON07_LANE_H
#define LESSON07_LANE_H

#include "lesson02_wakers/executor.h"
#include "lesson07_custom/held_parker.h"
#include "lesson07_custom/runtime_inside.h"
#include "lesson07_custom/spin_parker.h"

struct lane {
    struct executor executor;
    struct device device;
    struct held_parker held; /* with a virtual clock only */
    struct spin_parker spin;
    struct place place;
    /* dump: guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    uint64_t asked;   /* dumps wanted */
    uint64_t printed; /* dumps made */
    bool closed;      /* nobody answers any more */
};

int lane_init(struct lane *lane, struct runtime *runtime, unsigned index);

/* The stop, a phase at a time, on the lane's thread. drain: listeners and idle
 * connections see the end. run_for: 0 when no task is left, else -ETIMEDOUT or -EDEADLK.
 * cancel: refuses and cancels; 0, or -ETIMEDOUT after naming who stays. */
void lane_drain(struct lane *lane);
int lane_run_for(struct lane *lane, uint64_t limit_ns);
int lane_cancel(struct lane *lane);

/* Has somebody brought tasks since lane_run_for said 0? */
bool lane_has_work(struct lane *lane);

/* After lane_cancel said 0, on the lane's thread: ends the device. A dump finds nothing
 * from now on, and a spawn from elsewhere is refused until lane_finish. */
void lane_close(struct lane *lane);

/* What is left then; any thread, when no other can spawn or wake here any more. */
void lane_finish(struct lane *lane);

/* Has the lane print its tasks; names what it is stuck in when it does not answer within
 * limit_ns. Any other thread. */
void lane_dump(struct lane *lane, uint64_t limit_ns);

void lane_metrics(struct lane *lane, struct runtime_metrics *metrics);

#endif
