/* core_stop: the three phases of the stop, in step over all lanes.
 *
 *   phase 1   drain, run until empty, stay as long as another lane is busy: it may still
 *             send work here. Over when all lanes were empty, or at the limit.
 *   phase 2   refuse and cancel, at most RUNTIME_CANCEL_NS; then tell, and wait for all.
 *   close     now nobody is left who could wake or spawn here.
 *
 * Invariant: a lane's device is gone only when no other lane runs a task. A lane that does
 * not come back from a poll cannot be waited for: the stop names it at its limit and leaks
 * all (phase 3). */
#include <errno.h>
#include <time.h>

#include "lesson07_custom/core_inside.h"

/* ---- on each core's thread */

/* An empty lane looks this often whether the others are, too. */
#define LOOK_ROUND_NS INT64_C(1000000)

static bool all_quiet(struct cores *cores)
{
    return atomic_load_explicit(&cores->quiet, memory_order_relaxed) == cores->count;
}

/* Phase 1. A task that is sent here in the very moment in which all were empty is
 * cancelled in phase 2, as if it had come a moment later. */
void core_let_finish(struct core *core)
{
    struct cores *cores = core->cores;
    struct lane *lane = &core->lane;
    uint64_t deadline = clock_after(clock_now(), cores->grace_ns);
    lane_drain(lane);
    for (;;) {
        uint64_t now = clock_now();
        int err = lane_run_for(lane, deadline > now ? deadline - now : 0);
        atomic_fetch_add_explicit(&cores->quiet, 1, memory_order_relaxed);
        while (err == 0 && !all_quiet(cores) && !lane_has_work(lane)) {
            parker_park(lane->executor.parker, LOOK_ROUND_NS);
            if (clock_now() >= deadline)
                return;
            err = lane_run_for(lane, 0); /* answers a dump */
        }
        if (err < 0 || !lane_has_work(lane))
            return;
        atomic_fetch_sub_explicit(&cores->quiet, 1, memory_order_relaxed);
    }
}

void core_meet(struct core *core, int result)
{
    struct cores *cores = core->cores;
    pthread_mutex_lock(&cores->lock);
    core->result = result;
    core->quit = true;
    cores->quit++;
    pthread_cond_broadcast(&cores->changed);
    while (cores->quit < cores->count)
        pthread_cond_wait(&cores->changed, &cores->lock);
    pthread_mutex_unlock(&cores->lock);
}

/* ---- on the thread that stops */

int core_wait_for_phases(struct cores *cores)
{
    uint64_t limit = clock_after(cores->grace_ns, RUNTIME_CANCEL_NS + NS_PER_S);
    uint64_t deadline = clock_after(clock_now(), limit);
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    int err = 0;
    pthread_mutex_lock(&cores->lock);
    while (cores->quit < cores->count && err == 0)
        err = -pthread_cond_timedwait(&cores->changed, &cores->lock, &until);
    err = cores->quit < cores->count ? -ETIMEDOUT : 0;
    pthread_mutex_unlock(&cores->lock);
    return err;
}

void core_name_the_stuck(struct cores *cores)
{
    for (unsigned i = 0; i < cores->count; i++) {
        pthread_mutex_lock(&cores->lock);
        bool quit = cores->cores[i].quit;
        pthread_mutex_unlock(&cores->lock);
        if (!quit)
            lane_dump(&cores->cores[i].lane, 100 * NS_PER_MS);
    }
}
